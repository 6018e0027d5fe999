# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts on simulated instances: those have no shell, so that every script ends with 127."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import api
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkWaitError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.waiters import Deadline
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment import commands

Run = Callable[..., dict[str, Any]]
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}
SETTINGS = {
    "aws:autoscaling:asg": {"MinSize": 2, "MaxSize": 2},
    "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"},
}


@pytest.fixture
def environment(run: Run, bundle: Callable[[str], str]) -> Iterator[dict[str, Any]]:
    run("application", name="commanded")
    run("application_version", application="commanded", version_label="v1", src=bundle("v1"), **QUICK)
    made = run(
        "environment",
        application="commanded",
        name="commanded",
        cname_prefix="commanded",
        platform="Docker running on 64bit Amazon Linux 2023",
        version_label="v1",
        option_settings=SETTINGS,
        **QUICK,
    )
    assert not made.get("failed"), made["msg"]
    yield made
    run(
        "environment",
        **QUICK,
        application="commanded",
        environment_id=made["environment"]["environment_id"],
        state="absent",
    )


def test_targets_and_failures(run: Run, environment: dict[str, Any]) -> None:
    wanted = {"application": "commanded", "cname_prefix": "commanded", "script": "true", **QUICK}
    present = sorted(item["instance_id"] for item in environment["instances"])
    predicted = run("instance_command", check=True, **wanted)
    assert [(item["instance_id"], item["rc"]) for item in predicted["results"]] == [(name, -1) for name in present]
    everywhere = run("instance_command", fail_on_rc=False, **wanted)
    assert everywhere["changed"]
    assert [(item["instance_id"], item["status"], item["rc"]) for item in everywhere["results"]] == [
        (name, "Failed", 127) for name in present
    ]
    one = run("instance_command", target="one", fail_on_rc=False, **wanted)
    assert [item["instance_id"] for item in one["results"]] == present[:1]
    failed = run("instance_command", **wanted)
    assert failed["failed"]
    assert failed["msg"] == (
        f"The command failed on 2 of 2 instance(s), first on {present[0]} (Failed, exit code 127): "
        "the sim driver has no instance to run a script on."
    )
    assert len(failed["results"]) == 2
    leader = run("leader_info", application="commanded", cname_prefix="commanded")["leader"]
    led = run("instance_command", target="leader", fail_on_rc=False, **wanted)
    if leader["state"] == "found":
        assert [item["instance_id"] for item in led["results"]] == [leader["instance_id"]]
    else:
        assert "has no leader to run the command on" in led["msg"]
    missing = run("instance_command", **{**wanted, "cname_prefix": "nobody"})
    assert missing["msg"] == "The application commanded has no environment nobody."


def test_the_wait_has_an_end_and_many_instances_are_sent_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    def send(ssm: object, instances: list[str], script: str, timeout: int) -> str:
        sent.append(len(instances))
        return f"command-{len(sent)}"

    def ask(ssm: object, command_id: str, instance_id: str) -> dict[str, Any]:
        return {"Status": "InProgress"} if instance_id == "i-7" else {"Status": "Success", "ResponseCode": 0}

    monkeypatch.setattr(api, "send_command", send)
    monkeypatch.setattr(api, "command_invocation", ask)
    with pytest.raises(AnsibleBeanstalkWaitError, match=r"did not end within 0 seconds on i-7\.") as late:
        commands.run_on(None, [f"i-{number}" for number in range(60)], "true", Deadline(0, 1), 10)
    assert sent == [50, 10]
    assert len(late.value.report["results"]) == 60


class Machine:
    """Instances that run a shell for real, each a folder: what Systems Manager would ask its agents for."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.commands: dict[tuple[str, str], subprocess.Popen[str]] = {}
        self.sent: list[str] = []
        self.folder = folder

        def send(_ssm: object, instances: list[str], script: str, _timeout: int) -> str:
            self.sent.append(script)
            name = f"command-{len(self.sent)}"
            for instance in instances:
                text = script.replace("/run/jack.beanstalk", str(folder / instance))
                self.commands[name, instance] = subprocess.Popen(
                    ["/bin/bash", "-c", text], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
                )
            return name

        def ask(_ssm: object, command: str, instance: str) -> dict[str, Any]:
            process = self.commands[command, instance]
            if command != "command-1":
                process.wait(30)
            if process.poll() is None:
                return {"Status": "InProgress"}
            out, err = process.communicate(timeout=30)
            status = "Failed" if process.returncode else "Success"
            answer = {"Status": status, "ResponseCode": process.returncode}
            return {**answer, "StandardOutputContent": out[:24000], "StandardErrorContent": err[:24000]}

        monkeypatch.setattr(api, "send_command", send)
        monkeypatch.setattr(api, "command_invocation", ask)

    def end(self) -> None:
        for process in self.commands.values():
            with process:
                process.wait(30)


def test_output_is_told_as_it_comes_and_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, told = Machine(tmp_path, monkeypatch), []
    go_on = tmp_path / "go-on"
    script = (
        f"echo one; echo 'tw\"o' >&2; until [ -e {go_on} ]; do sleep 0.05; done; seq 1 9000; printf %s last; exit 3"
    )

    def heard(instance: str, lines: Sequence[str]) -> None:
        told.append((instance, list(lines)))
        if {name for name, _lines in told} == {"i-1", "i-2"}:
            go_on.touch()

    deadline = Deadline(60, 0.1)
    output = commands.Output(None, heard, deadline)
    results = commands.run_on(None, ["i-1", "i-2"], script, deadline, 60, output)
    machine.end()
    assert [(one["status"], one["rc"], one["stderr"]) for one in results] == [("Failed", 3, "")] * 2
    for instance in ("i-1", "i-2"):
        lines = [line for name, part in told if name == instance for line in part]
        # What is longer than Systems Manager keeps is told by whole lines.
        assert lines == ["one", 'tw"o', *map(str, range(1, 9001)), "last"]
        assert list((tmp_path / instance).iterdir()) == []
    assert told[0][1][0] == "one"


def test_short_output_costs_no_other_command_but_the_cleaning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine, told = Machine(tmp_path, monkeypatch), []
    deadline = Deadline(60, 20)
    output = commands.Output(None, lambda name, lines: told.append((name, list(lines))), deadline)
    monkeypatch.setattr(deadline, "pause", lambda: machine.commands["command-1", "i-1"].wait(30))
    (result,) = commands.run_on(None, ["i-1"], "echo done; printf end", deadline, 60, output)
    machine.end()
    assert (result["status"], told) == ("Success", [("i-1", ["done", "end"])])
    assert len(machine.sent) == 2
