# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment by one module: what it calls, and that what the controller remembers never makes it wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
SETTINGS = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}


@pytest.fixture
def deploy(
    run: Run, bundle: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """Deploy a version as deploy.yml does."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))

    def call(label: str, **more: Any) -> dict[str, Any]:
        wanted = {
            "application": "calls",
            "name": "calls-env",
            "cname_prefix": "calls-env",
            "platform": "Docker running on 64bit Amazon Linux 2023",
            "version_label": label,
            "src": bundle(label),
            "option_settings": SETTINGS,
            "lock": {},
            "gather_leader": True,
            # Longer than any deployment here, so that each is seen at the first look.
            "poll_interval": 3,
        }
        return run("environment", **{**wanted, **more})

    return call


def test_a_deployment_and_its_calls(deploy: Callable[..., dict[str, Any]], eb: Any, tmp_path: Path, run: Run) -> None:
    predicted = deploy("v1", check=True)
    assert predicted["actions"] == ["create_version", "create"]
    assert eb.describe_applications(ApplicationNames=["calls"])["Applications"] == []
    created = deploy("v1")
    assert created["actions"] == ["create_version", "create"]
    assert created["leader"]["state"] == "found"
    settled = deploy("v1")
    assert not settled["changed"]
    assert settled["leader"] == created["leader"]
    again = deploy("v1")
    assert not again["changed"]
    # The environment and its instances; settings and leader are known.
    assert again["api_calls"] == 2

    assert set(deploy("v2", check=True)["actions"]) == {"create_version", "update_version"}
    changed = deploy("v2")
    assert set(changed["actions"]) == {"create_version", "update_version"}
    # Upload, version, its state; environment; lock, update, lock; events, environment, instances; two for the logs.
    assert changed["api_calls"] == 12
    assert changed["leader"]["version_label"] == "v2"

    # A version that is there already, here or for another controller, is not made again.
    back = deploy("v1")
    assert back["actions"] == ["update_version"]
    shutil.rmtree(tmp_path / "jack.beanstalk")
    assert deploy("v2")["actions"] == ["update_version"]
    # One that was deleted behind our back is.
    eb.delete_application_version(ApplicationName="calls", VersionLabel="v1")
    assert set(deploy("v1")["actions"]) == {"create_version", "update_version"}
    # So is one that is needed by an environment that has to be made anew.
    assert run("environment", application="calls", name="calls-env", cname_prefix="calls-env", state="absent")[
        "changed"
    ]
    eb.delete_application_version(ApplicationName="calls", VersionLabel="v1")
    assert deploy("v1")["actions"] == ["create_version", "create"]
    # A setting that was changed behind our back is seen, although settings are remembered.
    assert not deploy("v1")["changed"]
    elsewhere = {"aws:elasticbeanstalk:command": {"Timeout": 900}}
    assert run("environment", application="calls", name="calls-env", option_settings=elsewhere)["changed"]
    mine = {**SETTINGS, "aws:elasticbeanstalk:command": {"Timeout": 600}}
    assert deploy("v1", option_settings=mine)["actions"] == ["update_settings"]
    assert not deploy("v1", option_settings=mine)["changed"]


def test_a_bundle_with_secrets_is_removed_whatever_happens(
    deploy: Callable[..., dict[str, Any]], bundle: Callable[[str], str]
) -> None:
    path = Path(bundle("broken"))
    refused = deploy("broken", src=str(path), remove_src=True, platform="No such platform")
    assert refused["failed"]
    assert not path.exists()
