# SPDX-License-Identifier: GPL-3.0-or-later
"""What a terminal shows of whole runs: the records in docs/guides/terminals; RECORD_TERMINALS=1 writes these anew."""

from __future__ import annotations

import itertools
import os
import re
from collections import Counter
from pathlib import Path

RECORDS = Path(__file__).resolve().parents[1] / "docs/guides/terminals"
PROGRESS = re.compile(r"\[([\w-]+)\] \d\d:\d\d:\d\d (?:\S+ instances )?(.*)")
FAILED = [r"Next: ", r"msg: ", r"failed=1"]
# What a terminal has at most, and what it has in this order; of a failure, the last of it is in the last ten lines.
EXPECTED: dict[str, tuple[int, list[str]]] = {
    "first_deployment": (
        60,
        [r"PLAY \[Deploy", r"VERSION providing", r"CREATE creating", r"DONE +Ready", r"^URL: ", r"PLAY RECAP"],
    ),
    "no_change": (25, [r"PLAY \[Deploy", r"^Health: +Green", r"^URL: ", r"changed=0"]),
    "failing_deployment": (40, [r"UPDATE bringing", r"ERROR Failed to deploy", *FAILED]),
    "failing_build": (
        70,
        [r"UPDATE bringing", r"ERROR .*failed to build", r"Cause \(Docker .*\):", r"no-such-file", *FAILED],
    ),
    "failing_fleet": (
        140,
        [
            r"UPDATE bringing",
            r"web-2 +FAILED ",
            r"web-4 +FAILED ",
            r"4 others: 4 changed",
            r"web-4 .*failed=1",
        ],
    ),
    "stuck_deployment": (
        50,
        [
            r"UPDATE bringing",
            r"WAIT +Waiting for 3\d seconds now: .* until .* at the latest",
            r"DONE +Ready",
            r"failed=0",
        ],
    ),
    "cycle": (90, [r"CREATE", r"SWAP", r"CHECK_CNAME", r"TERMINATE", r"result: done", r"failed=0"]),
    "failing_cycle": (
        70,
        [
            r"CREATE",
            r"TERMINATE_CANDIDATE",
            r"result: failed_rolled_back",
            r"why: ",
            r"next: Mend",
            *FAILED[1:],
        ],
    ),
    "rollback": (90, [r"CREATE", r"SWAP", r"result: done", r"failed=0"]),
}
_NORMAL = (
    (
        re.compile(r"/\S+/jack\.beanstalk/failures/\S+\.txt"),
        "~/.local/state/jack.beanstalk/failures/20261201T020000Z-x1.txt",
    ),
    (re.compile(r"(?<=Origin: |cluded: )\S+/(roles|playbooks)/"), r"\1/"),
    (re.compile(r"\b[\w.-]+@[\w.-]+ \d{8}T\d{6}Z-\d+"), "ada@laptop 20261201T020000Z-1"),
    (re.compile(r"\S+\(\d+\) \S+@\S+"), "ada@laptop"),
)


def lines(text: str) -> list[str]:
    """Those with something on them."""
    return [line for line in text.splitlines() if line.strip()]


def recorded(name: str) -> str:
    """A terminal of the guide."""
    return (RECORDS / f"{name}.txt").read_text("utf-8")


def seen(name: str, playbook: str, text: str) -> str:
    """Check what a terminal showed, and keep it where that is asked for. Paths and persons are replaced."""
    for pattern, normal in _NORMAL:
        text = pattern.sub(normal, text)
    if os.environ.get("RECORD_TERMINALS"):
        kept = "\n".join(line.rstrip() for line in text.strip("\n").splitlines())
        (RECORDS / f"{name}.txt").write_text(f"$ ansible-playbook {playbook}.yml\n\n{kept}\n")
    check(name, text)
    return text


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
    if order[-1] == "failed=1":
        assert any(re.search(r"msg: ", line) for line in shown[-10:]), text
