# SPDX-License-Identifier: GPL-3.0-or-later
"""Every playbook with a canary in every place for a secret, with all the output there is: none of them stays behind.

In check mode, for real, again, failing at each stage, and after kill -9 at any moment.
"""

from __future__ import annotations

import http.server
import json
import os
import re
import subprocess
import sys
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

from .shop import PROFILE, PROGRAM, QUICK, ROOT, Shop

sys.path.insert(0, str(ROOT / "tests" / "integration"))

from awx_double import AwxDouble

slow = pytest.mark.slow

PROPERTIES = "aws:elasticbeanstalk:application:environment"
NAMES = (
    "secret file", "overlay", "secret with content", "secret value", "property", "option", "hook", "slack",
    "webhook", "unused webhook", "schedule variable", "schedule environment", "schedule webhook", "AWX token",
    "AWX password", "source control", "AWS key of AWX", "AWS token of AWX", "external id", "vault", "AWX webhook",
)  # fmt: skip
IN_BUNDLES = {"secret file", "overlay", "secret with content", "hook"}
GIT = {f"GIT_{who}_{what}": "test" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
GIT |= {"GIT_CONFIG_GLOBAL": os.devnull}
KILLS = 5


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

    @property
    def bundles(self) -> Path:
        """Where bundles are until they are uploaded."""
        return self.scan.place / "home/.cache/jack.beanstalk/bundles"

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

    def left(self, *folders: Path) -> list[str]:
        """What a run that was killed left: nothing but bundles, or files below these folders, for nobody else."""
        found = self.scan.findings()
        for line in found:
            path = Path(line.rpartition(": ")[0])
            bundle = path.parent == self.bundles and ".secret.zip" in path.name
            assert bundle or any(path.is_relative_to(folder) for folder in folders), line
            assert path.parent.stat().st_mode & 0o777 == 0o700, line
            assert not bundle or path.stat().st_mode & 0o777 == 0o600, line
        return found

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


def test_deployment(guarded: Guarded) -> None:
    rc, output = guarded.play("deploy.yml")
    assert rc == 0, output
    # The canaries are where they belong.
    stored = guarded.scan.in_s3(guarded.shop.localstalk.client("s3"))
    assert {one.rpartition(": ")[2] for one in stored} == IN_BUNDLES
    (live,) = guarded.shop.environments().values()
    found = guarded.shop.localstalk.client("elasticbeanstalk").describe_configuration_settings(
        ApplicationName="guarded", EnvironmentName=live["EnvironmentName"]
    )["ConfigurationSettings"][0]["OptionSettings"]
    values = {one.get("Value") for one in found if one["Namespace"] == PROPERTIES}
    assert values == {guarded.scan.tokens[name] for name in ("property", "secret value", "option")}


@slow
def test_deployments_in_check_mode_and_again(deployed: Guarded) -> None:
    deployed.change("predicted")
    for words in (["--check"], [], []):
        rc, output = deployed.play("deploy.yml", *words)
        assert rc == 0, output
    assert "changed=0" in output


BROKEN: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a hook": ({"eb_hooks": [{"name": "Bad name", "command": "x", "environment": {"T": "{hook}"}}]}, {}, "Bad name"),
    "the bundle": (
        {"eb_bundle_overlay": [{"path": ".ebextensions/x.config", "content": "commands: 5 # {overlay}"}]},
        {},
        "commands takes a mapping of names",
    ),
    "a secret": ({"eb_secrets": {"S": {"value": "{secret value}", "file": ".secrets/x"}}}, {}, "S"),
    "an argument": ({"eb_wait_timeout": "soon"}, {}, "soon"),
    "the upload": (
        {},
        {"kind": "error", "service": "s3", "operations": ["PUT"], "code": "AccessDenied", "http_status": 403},
        "Failed to upload the source bundle",
    ),
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


@slow
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


@slow
def test_cycles(deployed: Guarded) -> None:
    for playbook, words, more in (
        ("recreate_and_swap.yml", ["--check"], {}),
        ("recreate_and_swap.yml", [], {"eb_recreate": QUICK | {"retain_old_for": 3600}}),
        ("rollback.yml", ["--check"], {}),
        ("rollback.yml", [], {}),
        ("status.yml", [], {}),
    ):
        rc, output = deployed.play(playbook, *words, **more)
        assert rc == 0, output
    assert list((deployed.scan.place / "reports").glob("*.html"))
    assert any("The webhook notification was not delivered" in text for text in deployed.scan.outputs)


OPERATIONS: dict[str, tuple[tuple[int, str], ...]] = {
    "abort.yml": ((0, ""),),
    # Simulated instances run no scripts.
    "clean_hooks.yml": ((2, ""), (2, "clean_hooks_remove=true")),
    "exec.yml": ((2, "exec_command=true exec_on=nowhere"),),
    "history.yml": ((0, ""),),
    "logs.yml": ((0, ""), (0, "logs_file=eb-engine logs_lines=200")),
    "maintenance.yml": ((2, "maintenance=on"),),
    "preflight.yml": ((0, ""),),
    "scale.yml": ((0, "scale_min=1 scale_max=2"), (2, "scale_min=2 scale_max=1"), (0, "scale_min=1 scale_max=1")),
    "status.yml": ((0, ""),),
    "unlock.yml": ((0, ""), (0, "unlock_owner=nobody")),
}
OTHERS = {
    "adopt.yml",
    "awx.yml",
    "deploy.yml",
    "recreate_and_swap.yml",
    "rollback.yml",
    "schedule.yml",
    "smoke_test.yml",
}
"""Those that have tests of their own: here, and the last, which has no secret of a user's, in tests/integration."""
ON_AWS = {*OPERATIONS, "deploy.yml", "recreate_and_swap.yml", "rollback.yml"}


def test_every_playbook_is_here() -> None:
    assert {path.name for path in (ROOT / "playbooks").glob("*.yml")} == {*OPERATIONS, *OTHERS}


@slow
@pytest.mark.parametrize("playbook", OPERATIONS)
def test_operations(deployed: Guarded, playbook: str) -> None:
    for ends, variables in OPERATIONS[playbook]:
        for words in (["--check"], []):
            rc, output = deployed.play(playbook, *words, "-e", variables)
            assert rc == ends, output


@slow
@pytest.mark.parametrize("playbook", sorted(ON_AWS))
def test_playbooks_that_are_refused(deployed: Guarded, playbook: str) -> None:
    """By AWS, with the first request that they send."""
    operations = ["DescribeEnvironments", "DescribeApplicationVersions", "ListAvailableSolutionStacks"]
    deployed.shop.localstalk.fault("error", operations=operations, code="AccessDenied", http_status=403)
    rc, output = deployed.play(playbook, "-e", "scale_min=1")
    # Two ask S3 alone.
    assert rc == (0 if playbook in ("history.yml", "unlock.yml") else 2), output


@slow
def test_cycles_that_fail(deployed: Guarded) -> None:
    deployed.shop.localstalk.fault("command", command="app-deploy", outcome="FAILURE")
    rc, output = deployed.play("recreate_and_swap.yml", eb_recreate=QUICK | {"verify_timeout": 5})
    assert rc == 2, output
    deployed.shop.localstalk.clear_faults()
    rc, output = deployed.play("recreate_and_swap.yml", eb_recreate=QUICK | {"platform": "No such platform"})
    assert rc == 2, output


@slow
def test_deployments_by_swap(deployed: Guarded) -> None:
    deployed.change("swapped")
    for words in (["--check"], []):
        rc, output = deployed.play("deploy.yml", *words, eb_deploy_strategy="swap")
        assert rc == 0, output


@slow
def test_kills(deployed: Guarded) -> None:
    """Moments are spread evenly over the length of a run that was measured just before."""
    deployed.change("measured")
    began = time.monotonic()
    assert deployed.play("deploy.yml")[0] == 0
    length = time.monotonic() - began
    tasks = set()
    for number in range(KILLS):
        deployed.wait_until_ready()
        deployed.change(f"killed {number}")
        moment = length * (number + 0.5) / KILLS
        _rc, output = deployed.play("deploy.yml", until=lambda seconds, moment=moment: seconds >= moment)
        tasks.add((re.findall(r"^TASK \[(.+?)\]", output, re.MULTILINE) or ["before the first task"])[-1])
        deployed.left()
    assert len(tasks) >= KILLS / 2, f"the moments were not spread over the run: {tasks}"


@slow
def test_kill_while_there_is_a_bundle(deployed: Guarded) -> None:
    """The one moment at which something must be left; the next run removes it at once."""
    deployed.change("killed with a bundle")
    for path in deployed.bundles.glob("*.secret.zip"):
        path.unlink()
    _rc, output = deployed.play("deploy.yml", until=lambda _seconds: any(deployed.bundles.glob("*.secret.zip")))
    assert len({line.rpartition(": ")[0] for line in deployed.left()}) == 1, output
    rc, output = deployed.play("deploy.yml")
    assert rc == 0, output
    assert not list(deployed.bundles.glob("*.secret.zip"))


@slow
def test_kills_of_cycles(deployed: Guarded) -> None:
    for seconds in (4.0, 7.0):
        deployed.play("recreate_and_swap.yml", until=lambda passed, seconds=seconds: passed >= seconds)
        assert deployed.left() == []
    rc, output = deployed.play("recreate_and_swap.yml")
    assert rc == 0, output


@slow
def test_schedules(deployed: Guarded) -> None:
    folder = deployed.scan.place / "schedule"
    tokens = deployed.scan.tokens
    entry = {
        "name": "nightly",
        "limit": "guarded",
        "extra_vars": {"password": tokens["schedule variable"]},
        "environment": {"AWS_SECRET_ACCESS_KEY": tokens["schedule environment"]},
        "notify_url": f"http://127.0.0.1:9/{tokens['schedule webhook']}",
    }
    places = {
        f"schedule_{name}_directory": str(folder / name)
        for name in ("runner", "settings", "state", "log", "cron", "systemd", "logrotate")
    }
    for name in ("cron", "systemd", "logrotate"):
        (folder / name).mkdir(parents=True)
    places |= {"schedule_activate": False}
    files = {"nightly.conf", "nightly.env", "nightly.vars.json"}
    for words, more in ((["--check"], {}), ([], {}), ([], {}), ([], {"state": "absent"})):
        deployed.scan.own |= {folder / "settings" / name for name in files}
        rc, output = deployed.play("schedule.yml", *words, eb_schedules=[entry | more], **places)
        assert rc == 0, output
        for path in (folder / "settings").glob("*"):
            assert path.stat().st_mode & 0o777 == 0o600, path
    rc, output = deployed.play("schedule.yml", eb_schedules=[entry | {"time": "soon"}], **places)
    assert rc == 2, output
    # While Ansible writes a file, it has the content in its folder for temporary files, and a killed run leaves it.
    temporary = deployed.scan.place / "home/.ansible/tmp"

    def is_written(_seconds: float) -> bool:
        return any(deployed.scan.below(temporary))

    deployed.play("schedule.yml", until=is_written, eb_schedules=[entry], **places)
    for line in deployed.left(temporary):
        Path(line.rpartition(": ")[0]).unlink(missing_ok=True)


@slow
def test_awx(deployed: Guarded) -> None:
    """Where it cannot be reached, every task before the first answer says so with its arguments; then for real."""
    tokens = deployed.scan.tokens
    configuration = {"url": f"http://127.0.0.1:9/{tokens['AWX webhook']}", "http_method": "POST", "headers": {}}
    variables = {
        "awx_host": "http://127.0.0.1:9",
        "awx_username": "admin",
        "awx_scm_url": "https://git.example.com/shop.git",
        "awx_scm_inputs": {"username": "git", "password": tokens["source control"]},
        "awx_aws_access_key": "AKIAEXAMPLE",
        "awx_aws_secret_key": tokens["AWS key of AWX"],
        "awx_aws_session_token": tokens["AWS token of AWX"],
        "awx_aws_role_external_id": tokens["external id"],
        "awx_vault_passwords": [{"id": "production", "password": tokens["vault"]}],
        "awx_notifications": [{"name": "chat", "type": "webhook", "events": ["error"], "configuration": configuration}],
    }
    for secret in ({"awx_password": tokens["AWX password"]}, {"awx_token": tokens["AWX token"]}):
        for state in ("present", "absent"):
            rc, output = deployed.play("awx.yml", **variables, **secret, awx_state=state)
            assert rc == 2, output
    with AwxDouble() as awx:
        awx.password = tokens["AWX password"]
        variables |= {"awx_host": awx.url, "awx_password": awx.password}
        for words, more in (
            (["--check"], {}),
            ([], {}),
            ([], {"awx_update_secrets": True}),
            ([], {"awx_state": "absent"}),
        ):
            rc, output = deployed.play("awx.yml", *words, **variables, **more)
            assert rc == 0 or words, output


@slow
def test_adoption(deployed: Guarded, tmp_path: Path) -> None:
    """Of a project with its secrets in git, where somebody put them: a report and an inventory repeat none."""
    project = tmp_path / "project"
    (project / ".ebextensions").mkdir(parents=True)
    (project / "Dockerfile").write_text("FROM debian\nEXPOSE 80\n")
    password = deployed.scan.tokens["option"]
    (project / ".ebextensions/01.config").write_text(
        f"option_settings:\n  {PROPERTIES}:\n    DB_PASSWORD: {password}\n"
    )
    (project / "deploy.sh").write_text(f"#!/bin/sh\neb setenv DB_PASSWORD={password}\neb deploy\n")
    names = {"adopt_project": str(project), "adopt_inventory": str(deployed.scan.place / "adopted")}
    rc, output = deployed.play("adopt.yml", "-e", json.dumps(names))
    assert rc == 0, output
    assert "ADOPTED.md" in output
