# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible's own keywords mean where one task does the work of a batch of hosts."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from .batch import PLATFORM, PROFILE, batch_tasks, recap, start_play

QUICK = {"platform": PLATFORM, "option_settings": PROFILE, "poll_interval": 0.3, "wait_timeout": 120}
TWENTY = [f"twenty-{number:02d}" for number in range(20)]
BAD = TWENTY[1:8:3]


def played(folder: Path, hosts: list[str], play: dict[str, Any], *words: str) -> tuple[int, str]:
    with start_play(folder, hosts, play, *words) as process:
        output, _errors = process.communicate(timeout=300)
    return process.returncode, output


@pytest.fixture
def deploy(aws: dict[str, str], run: Callable[..., Any], tmp_path: Path) -> Callable[..., dict[str, tuple[int, int]]]:
    """Bring those of twenty hosts that Ansible's keywords and options leave to a description; returns the recap."""
    run("application", name="twenty")

    def call(description: str, *words: str, bad: list[str], **keywords: Any) -> dict[str, tuple[int, int]]:
        common = {"application": "twenty", "description": description, **QUICK, **aws}
        items = [
            {
                **common,
                "item": host,
                "name": host,
                "cname_prefix": host,
                **({"platform": "None"} if host in bad else {}),
            }
            for host in TWENTY
        ]
        batch = "{{ items | selectattr('item', 'in', ansible_play_batch) | list }}"
        tasks = batch_tasks(batch)
        status, output = played(tmp_path, TWENTY, {"vars": {"items": items}, "tasks": tasks, **keywords}, *words)
        assert status == (2 if bad else 0), output
        return recap(output)

    return call


def test_three_bad_hosts_of_twenty(deploy: Callable[..., dict[str, tuple[int, int]]], tmp_path: Path) -> None:
    first = deploy("first", bad=BAD)
    assert first == {host: (0, 1) if host in BAD else (1, 0) for host in TWENTY}, "17 are ok and 3 failed"

    # Three of the first ten are more than a fifth: the second batch does not begin.
    stopped = deploy("second", bad=BAD, serial=10, max_fail_percentage=20)
    assert stopped == {host: (0, 1) if host in BAD else (1, 0) for host in TWENTY[:10]}

    (tmp_path / "failed.txt").write_text("\n".join(host for host, counts in stopped.items() if counts[1]))
    mended = deploy("second", "--limit", "@failed.txt", bad=[])
    assert mended == dict.fromkeys(BAD, (1, 0))

    # The same command goes on: what is done costs a look.
    last = deploy("second", bad=[], serial=10, max_fail_percentage=20)
    assert last == {host: (0, 0) if host in TWENTY[:10] else (1, 0) for host in TWENTY}


@pytest.mark.parametrize(("strategy", "module"), [("free", "environments"), ("ansible.builtin.host_pinned", "cycles")])
def test_hosts_that_do_not_wait_for_each_other_are_refused(tmp_path: Path, strategy: str, module: str) -> None:
    tasks = batch_tasks([{"item": "one"}, {"item": "two"}], module)
    status, output = played(tmp_path, ["one", "two"], {"strategy": strategy, "tasks": tasks})
    assert status == 2
    assert recap(output) == {"one": (0, 1), "two": (0, 1)}
    text = f"{module} works once for all hosts of a batch, and the strategy {strategy} has each host do it"
    assert f"{text}: use strategy: linear." in " ".join(output.split())


def test_a_role_in_a_loop_or_with_a_condition_means_its_own_host(
    aws: dict[str, str], run: Callable[..., Any], eb: Any, tmp_path: Path
) -> None:
    run("application", name="looped")
    environment = {"application": "looped", "name": "{{ colour }}", "cname_prefix": "{{ colour }}", **QUICK, **aws}
    role = {
        "ansible.builtin.include_role": {"name": "jack.beanstalk.deploy"},
        "vars": {"deploy_environment": environment},
        "loop": ["looped-red", "looped-blue"],
        "loop_control": {"loop_var": "colour"},
        "when": "inventory_hostname == 'one'",
    }
    status, output = played(tmp_path, ["one", "two"], {"tasks": [role]})
    assert status == 0, output
    assert recap(output) == {"one": (2, 0), "two": (0, 0)}
    found = eb.describe_environments(ApplicationName="looped", IncludeDeleted=False)["Environments"]
    assert sorted(one["EnvironmentName"] for one in found) == ["looped-blue", "looped-red"]


def test_variables_of_the_inventory_count_and_those_of_plays_do_not(tmp_path: Path) -> None:
    bundle = {"path": "/bundle.zip", "version_label": "v1", "has_secrets": False}
    values = {
        "eb_application": "shop",
        "eb_region": "us-east-1",
        "eb_cname_prefix": "of-the-inventory",
        "eb_platform": PLATFORM,
        "bundle_made": {"bundle": bundle},
    }
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": {"shop": values}}}))
    shown = {"ansible.builtin.copy": {"content": "{{ items }}", "dest": str(tmp_path / "items.json")}}
    play = {
        "vars": {
            "eb_cname_prefix": "of-the-play",
            "eb_tags": {"team": "of-the-play"},
            "items": "{{ ansible_play_batch | jack.beanstalk.deployment_items(hostvars) }}",
        },
        "tasks": [shown],
    }
    more = json.dumps({"eb_environment_name": "of-the-command"})
    status, output = played(tmp_path, [], play, "-i", "hosts.json", "-e", more)
    assert status == 0, output
    (item,) = json.loads((tmp_path / "items.json").read_text())
    assert (item["name"], item["cname_prefix"], item["tags"]) == ("of-the-command", "of-the-inventory", None)
