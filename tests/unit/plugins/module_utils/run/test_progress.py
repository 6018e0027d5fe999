# SPDX-License-Identifier: GPL-3.0-or-later
"""What one item tells while it goes on: nothing twice, and what is waited for when nothing else is heard."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import ItemProgress, ProgressFile


@pytest.fixture
def told(tmp_path: Path) -> Path:
    path = tmp_path / "progress"
    path.touch()
    return path


def lines(path: Path) -> list[str]:
    read = [json.loads(line) for line in path.read_text().splitlines()]
    return [f"{line['severity']} {line['message']}" for line in read]


def test_a_sentence_twice_in_a_row_is_told_once(told: Path) -> None:
    progress = ItemProgress(ProgressFile(str(told)), "shop")
    for text in ("one", "one", "two", "one"):
        progress.tell("INFO", text)
    assert lines(told) == ["INFO one", "INFO two", "INFO one"]


def test_what_is_waited_for_is_told_with_the_seconds(told: Path) -> None:
    progress = ItemProgress(ProgressFile(str(told)), "shop")
    progress.tell("CREATE", "a fresh environment")
    progress.heartbeat("shop to become Ready", 2.2)
    progress.heartbeat("shop to become Ready", 32.2)
    assert lines(told)[1:] == [
        "WAIT Waiting for 2 seconds now: shop to become Ready",
        "WAIT Waiting for 32 seconds now: shop to become Ready",
    ]


def test_what_was_just_told_is_no_news_with_other_figures(told: Path) -> None:
    progress = ItemProgress(ProgressFile(str(told)), "shop")
    progress.tell("WAIT", "a swap was requested and may still take effect for 40 seconds")
    progress.heartbeat("a swap was requested and may still take effect for 38 seconds", 2)
    progress.heartbeat("a swap was requested and may still take effect for 8 seconds", 32)
    assert lines(told) == [
        "WAIT a swap was requested and may still take effect for 40 seconds",
        "WAIT Waiting for 32 seconds now: a swap was requested and may still take effect for 8 seconds",
    ]
