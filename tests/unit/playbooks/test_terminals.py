# SPDX-License-Identifier: GPL-3.0-or-later
"""What a terminal shows of whole runs, as docs/guides/terminals has them; RECORD_TERMINALS=1 writes these anew."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from localstalk.testing import Localstalk

from .shop import QUICK

Play = Callable[..., subprocess.CompletedProcess[str]]
RECORDS = Path(__file__).resolve().parents[3] / "docs/guides/terminals"
QUICKLY = {key: value for key, value in QUICK.items() if key != "lock"}
PROGRESS = re.compile(r"\[([\w-]+)\] \d\d:\d\d:\d\d (?:\S+ instances )?(.*)")
# What a terminal has at most, and what it has in this order; of a failure, the last of it is in the last ten lines.
EXPECTED: dict[str, tuple[int, list[str]]] = {
    "first_deployment": (
        60,
        [r"PLAY \[Deploy", r"VERSION providing", r"CREATE creating", r"DONE +Ready", r"^URL: ", r"PLAY RECAP"],
    ),
    "no_change": (25, [r"PLAY \[Deploy", r"^Health: +Green", r"^URL: ", r"changed=0"]),
    "failing_deployment": (
        65,
        [r"UPDATE bringing", r"ERROR Failed to deploy", r"^\[shop\] ", r"Next: Mend", r"msg: ", r"failed=1"],
    ),
    "cycle": (90, [r"CREATE", r"SWAP", r"CHECK_CNAME", r"TERMINATE", r"result: done", r"failed=0"]),
    "rollback": (90, [r"CREATE", r"SWAP", r"result: done", r"failed=0"]),
}
_NORMAL = (
    (
        re.compile(r"/\S+/jack\.beanstalk/failures/\S+\.txt"),
        "~/.local/state/jack.beanstalk/failures/20261201T020000Z-x1.txt",
    ),
    (re.compile(r"(?<=Origin: )\S+/roles/"), "roles/"),
    (re.compile(r"\b[\w.-]+@[\w.-]+ \d{8}T\d{6}Z-\d+"), "ada@laptop 20261201T020000Z-1"),
    (re.compile(r"\S+\(\d+\) \S+@\S+"), "ada@laptop"),
)


def lines(text: str) -> list[str]:
    """Those with something on them."""
    return [line for line in text.splitlines() if line.strip()]


def check(name: str, text: str) -> None:
    """That a terminal is as it should be."""
    shown, (most, order) = lines(text), EXPECTED[name]
    assert len(shown) <= most, f"{name} has {len(shown)} lines\n{text}"
    told = Counter(found.groups() for line in shown if (found := PROGRESS.match(line)))
    assert [line for (_host, line), count in told.items() if count > 1] == [], text
    assert all(one != other for one, other in itertools.pairwise(shown) if "NO MORE HOSTS" not in one), text
    at = 0
    for pattern in order:
        found = next((number for number in range(at, len(shown)) if re.search(pattern, shown[number])), None)
        assert found is not None, f"{name}: {pattern} is missing, or not where it should be\n{text}"
        at = found
    if "failed=1" in order[-1]:
        assert any(re.search(rf"msg: |{order[-2]}", line) for line in shown[-10:]), text


@pytest.fixture
def record(play_shop: Play) -> Callable[..., str]:
    """Run a playbook, check what the terminal shows, and keep it where that is asked for."""

    def call(name: str, playbook: str, hosts: list[str], **more: object) -> str:
        done = play_shop(playbook, hosts, **more)
        text = done.stdout
        for pattern, normal in _NORMAL:
            text = pattern.sub(normal, text)
        if os.environ.get("RECORD_TERMINALS"):
            kept = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
            (RECORDS / f"{name}.txt").write_text(f"$ ansible-playbook {playbook}.yml\n\n{kept}\n")
        check(name, text)
        return text

    return call


@pytest.mark.parametrize("name", EXPECTED)
def test_a_record_is_as_a_terminal_should_be(name: str) -> None:
    check(name, (RECORDS / f"{name}.txt").read_text())


@pytest.mark.slow
def test_deployments(record: Callable[..., str], shared_localstalk: Localstalk) -> None:
    record("first_deployment", "deploy", ["shop"])
    record("no_change", "deploy", ["shop"])
    shared_localstalk.fault("command", environment="shop")
    record("failing_deployment", "deploy", ["shop"], text="two")


@pytest.mark.slow
def test_cycles(record: Callable[..., str], play_shop: Play) -> None:
    assert play_shop("deploy", ["night"]).returncode == 0
    assert play_shop("deploy", ["night"], text="two").returncode == 0
    record("cycle", "recreate_and_swap", ["night"], eb_recreate=QUICKLY)
    record("rollback", "rollback", ["night"], eb_recreate=QUICKLY)
