# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's bookkeeping on made-up numbers; the measurements themselves are ``make bench``."""

from __future__ import annotations

import importlib
import json
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "tests"))
    return importlib.import_module("bench.figures")


def made_up(figures: ModuleType) -> list[Any]:
    return [
        figures.figure("machine_cores", [2], "cores"),
        figures.figure("machine_memory_gib", [23.5], "GiB"),
        figures.figure("localstalk_environments", [1000], "environments"),
        figures.figure("fast_s", [1.0, 3.0, 2.0], "s", 2.5, ("slow tool", [10.0, 12.0, 11.0])),
        figures.figure("late_s", [3.0, 3.5, 4.0], "s", peer=("quick tool", [1.0, 2.0]), beat_peer=True),
    ]


def test_a_figure_is_the_median_with_its_spread(figures: ModuleType) -> None:
    fast, late = made_up(figures)[3:]
    assert (fast.value, fast.spread, fast.runs, fast.peer_value, fast.verdict) == (2.0, 2.0, 3, 11.0, "ok")
    assert (late.value, late.budget, late.peer_value, late.verdict) == (3.5, 1.5, 1.5, "over")


def test_the_file_has_just_the_agreed_keys(figures: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    figures.write(made_up(figures), path)
    content = json.loads(path.read_text())
    assert {tuple(item) for item in content} == {
        ("name", "value", "unit", "budget", "peer", "peer_value", "runs", "spread")
    }
    assert figures.read(path) == made_up(figures)
    assert [item.name for item in path.parent.iterdir()] == ["bench.json"]


def test_the_page_shows_every_figure_and_the_machine(
    figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures.write(made_up(figures), tmp_path / "bench.json")
    monkeypatch.setattr(sys, "path", list(sys.path))
    script = runpy.run_path(str(ROOT / "scripts" / "performance.py"))
    assert script["main"]([str(tmp_path / "bench.json"), str(tmp_path / "page.md")]) == 0
    text = (tmp_path / "page.md").read_text()
    assert "2 cores and 24 GiB" in text
    assert "| fast_s | 2 s | 2 | 3 | ≤ 2.5 | ok | slow tool | 11 s |" in text
    assert "| late_s | 3.5 s |" in text
    assert "| over | quick tool |" in text
    plots = (tmp_path / "bench.html").read_text()
    assert plots.count("<svg") == 5
    # The peer's bar is the longer one, and its length tells by how much.
    widths = [float(found) for found in re.findall(r'<rect [^>]*width="([0-9.]+)"', plots.split("fast_s")[1])][:2]
    assert widths[1] / widths[0] == pytest.approx(11 / 2, rel=0.01)


def test_the_graph_of_calls_is_there_when_they_were_counted(
    figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = importlib.import_module("bench.__main__")
    ours, theirs = figures.Series("ours", [10.0, 0.0, 0.0, 0.0, 0.0, 5.0]), figures.Series("eb & co", [40.0] * 12)
    topics = {"fleet": lambda *_args: [ours, theirs, *made_up(figures)], "fake": lambda *_args: made_up(figures)[3:]}
    monkeypatch.setattr(runner, "TOPICS", topics)
    output = tmp_path / "bench.json"
    assert runner.main(["--output", str(output), "fleet"]) == 1
    # Another part leaves the series as they were.
    assert runner.main(["--output", str(output), "fake"]) == 1
    assert figures.read_series(tmp_path / "bench-calls-fleet.json") == [ours, theirs]

    monkeypatch.setattr(sys, "path", list(sys.path))
    script = runpy.run_path(str(ROOT / "scripts" / "performance.py"))
    assert script["main"]([str(output), str(tmp_path / "page.md")]) == 0
    assert "](page-fleet.svg)" in (tmp_path / "page.md").read_text()
    drawn = ElementTree.parse(tmp_path / "page-fleet.svg").getroot()  # noqa: S314  written above
    lines = drawn.findall("{http://www.w3.org/2000/svg}polyline")
    assert [len(line.attrib["points"].split()) for line in lines] == [6, 12]
    # Time goes to the right, more calls are higher up, and the mean of five seconds is drawn.
    heights = [float(point.partition(",")[2]) for point in lines[0].attrib["points"].split()]
    assert heights[0] == pytest.approx(220 - 206 * 2 / 40, abs=0.1)
    assert "eb &amp; co: 480 calls" in (tmp_path / "bench.html").read_text()

    (tmp_path / "bench-calls-fleet.json").unlink()
    assert script["main"]([str(output), str(tmp_path / "page.md")]) == 0
    assert "page-fleet.svg" not in (tmp_path / "page.md").read_text()


def test_the_runner_writes_and_tells_a_budget_that_is_not_kept(
    figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runner = importlib.import_module("bench.__main__")
    seen = []

    def measure(folder: Path, quick: bool) -> list[Any]:
        seen.append((folder.is_dir(), quick))
        return made_up(figures)[3:]

    monkeypatch.setattr(runner, "TOPICS", {"fake": measure})
    output = tmp_path / "bench.json"
    assert runner.main(["--quick", "--output", str(output), "fake"]) == 1
    assert seen == [(True, True)]
    assert "late_s" in capsys.readouterr().out
    names = [item.name for item in figures.read(output)]
    assert names == ["machine_cores", "machine_memory_gib", "fast_s", "late_s"]


def test_parts_are_measured_apart_and_some_figures_have_to_be_large(
    figures: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = importlib.import_module("bench.__main__")
    finished = figures.figure("throttle_finished_ratio", [0.9], "", 1.0)
    assert finished.verdict == "under"
    assert figures.figure("throttle_finished_ratio", [1.0], "", 1.0).verdict == "ok"
    monkeypatch.setattr(
        runner, "TOPICS", {"one": lambda *_args: made_up(figures)[3:], "two": lambda *_args: [finished]}
    )
    output = tmp_path / "bench.json"
    runner.main(["--output", str(output), "one"])
    assert runner.main(["--output", str(output), "two"]) == 1
    names = [item.name for item in figures.read(output)]
    assert names == ["machine_cores", "machine_memory_gib", "fast_s", "late_s", "throttle_finished_ratio"]


def test_calls_that_write_are_told_from_calls_that_read(figures: ModuleType) -> None:
    localstalk = importlib.import_module("bench.daemon")
    calls = ["s3:PUT", "s3:GET", "elasticbeanstalk:UpdateEnvironment", "elasticbeanstalk:DescribeEvents"]
    assert [localstalk.is_write(call) for call in calls] == [True, False, True, False]
