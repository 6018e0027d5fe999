# SPDX-License-Identifier: GPL-3.0-or-later
"""environment_swap proves where names lead: by EB's own DNS, and by which environment answers over HTTP."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Stalk
from .minimal import DOCKERFILE, MODERN, SERVER

pytestmark = [pytest.mark.containers, pytest.mark.slow]

NAME = "proof"
ZONE = "us-east-1.elasticbeanstalk.com"
WAIT = {"poll_interval": 0.5, "wait_timeout": 300}


@pytest.fixture(scope="module")
def stalk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stalk]:
    """Two environments that answer with their own colour; blue has the live name."""
    made = Stalk(tmp_path_factory.mktemp("home") / "localstalk")
    started = made.cli("up", "--driver", "container", "--speed", "50")
    assert started.returncode == 0, started.stderr
    try:
        bundle = tmp_path_factory.mktemp("bundle") / "v1.zip"
        _write(bundle)
        for module, params in (
            ("application", {"name": NAME}),
            ("application_version", {"application": NAME, "version_label": "v1", "src": str(bundle)}),
        ):
            assert made.module(module, **params)["changed"]
        for colour, prefix in (("blue", "proof-live"), ("green", "proof-next")):
            created = made.module(
                "environment",
                application=NAME,
                name=f"proof-{colour}",
                cname_prefix=prefix,
                platform=MODERN,
                version_label="v1",
                instance_profile="aws-elasticbeanstalk-ec2-role",
                option_settings={
                    "aws:elasticbeanstalk:environment": {"EnvironmentType": "SingleInstance"},
                    "aws:elasticbeanstalk:application:environment": {"GREETING": colour},
                    "aws:elasticbeanstalk:command": {"Timeout": 3600},
                },
                **WAIT,
            )
            assert created.get("changed"), created["msg"]
        yield made
    finally:
        made.cli("down")
    assert made.leftovers() == []


def _write(bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "w") as archive:
        archive.writestr("Dockerfile", DOCKERFILE)
        archive.writestr("server.pl", SERVER)


def test_swap_and_back(stalk: Stalk) -> None:
    server = stalk.get("/_localstalk/dns").strip()
    for colour in ("green", "blue"):
        other = {"green": "blue", "blue": "green"}[colour]
        answer = stalk.module(
            "environment_swap",
            application=NAME,
            cname_prefix="proof-live",
            name=f"proof-{colour}",
            proof_path="/",
            name_server=server,
            **WAIT,
        )
        assert answer.get("changed"), answer
        live, rest = answer["proof"][f"proof-live.{ZONE}"], answer["proof"][f"proof-next.{ZONE}"]
        assert (live["environment"], live["dns"], live["http"]) == (f"proof-{colour}", True, True)
        assert (rest["environment"], rest["dns"], rest["http"]) == (f"proof-{other}", True, True)
        assert live["addresses"] != rest["addresses"]
