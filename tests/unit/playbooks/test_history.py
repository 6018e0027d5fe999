# SPDX-License-Identifier: GPL-3.0-or-later
"""What was live when, by whom, and the way back: after deployments in place, after a cycle, after a rollback."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from localstalk.testing import Localstalk

Play = Callable[..., "subprocess.CompletedProcess[str]"]
QUICK = {
    "min_age": 0,
    "poll_interval": 0.3,
    "bake_time": 0.2,
    "request_settle_time": 6,
    "max_decision_age": 5,
    "dns_ttl": 0.2,
    "dns_margin": 0.2,
    "drain_timeout": 0.5,
    "drain_requests_per_minute": 1000,
}


def live(localstalk: Localstalk, name: str) -> dict[str, str]:
    """The environment that holds a CNAME prefix."""
    found = localstalk.client("elasticbeanstalk").describe_environments(IncludeDeleted=False)["Environments"]
    (one,) = [each for each in found if each.get("CNAME", "").split(".")[0] == name and each["Status"] == "Ready"]
    return one


def deploy(play_shop: Play, name: str, text: str, owner: str) -> None:
    done = play_shop("deploy", [name], text=text, eb_lock={"owner": owner})
    assert done.returncode == 0, done.stdout + done.stderr


def history(play_shop: Play, name: str) -> list[str]:
    """The lines of history.yml, newest first."""
    shown = play_shop("history", [name])
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "changed=0" in shown.stdout
    return [line.strip() for line in shown.stdout.splitlines() if re.match(r" *\d{4}-\d\d-\d\d ", line)]


@pytest.mark.slow
def test_the_way_back_after_deployments_a_rollback_and_a_cycle(play_shop: Play, shared_localstalk: Localstalk) -> None:
    labels = {}
    for text, owner in (("one", "ada@laptop"), ("two", "grace@build-3"), ("three", "linus@desk")):
        deploy(play_shop, "past", text, owner)
        labels[text] = live(shared_localstalk, "past")["VersionLabel"]
    lines = history(play_shop, "past")
    place = live(shared_localstalk, "past")["EnvironmentId"]
    assert [line.partition("  ")[2] for line in lines] == [
        f"update     {labels['three']} on {place} by linus@desk, before: {labels['two']}",
        f"update     {labels['two']} on {place} by grace@build-3, before: {labels['one']}",
        f"update     {labels['one']} on {place} by ada@laptop",
    ]

    predicted = play_shop("rollback", ["past"], "--check", eb_recreate=QUICK)
    assert predicted.returncode == 0, predicted.stdout + predicted.stderr
    assert f"running {labels['two']}" in " ".join(predicted.stdout.split())
    assert live(shared_localstalk, "past")["VersionLabel"] == labels["three"]

    back = play_shop("rollback", ["past"], eb_recreate=QUICK)
    assert back.returncode == 0, back.stdout + back.stderr
    assert live(shared_localstalk, "past")["VersionLabel"] == labels["two"]
    further = play_shop("rollback", ["past"], eb_recreate=QUICK)
    assert further.returncode == 0, further.stdout + further.stderr
    assert live(shared_localstalk, "past")["VersionLabel"] == labels["one"]
    assert [line.split()[3] for line in history(play_shop, "past")] == ["rollback", "rollback", *["update"] * 3]

    # A cycle keeps the environment that was live; what is deployed after it is gone back from first.
    kept = {**QUICK, "retain_old_for": 3600}
    cycled = play_shop("recreate_and_swap", ["past"], eb_recreate=kept)
    assert cycled.returncode == 0, cycled.stdout + cycled.stderr
    retired, fresh = place, live(shared_localstalk, "past")["EnvironmentId"]
    assert fresh != retired
    deploy(play_shop, "past", "four", "ada@laptop")
    deploy(play_shop, "past", "five", "ada@laptop")
    four = history(play_shop, "past")[1].split()[4]
    again = play_shop("rollback", ["past"], eb_recreate=QUICK)
    assert again.returncode == 0, again.stdout + again.stderr
    assert live(shared_localstalk, "past")["VersionLabel"] == four


@pytest.mark.slow
def test_any_version_can_be_gone_back_to_by_name(play_shop: Play, shared_localstalk: Localstalk) -> None:
    """``rollback.yml -e eb_version_label=…`` in check mode, for one that does not exist, and for one that does."""
    labels = []
    for text in ("one", "two", "three"):
        deploy(play_shop, "chosen", text, "ada@laptop")
        labels.append(live(shared_localstalk, "chosen")["VersionLabel"])
    first = ("-e", f"eb_version_label={labels[0]}")
    predicted = play_shop("rollback", ["chosen"], "--check", *first, eb_recreate=QUICK)
    assert f"running {labels[0]}" in " ".join(predicted.stdout.split()), predicted.stdout + predicted.stderr
    unknown = play_shop("rollback", ["chosen"], "-e", "eb_version_label=chosen-none", eb_recreate=QUICK)
    assert unknown.returncode == 2, unknown.stdout
    said = " ".join(unknown.stdout.split())
    assert "The application chosen has no version chosen-none (any more). It has: " in said
    assert all(label in said for label in labels)
    assert live(shared_localstalk, "chosen")["VersionLabel"] == labels[2]
    back = play_shop("rollback", ["chosen"], *first, eb_recreate=QUICK)
    assert back.returncode == 0, back.stdout + back.stderr
    assert live(shared_localstalk, "chosen")["VersionLabel"] == labels[0]


def test_what_changes_nothing_is_no_history(play_shop: Play) -> None:
    deploy(play_shop, "calm", "one", "ada@laptop")
    deploy(play_shop, "calm", "one", "grace@build-3")
    done = play_shop("deploy", ["calm"], eb_tags={"team": "shop"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "changed=1" in done.stdout or "changed=2" in done.stdout
    assert len(history(play_shop, "calm")) == 1


def test_of_two_controllers_at_once_neither_is_lost(play_shop: Play) -> None:
    names = ["both-one", "both-two"]
    first = play_shop("deploy", names)
    assert first.returncode == 0, first.stdout + first.stderr

    def one(name: str) -> subprocess.CompletedProcess[str]:
        owner = json.dumps({"eb_lock": {"owner": f"{name}@controller"}})
        return play_shop("deploy", names, "--limit", name, "-e", owner, text="two")

    with ThreadPoolExecutor(2) as pool:
        for done in pool.map(one, names):
            assert done.returncode == 0, done.stdout + done.stderr
    for name in names:
        shown = play_shop("history", names, "--limit", name)
        assert shown.stdout.count("  update  ") == 2, shown.stdout
        assert f"by {name}@controller, before: " in shown.stdout
