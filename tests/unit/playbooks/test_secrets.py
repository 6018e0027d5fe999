# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployments with a canary in every place for a secret, with all the output there is: none stays behind.

In check mode, for real, again, and failing at many stages; test_secrets.py of tests/integration has kills.
"""

from __future__ import annotations

import http.server
import json
import os
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from secret_scan import Scan

from localstalk.testing import Localstalk

from .shop import PROFILE, PROGRAM, ROOT, Shop

pytestmark = pytest.mark.slow

PROPERTIES = "aws:elasticbeanstalk:application:environment"
NAMES = (
    "secret file", "overlay", "secret with content", "secret value", "property", "option", "hook", "slack",
    "webhook", "unused webhook",
)  # fmt: skip
IN_BUNDLES = {"secret file", "overlay", "secret with content", "hook"}
GIT = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
GIT |= {"GIT_CONFIG_GLOBAL": os.devnull}


class Receiver(http.server.BaseHTTPRequestHandler):
    """Takes notifications."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(500 if "broken" in self.path else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@dataclass
class Guarded:
    """An application whose inventory has canaries, and what its runs left so far."""

    shop: Shop
    scan: Scan
    tokens: dict[str, str] = field(default_factory=dict)

    def change(self, text: str) -> None:
        self.shop.change(text)
        git(self.shop.folder, "add", "Dockerfile")

    def play(self, playbook: str, *words: str, until: Any = None, **more: Any) -> tuple[int, str]:
        """A playbook with all the output there is; after it no canary may be anywhere."""
        inventory = self.shop.inventory(**more)
        environ = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
        command = [PROGRAM, "-i", inventory, playbook, "-vvvv", "--diff", *words]
        ended = self.scan.run(command, environ, ROOT, until)
        if until is None:
            self.check()
        return ended

    def check(self) -> None:
        assert self.scan.findings() == []
        stored = self.scan.in_s3(self.shop.localstalk.client("s3"))
        wrong = [one for one in stored if not (".zip: " in one and one.rpartition(": ")[2] in IN_BUNDLES)]
        assert wrong == []

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + 60
        while any(one["Status"] != "Ready" for one in self.shop.environments().values()):
            assert time.monotonic() < deadline
            time.sleep(0.1)


def git(folder: Path, *words: str) -> None:
    subprocess.run(["git", "-C", folder, *words], check=True, capture_output=True, env=os.environ | GIT)


@pytest.fixture(scope="module")
def localstalk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Localstalk]:
    running = Localstalk(tmp_path_factory.mktemp("secrets") / "localstalk", "--driver", "sim", "--speed", "200")
    yield running
    running.close()


def session(localstalk: Localstalk) -> dict[str, str]:
    """Credentials with a token, as a role has them."""
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    text = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    iam = localstalk.client("iam")
    role = iam.create_role(RoleName="operators", AssumeRolePolicyDocument=text)["Role"]["Arn"]
    allowed = {"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}
    iam.put_role_policy(RoleName="operators", PolicyName="everything", PolicyDocument=json.dumps(allowed))
    assumed = localstalk.client("sts").assume_role(RoleArn=role, RoleSessionName="secrets")
    return dict(assumed["Credentials"])


@pytest.fixture(scope="module")
def guarded(localstalk: Localstalk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded") / "application"
    tokens = {name: f"canary{uuid.uuid4().hex}" for name in NAMES}
    keys = session(localstalk)
    tokens |= {"AWS key": keys["SecretAccessKey"], "AWS token": keys["SessionToken"]}
    git(folder.parent, "init", "-q", "-b", "main", str(folder))
    (folder / ".gitignore").write_text(".secrets/\n")
    (folder / "Dockerfile").write_text("FROM scratch\nEXPOSE 8000\n")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "Without secrets")
    (folder / ".secrets").mkdir()
    base = folder / ".secrets/base.json"
    base.write_text(json.dumps({"SECRET_KEY": tokens["secret file"]}))
    scan = Scan(tokens, folder.parent / "place", repositories=[folder], own={base})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        shop = Shop(localstalk, folder, "guarded")
        shop.variables = {
            "eb_aws": {
                "endpoint_url": localstalk.url,
                "access_key": keys["AccessKeyId"],
                "secret_key": keys["SecretAccessKey"],
                "session_token": keys["SessionToken"],
            },
            "eb_source": {"path": str(folder), "from": "index"},
            "eb_secrets_files": [".secrets/"],
            "eb_bundle_overlay": [{"path": ".secrets/key", "content": tokens["overlay"], "mode": "0600"}],
            "eb_secrets": {
                "signing": {"file": ".secrets/signing", "content": tokens["secret with content"]},
                "SENTRY": {"value": tokens["secret value"]},
            },
            "eb_environment_properties": {"GREETING": tokens["property"]},
            "eb_option_settings": {**PROFILE, PROPERTIES: {"DATABASE_PASSWORD": tokens["option"]}},
            "eb_hooks_prefix": "tiny",
            "eb_hooks": [{"name": "note", "command": "echo noted", "environment": {"TOKEN": tokens["hook"]}}],
            "eb_report_folder": str(scan.place / "reports"),
            "eb_notify": [
                {"type": "slack", "url": f"{url}/{tokens['slack']}"},
                {"type": "webhook", "url": f"{url}/broken/{tokens['webhook']}"},
                {"type": "webhook", "url": f"{url}/{tokens['unused webhook']}", "results": ["locked"]},
            ],
            "eb_report_leader": True,
            # A killed run holds the lock for as long, and the next one waits.
            "eb_lock": {"ttl": 10},
        }
        yield Guarded(shop, scan)
        server.shutdown()


@pytest.fixture
def deployed(guarded: Guarded) -> Guarded:
    """With a live environment, and nothing that goes wrong."""
    guarded.shop.localstalk.clear_faults()
    if guarded.shop.exists():
        guarded.wait_until_ready()
    if not guarded.shop.exists() or any(one["Health"] != "Green" for one in guarded.shop.environments().values()):
        guarded.change(uuid.uuid4().hex)
        assert guarded.play("deploy.yml")[0] == 0, guarded.scan.outputs[-1]
    guarded.wait_until_ready()
    return guarded


def test_deployments(guarded: Guarded) -> None:
    for words in (["--check"], [], []):
        rc, output = guarded.play("deploy.yml", *words)
        assert rc == 0, output
    assert "changed=0" in output
    # The canaries are where they belong.
    stored = guarded.scan.in_s3(guarded.shop.localstalk.client("s3"))
    assert {one.rpartition(": ")[2] for one in stored} == IN_BUNDLES
    (live,) = guarded.shop.environments().values()
    found = guarded.shop.localstalk.client("elasticbeanstalk").describe_configuration_settings(
        ApplicationName="guarded", EnvironmentName=live["EnvironmentName"]
    )["ConfigurationSettings"][0]["OptionSettings"]
    values = {one.get("Value") for one in found if one["Namespace"] == PROPERTIES}
    assert values == {guarded.scan.tokens[name] for name in ("property", "secret value", "option")}


BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a hook": ({"eb_hooks": [{"name": "Bad name", "command": "x", "environment": {"T": "{hook}"}}]}, {}, "Bad name"),
    "the bundle": (
        {"eb_bundle_overlay": [{"path": ".ebextensions/x.config", "content": "commands: 5 # {overlay}"}]},
        {},
        "commands takes a mapping of names",
    ),
    "a secret": ({"eb_secrets": {"S": {"value": "{secret value}", "file": ".secrets/x"}}}, {}, "S"),
    "an argument": ({"eb_wait_timeout": "soon"}, {}, "soon"),
    "the version": (
        {},
        {"kind": "error", "operations": ["CreateApplicationVersion"], "code": "InvalidParameterValue"},
        "Failed to create the application version",
    ),
    "the update": (
        {"eb_tags": {"team": "web"}},
        {"kind": "error", "operations": ["UpdateEnvironment"], "code": "InvalidParameterValue"},
        "Failed to update the environment",
    ),
    "the instance": ({}, {"kind": "command", "command": "app-deploy", "outcome": "FAILURE"}, "Failed to deploy"),
}


@pytest.mark.parametrize("stage", BROKEN)
def test_deployments_that_fail(deployed: Guarded, stage: str) -> None:
    more, fault, said = BROKEN[stage]
    text = json.dumps(more)
    for name, token in deployed.scan.tokens.items():
        text = text.replace(f"{{{name}}}", token)
    deployed.change(f"failing because of {stage}")
    if fault:
        deployed.shop.localstalk.fault(fault["kind"], **{key: fault[key] for key in fault if key != "kind"})
    rc, output = deployed.play("deploy.yml", **json.loads(text))
    assert rc == 2, output
    assert said in output
