# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator does between deployments: logs, scale, abort, unlock, and a freeze; each with its refusals."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from localstalk.testing import Localstalk

Play = Callable[..., "subprocess.CompletedProcess[str]"]


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())


def size(localstalk: Localstalk, name: str) -> tuple[str, str]:
    """MinSize and MaxSize of an environment."""
    eb = localstalk.client("elasticbeanstalk")
    (found,) = eb.describe_configuration_settings(ApplicationName=name, EnvironmentName=name)["ConfigurationSettings"]
    options = {
        one["OptionName"]: one.get("Value")
        for one in found["OptionSettings"]
        if one["Namespace"] == "aws:autoscaling:asg"
    }
    return options["MinSize"], options["MaxSize"]


def test_logs_show_the_end_of_a_file_of_each_instance(play_shop: Play) -> None:
    assert play_shop("deploy", ["logged"]).returncode == 0
    shown = play_shop("logs", ["logged"], "-e", "logs_file=eb-engine", "-e", "logs_lines=2")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    (heading,) = re.findall(r"== (i-[0-9a-f]{17}) /var/log/eb-engine.log ==", shown.stdout)
    after = shown.stdout.partition("eb-engine.log ==")[2].splitlines()[1:3]
    assert all("[INFO]" in line for line in after), shown.stdout
    assert shown.stdout.count("[INFO]") == 2
    assert "changed=0" in shown.stdout
    none = play_shop("logs", ["logged"], "-e", "logs_file=nginx", "-e", f"logs_instance={heading}")
    assert f'== {heading} sent no log whose path has "nginx": /var/log/eb-engine.log ==' in one_line(none)
    nobody = play_shop("logs", ["nobody"])
    assert nobody.returncode == 2


@pytest.mark.slow
def test_scale_sets_the_sizes_once(play_shop: Play, shared_localstalk: Localstalk) -> None:
    assert play_shop("deploy", ["scaled"]).returncode == 0
    before = size(shared_localstalk, "scaled")
    for options, sentence in {
        (): "Give scale_min, scale_max or both",
        ("-e", "scale_min=5", "-e", "scale_max=2"): "Give scale_min, scale_max or both",
    }.items():
        refused = play_shop("scale", ["scaled"], *options)
        assert refused.returncode == 2
        assert sentence in one_line(refused)
    wanted = ("-e", "scale_min=2", "-e", "scale_max=3")
    predicted = play_shop("scale", ["scaled"], *wanted, "--check")
    assert "changed=1" in predicted.stdout, predicted.stdout
    assert size(shared_localstalk, "scaled") == before
    done = play_shop("scale", ["scaled"], *wanted)
    assert done.returncode == 0, done.stdout + done.stderr
    assert size(shared_localstalk, "scaled") == ("2", "3")
    again = play_shop("scale", ["scaled"], *wanted)
    assert "changed=0" in again.stdout


@pytest.mark.parametrize("playbook", ["abort", "scale"])
def test_hosts_that_nobody_named_are_refused(play_shop: Play, playbook: str) -> None:
    refused = play_shop(playbook, ["one", "two"], "-e", "scale_min=9")
    assert refused.returncode == 2
    assert "That is 2 hosts; name those that are meant with --limit (--limit all for every one)." in one_line(refused)


def test_abort_of_nothing_changes_nothing(play_shop: Play) -> None:
    assert play_shop("deploy", ["idle"]).returncode == 0
    done = play_shop("abort", ["idle"])
    assert done.returncode == 0, done.stdout + done.stderr
    assert "idle: nothing ran that could be aborted; version idle-" in one_line(done)
    assert "changed=0" in done.stdout


@pytest.mark.slow
def test_unlock_frees_for_the_one_who_is_named(play_shop: Play, shared_localstalk: Localstalk) -> None:
    assert play_shop("deploy", ["locked"]).returncode == 0
    s3 = shared_localstalk.client("s3")
    (bucket,) = [one["Name"] for one in s3.list_buckets()["Buckets"] if one["Name"].startswith("elasticbeanstalk-")]
    key = "jack.beanstalk/locks/locked.json"

    def leases() -> dict[str, Any]:
        return json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())

    free = play_shop("unlock", ["locked"])
    assert free.returncode == 0, free.stdout + free.stderr
    document = leases()
    document["leases"]["locked"] |= {
        "owner": "deploy@build-3 5f2c",
        "reason": "deploy",
        "expires": 4e9,
        "process": None,
    }
    s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(document).encode())
    for owner in ("", "somebody else"):
        refused = play_shop("unlock", ["locked"], "-e", json.dumps({"unlock_owner": owner}))
        assert refused.returncode == 2
        assert 'by its name: -e unlock_owner="deploy@build-3 5f2c"' in one_line(refused)
        assert "deploy@build-3 5f2c holds the lock of locked (deploy) since " in one_line(refused)
    named = ("-e", json.dumps({"unlock_owner": "deploy@build-3 5f2c"}))
    predicted = play_shop("unlock", ["locked"], *named, "--check")
    assert "changed=1" in predicted.stdout, predicted.stdout
    assert leases()["leases"]["locked"]["owner"] == "deploy@build-3 5f2c"
    done = play_shop("unlock", ["locked"], *named)
    assert "changed=1" in done.stdout, done.stdout
    assert leases()["leases"]["locked"]["owner"] == ""


@pytest.mark.parametrize("playbook", ["deploy", "recreate_and_swap", "rollback", "scale"])
def test_nothing_is_written_while_frozen(play_shop: Play, playbook: str) -> None:
    frozen = {"until": "2099-01-01", "reason": "holidays", "by": "operations"}
    refused = play_shop(playbook, ["frozen"], "-e", "scale_min=1", eb_freeze=frozen)
    assert refused.returncode == 2
    assert "frozen is frozen until 2099-01-01 00:00 UTC by operations (holidays); nothing was done." in one_line(
        refused
    )
    assert refused.stdout.count("TASK [") == 1


@pytest.mark.slow
def test_a_freeze_lets_people_look_and_is_overruled_by_name(play_shop: Play) -> None:
    frozen = {"until": "2099-01-01"}
    predicted = play_shop("deploy", ["thawed"], "--check", eb_freeze=frozen)
    assert predicted.returncode == 0, predicted.stdout + predicted.stderr
    assert play_shop("deploy", ["thawed"], "-e", "eb_freeze_ignore=thawed", eb_freeze=frozen).returncode == 0
    assert play_shop("status", ["thawed"], eb_freeze=frozen).returncode == 0


@pytest.mark.slow
def test_logs_are_followed_until_the_time_is_over(play_shop: Play) -> None:
    assert play_shop("deploy", ["followed"]).returncode == 0
    shown = play_shop("logs", ["followed"], "-e", "follow=true", "-e", "follow_timeout=1", "-e", "logs_lines=2")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert len(re.findall(r"^\[followed\] i-[0-9a-f]{17} eb-engine\.log: .+$", shown.stdout, re.MULTILINE)) == 2
    assert "changed=0" in shown.stdout
