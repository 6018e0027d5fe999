# SPDX-License-Identifier: GPL-3.0-or-later
"""Hooks of the legacy platform, and markers that an aborted deployment has left, on real instances."""

from __future__ import annotations

from pathlib import Path

import pytest

from .conftest import Project
from .small import LEGACY, Small, options, report

pytestmark = [pytest.mark.containers, pytest.mark.slow]

MIGRATE = {"name": "migrate", "command": "echo migrating", "leader_only": True}
EVERYWHERE = {"name": "note", "command": "echo here", "where": "host"}


def leaders(small: Small, label: str) -> list[str]:
    """The instances whose own log says that migrate ran for this version."""
    pattern = f'"hook": "migrate".*"ran": true.*"rc": 0.*"version_label": "{label}"'
    return [
        each
        for each in small.instances()
        if small.shell(each, f"grep -c '{pattern}' /var/log/tiny-hooks.log; true") != "0\n"
    ]


def changed(small: Small, text: str) -> None:
    (small.folder / "text").write_text(text)


LEGACY_HOOKS = "/opt/elasticbeanstalk/hooks/appdeploy/post"


def test_legacy_platform(project: Project, tmp_path: Path) -> None:
    small = Small.make(
        project,
        tmp_path,
        "legacy",
        eb_platform=LEGACY,
        eb_hooks=[{**MIGRATE, "command": "echo $GREETING"}, EVERYWHERE],
        eb_properties={"GREETING": "from-a-property"},
    )
    # A bundle of the old ritual, as people have it: all of docker ps -q, and a hook that nobody ever removes.
    ritual = (
        "files:\n"
        f"  {LEGACY_HOOKS}/50_ritual.sh:\n"
        "    mode: '000755'\n"
        "    content: |\n"
        "      #!/bin/bash\n"
        "      sudo docker exec `sudo docker ps -q` perl -e 'print \"ritual $ENV{GREETING}\\n\"' >> /tmp/ritual\n"
    )
    (small.folder / ".ebextensions").mkdir()
    (small.folder / ".ebextensions" / "50_ritual.config").write_text(ritual)
    first = small.deploy()
    assert first.rc == 0, first.output
    (instance,) = small.instances()
    assert small.page() == "hello from-a-property"
    assert small.shell(instance, "cat /tmp/ritual") == "ritual from-a-property\n"
    assert report(first)["Once"] == ["migrate ran on one instance, by its marker, without a ledger"]
    assert small.shell(instance, f"ls {LEGACY_HOOKS}").split() == ["50_ritual.sh"]

    # Somebody else's files, a stale marker of another bundle, and our own leftovers of an aborted deployment.
    small.shell(
        instance,
        f"cd {LEGACY_HOOKS}; printf '#!/bin/sh\\n' | tee theirs.sh tinyother.sh tiny_10_old.sh.bak >/dev/null;"
        " chmod +x *; mkdir -p /var/lib/tiny_hooks/markers; echo 0000 > /var/lib/tiny_hooks/markers/migrate",
    )
    changed(small, "second")
    second = small.deploy()
    assert second.rc == 0, second.output
    # EB keeps its copy of what files: overwrote: that one is the ritual's, not ours.
    left = ["50_ritual.sh", "50_ritual.sh.bak", "theirs.sh", "tinyother.sh"]
    assert small.shell(instance, f"ls {LEGACY_HOOKS}").split() == left
    log = small.shell(instance, "cat /var/log/tiny-hooks.log; ls /var/lib/tiny_hooks/markers")
    assert log.count('"hook": "migrate"') == 2
    assert log.count('"hook": "note"') == 2

    # clean_hooks.yml lists what an aborted deployment has left, and removes it only when that is confirmed.
    small.shell(instance, f"cd {LEGACY_HOOKS}; cp theirs.sh tiny_10_old.sh; touch /var/lib/tiny_hooks/markers/migrate")
    clean = ("clean_hooks.yml", "-i", str(small.inventory))
    listed = project.play(*clean)
    assert (listed.rc, listed.count("changed")) == (0, 0), listed.output
    for line in (
        f"left over: {LEGACY_HOOKS}/tiny_10_old.sh",
        "left over: /var/lib/tiny_hooks/markers/migrate",
        "needed by the version that runs: /var/log/tiny-hooks.log",
        f"somebody else's, left alone: {LEGACY_HOOKS}/theirs.sh",
        "Nothing was removed",
    ):
        assert line.replace("'", "''") in listed.output or line in listed.output, listed.output
    assert small.shell(instance, f"ls {LEGACY_HOOKS}").split() == sorted([*left, "tiny_10_old.sh"])
    removed = project.play(*clean, "-e", "clean_hooks_remove=true")
    assert (removed.rc, removed.count("changed")) == (0, 1), removed.output
    assert small.shell(instance, f"ls {LEGACY_HOOKS}; ls /var/lib/tiny_hooks/markers").split() == left
    again = project.play(*clean, "-e", "clean_hooks_remove=true")
    assert (again.rc, again.count("changed")) == (0, 0), again.output
    small.terminate()


def test_a_stale_marker_is_never_obeyed(project: Project, tmp_path: Path) -> None:
    """An instance that is not the leader has a marker of another bundle, as an aborted deployment leaves it."""
    spoil = {
        "name": "spoil",
        "order": 1,
        "where": "host",
        "phase": "predeploy",
        # After the leader was marked: everybody else gets a stale one, and EB's word is taken away.
        "command": "m=/var/lib/tiny_hooks/markers; [ -e $m/migrate ] || { mkdir -p $m; echo 0000 > $m/migrate; }",
    }
    small = Small.make(project, tmp_path, "stale", eb_hooks=[spoil, MIGRATE], eb_options=options(2))
    run = small.deploy()
    assert run.rc == 0, run.output
    assert len(leaders(small, small.environment()["VersionLabel"])) == 1
    logs = "".join(small.shell(each, "cat /var/log/tiny-hooks.log") for each in small.instances())
    assert logs.count("stale marker of another bundle removed") == 1
    for each in small.instances():
        assert small.shell(each, "ls /var/lib/tiny_hooks/markers") == ""
    small.terminate()
