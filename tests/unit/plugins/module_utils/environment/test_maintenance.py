# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of an environment under maintenance: the scripts run for real, in folders in place of instances."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import api
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import (
    AnsibleBeanstalkRefusedError,
    AnsibleBeanstalkWaitError,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment import maintenance
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader.sources import Services

PARAMS = {"enabled": True, "page": "<h1>Später</h1>", "retry_after": 1800, "wait_timeout": 60, "poll_interval": 0.1}
CONF = "etc/nginx/conf.d/elasticbeanstalk/jack_maintenance.conf"


class Fleet:
    """Two instances with an nginx that notes how it was called; ``refuses`` is whether it takes no configuration."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.status, self.instances = folder, "Ready", ["i-1", "i-2"]
        self.done: dict[str, subprocess.CompletedProcess[str]] = {}
        self.scripts: list[str] = []
        for name in self.instances:
            self.add(name)
        monkeypatch.setattr(
            maintenance.environments,
            "find_one",
            lambda _eb, _params: {"EnvironmentId": "e-1", "EnvironmentName": "shop", "Status": self.status},
        )
        monkeypatch.setattr(
            api, "describe_resources", lambda _eb, _id: {"Instances": [{"Id": name} for name in self.instances]}
        )
        monkeypatch.setattr(api, "send_command", self._send)
        monkeypatch.setattr(api, "command_invocation", self._ask)

    def add(self, name: str) -> None:
        for path in ("etc/nginx/conf.d/elasticbeanstalk", "var/run", "usr/sbin", "var/lib"):
            (self.folder / name / path).mkdir(parents=True)
        (self.folder / name / "var/run/nginx.pid").write_text("1")
        nginx = self.folder / name / "usr/sbin/nginx"
        nginx.write_text(f'#!/bin/sh\necho "$*" >>{self.folder}/{name}/called\n[ ! -e {self.folder}/{name}/refuses ]\n')
        nginx.chmod(0o755)

    def _send(self, _ssm: object, instances: list[str], script: str, _timeout: int) -> str:
        self.scripts.append(script)
        for name in instances:
            text = script
            for path in ("/etc/nginx", "/var/run", "/var/lib", "/usr/sbin"):
                text = text.replace(path, f"{self.folder}/{name}{path}")
            done = subprocess.run(["/bin/sh", "-c", text], capture_output=True, text=True, check=False, timeout=30)
            self.done[name] = done
        return "command"

    def _ask(self, _ssm: object, _command: str, name: str) -> dict[str, Any]:
        done = self.done[name]
        state = {"Status": "Failed" if done.returncode else "Success", "ResponseCode": done.returncode}
        return {**state, "StandardOutputContent": done.stdout, "StandardErrorContent": done.stderr}

    def maintain(self, *, check: bool = False, **params: Any) -> tuple[bool, dict[str, Any]]:
        return maintenance.maintain(Services(None, None, None), {**PARAMS, **params}, check)

    def has(self, name: str) -> bool:
        return (self.folder / name / CONF).exists()

    def called(self, name: str) -> list[str]:
        path = self.folder / name / "called"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    return Fleet(tmp_path, monkeypatch)


def test_on_and_off_each_once(fleet: Fleet) -> None:
    assert fleet.maintain(check=True)[0]
    assert not fleet.has("i-1")
    changed, result = fleet.maintain()
    assert changed
    assert [(one["instance_id"], one["maintenance"], one["changed"]) for one in result["instances"]] == [
        ("i-1", True, True),
        ("i-2", True, True),
    ]
    page = fleet.folder / "i-2/var/lib/jack.beanstalk/jack-maintenance.html"
    assert page.read_text() == PARAMS["page"]
    assert "add_header Retry-After 1800 always;" in (fleet.folder / "i-2" / CONF).read_text()
    assert fleet.called("i-2") == ["-t -q", "-s reload"]
    assert not fleet.maintain()[0]
    assert fleet.called("i-2") == ["-t -q", "-s reload"]
    assert fleet.maintain(retry_after=60)[0]
    assert fleet.maintain(enabled=False)[0]
    assert not fleet.has("i-1")
    assert not page.exists()
    assert not fleet.maintain(enabled=False)[0]


def test_an_instance_that_came_later_gets_the_page_with_the_next_run(fleet: Fleet) -> None:
    fleet.maintain()
    fleet.instances.append("i-3")
    fleet.add("i-3")
    changed, result = fleet.maintain()
    assert changed
    assert [one["changed"] for one in result["instances"]] == [False, False, True]
    assert fleet.called("i-1") == ["-t -q", "-s reload"], "it was left alone"


def test_a_configuration_that_nginx_does_not_take_goes_again(fleet: Fleet) -> None:
    (fleet.folder / "i-2/refuses").touch()
    with pytest.raises(
        AnsibleBeanstalkWaitError,
        match=r"The page of shop could not be changed on 1 of 2 instance\(s\), first on i-2 \(Failed, exit code 1\)",
    ):
        fleet.maintain()
    assert not fleet.has("i-2")
    assert fleet.called("i-2") == ["-t -q"]


def test_refusals_change_nothing(fleet: Fleet) -> None:
    (fleet.folder / "i-2/var/run/nginx.pid").unlink()
    with pytest.raises(AnsibleBeanstalkRefusedError, match=r"nginx does not run on i-2 of shop \(a compose project"):
        fleet.maintain()
    assert not fleet.has("i-1")
    before = len(fleet.scripts)
    with pytest.raises(AnsibleBeanstalkRefusedError, match=r"retry_after is 0: give the seconds until clients"):
        fleet.maintain(retry_after=0)
    fleet.status = "Updating"
    with pytest.raises(AnsibleBeanstalkRefusedError, match=r"shop is Updating, .* wait until it is Ready\."):
        fleet.maintain()
    fleet.status, fleet.instances = "Ready", []
    with pytest.raises(AnsibleBeanstalkRefusedError, match=r"The environment e-1 has no instance\."):
        fleet.maintain()
    assert len(fleet.scripts) == before
