# SPDX-License-Identifier: GPL-3.0-or-later
"""Scripts on simulated instances: those have no shell, so that every script ends with 127."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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
