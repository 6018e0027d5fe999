# SPDX-License-Identifier: GPL-3.0-or-later
"""What a task of the hook list can ask for, on a real instance, and cleaning up."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import Project, Run
from .small import Small

pytestmark = [pytest.mark.containers, pytest.mark.slow]

NASTY = """it's "blue" $HOME `id`"""
TASKS: list[dict[str, Any]] = [
    {"name": "fresh", "phase": "predeploy", "command": 'test -e /server.pl && echo "fresh $GREETING"'},
    {
        "name": "inside",
        "command": 'echo "inside $(id -un) $PWD $COLOUR $HOOK_NAME"',
        "user": "nobody",
        "workdir": "/usr",
        "environment": {"COLOUR": NASTY},
    },
    {
        "name": "outside",
        "where": "host",
        "command": 'echo "outside $(id -un) $PWD $COLOUR"',
        "user": "webapp",
        "workdir": "/var/tmp",
        "environment": {"COLOUR": NASTY},
    },
    {"name": "slow", "command": "sleep 47", "timeout": 1, "on_failure": "warn"},
    {"name": "broken", "where": "host", "command": "exit 7", "on_failure": "warn"},
    {"name": "always", "where": "host", "on_config_deploy": True, "command": 'echo "always $GREETING"'},
    {"name": "first", "leader_only": True, "command": "echo first"},
]
EARLY = {"name": "early", "phase": "prebuild", "where": "host", "command": 'echo "early $PWD $GREETING"'}
ENDED = [("fresh", 0), ("inside", 0), ("outside", 0), ("slow", 124), ("broken", 7), ("always", 0), ("first", 0)]
CLEAN = "clean_hooks.yml"


def records(small: Small, instance: str) -> list[dict[str, Any]]:
    """The hooks' own log."""
    return [json.loads(line) for line in small.shell(instance, "cat /var/log/tiny-hooks.log").splitlines()]


def change(small: Small, text: str) -> None:
    (small.folder / "text").write_text(text)


def good(run: Run) -> Run:
    assert run.rc == 0, run.output
    return run


def assert_tasks(small: Small, instance: str, log: str) -> None:
    """After one deployment with TASKS."""
    done = records(small, instance)
    assert [(each["hook"], each["rc"]) for each in done if each["hook"] != "early"] == ENDED
    assert all(each["ran"] and not each["config_deploy"] for each in done)
    written = small.shell(instance, f"cat {log}")
    for line in (
        "fresh moon",
        f"inside nobody /usr {NASTY} inside",
        f"outside webapp /var/tmp {NASTY}",
        "always moon",
        "Hook slow failed with exit code 124",
        "Hook broken failed with exit code 7",
    ):
        assert line in written, line
    assert "ended after 1 s" in next(each["reason"] for each in done if each["hook"] == "slow")
    # Ended in the container as well, not only its client.
    assert small.shell(instance, "pgrep -f 'sleep 4[7]'; true") == ""


def assert_config_deployment(small: Small, instance: str, log: str) -> None:
    """Another environment property: only what was asked for runs again, and there is no leader."""
    before = len(records(small, instance))
    small.variables["eb_properties"] = {"GREETING": "sun"}
    good(small.deploy())
    assert small.page() == "hello sun"
    more = records(small, instance)[before:]
    assert [(each["hook"], each["config_deploy"], bool(each["leader"]), each["rc"]) for each in more] == [
        ("always", True, False, 0)
    ]
    assert "always sun" in small.shell(instance, f"cat {log}")


def test_amazon_linux_2023(project: Project, tmp_path: Path) -> None:
    small = Small.make(project, tmp_path, "tasks", eb_hooks=[EARLY, *TASKS], eb_properties={"GREETING": "moon"})
    good(small.deploy())
    (instance,) = small.instances()
    log = "/var/log/eb-hooks.log"
    assert_tasks(small, instance, log)
    assert "early /var/app/staging moon" in small.shell(instance, f"cat {log}")
    assert_config_deployment(small, instance, log)

    small.variables["eb_hooks"] = [{"name": "broken", "where": "host", "command": "echo no >&2; exit 7"}]
    change(small, "second")
    failed = small.deploy()
    assert failed.rc == 2
    assert "Hook broken failed with exit code 7" in failed.output

    # What an owner who has gone left on a modern instance, and a marker of an aborted deployment.
    left = [
        "/opt/elasticbeanstalk/tasks/taillogs.d/gone_hooks.conf",
        "/var/lib/gone_hooks",
        "/var/lib/gone_hooks/markers/migrate",
        "/var/log/gone-hooks.log",
    ]
    small.shell(
        instance,
        "mkdir -p /var/lib/gone_hooks/markers;"
        " for owner in gone tiny; do echo 0 >/var/lib/${owner}_hooks/markers/migrate; done;"
        " touch /opt/elasticbeanstalk/tasks/taillogs.d/gone_hooks.conf /var/log/gone-hooks.log",
    )
    clean = (CLEAN, "-i", str(small.inventory))
    listed = good(project.play(*clean)).output
    assert "left over: /var/lib/tiny_hooks/markers/migrate" in listed
    assert "needed by the version that runs: /var/log/tiny-hooks.log" in listed
    small.variables["eb_hooks_prefix"] = "gone"
    clean = (CLEAN, "-i", str(small.inventory))
    removed = good(project.play(*clean, "-e", "clean_hooks_remove=true"))
    assert removed.count("changed") == 1
    for path in left:
        assert f"removed: {path}" in removed.output, removed.output
    exists = " ".join([*left, "/var/lib/tiny_hooks/markers/migrate", "/var/log/tiny-hooks.log"])
    assert small.shell(instance, f"ls -d {exists} 2>/dev/null; true").split() == [
        "/var/lib/tiny_hooks/markers/migrate",
        "/var/log/tiny-hooks.log",
    ]
    small.terminate()
