# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers that break off at random bytes of every kind of answer: a run goes on, or ends with a sentence."""

from __future__ import annotations

import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from chaos.cutting import CuttingProxy
from chaos.local import add_version, deploy
from chaos.modules import Ran, connection, run_module
from chaos.promises import broken_promises, left_behind

APPLICATION = "cuts"
LOCK = {"application": APPLICATION, "cname_prefix": f"{APPLICATION}-live"}
RUNS = {"deployment": 60, "lock": 80, "reading": 40, "logs": 60, "version": 60}


@pytest.fixture(scope="module")
def proxy(aws: dict[str, str]) -> Iterator[CuttingProxy]:
    deploy(aws, APPLICATION)
    add_version(aws, APPLICATION, "v2")
    made = CuttingProxy(aws["AWS_ENDPOINT_URL"])
    yield made
    made.close()


class Kinds:
    """What is done while answers are cut; each gets the number of the run."""

    def __init__(self, place: dict[str, str], folder: Path) -> None:
        self.place, self.folder, self.wanted = place, folder, "v2"

    def deployment(self, number: int) -> list[Ran]:
        self.wanted = f"v{number % 2 + 1}"
        limits = {"wait_timeout": 60, "poll_interval": 0.1, "lock": {"wait_timeout": 60}}
        return [run_module("environment", self.place, **LOCK, version_label=self.wanted, **limits)]

    def lock(self, number: int) -> list[Ran]:
        owner = {"owner": f"run-{number}"}
        taken = run_module("lock", self.place, **LOCK, **owner, reason="chaos", wait_timeout=20, poll_interval=0.1)
        told = run_module("lock_info", self.place, **LOCK)
        freed = run_module("lock", self.place, **LOCK, state="absent", force=True)
        return [taken, told, freed]

    def reading(self, _number: int) -> list[Ran]:
        named = {"application": APPLICATION}
        infos = ("application_info", "environment_info", "environment_events_info", "instance_info", "leader_info")
        return [run_module(name, self.place, **(named if name != "application_info" else {})) for name in infos]

    def logs(self, _number: int) -> list[Ran]:
        return [run_module("environment_logs", self.place, **LOCK, poll_interval=0.1)]

    def version(self, number: int) -> list[Ran]:
        src = self.folder / "bundle.zip"
        with zipfile.ZipFile(src, "w") as archive:
            archive.writestr("Dockerfile", f"FROM scratch\nLABEL run={number}\n")
        label = {"application": APPLICATION, "version_label": f"made-{number}"}
        return [run_module("application_version", self.place, **label, src=str(src), poll_interval=0.1)]


@pytest.mark.parametrize("kind", RUNS)
def test_promises_hold_when_answers_break_off(
    aws: dict[str, str], proxy: CuttingProxy, tmp_path: Path, kind: str, figures: Callable[[str], None]
) -> None:
    kinds = Kinds(connection(aws, proxy.url), tmp_path)
    run = getattr(kinds, kind)
    lengths = []
    for number in (2, 1):
        proxy.cut_after(None)
        assert all(one.succeeded for one in run(number))
        lengths.append(proxy.passed)
    failed = cuts = 0
    chance = random.Random(f"cuts of {kind}")  # noqa: S311 -- the same cuts every time
    for number in range(2, RUNS[kind] + 2):
        at, reset = chance.randrange(max(lengths)), chance.random() < 0.5
        proxy.cut_after(at, reset=reset)
        ran = run(number)
        cuts += proxy.was_cut
        proxy.cut_after(None)
        failed += any(not one.succeeded for one in ran)
        if kind == "deployment" and not ran[0].succeeded:
            # Elastic Beanstalk goes on by itself; the next run ends at the same end.
            ran = [*ran, *run(number)]
            assert ran[-1].succeeded, ran[-1].output
        if kind == "lock" and not ran[-1].succeeded:
            assert run_module("lock", connection(aws), **LOCK, state="absent", force=True).succeeded
        left = left_behind(aws, APPLICATION, kinds.wanted)
        if kind != "deployment":
            left = replace(left, wanted=left.labels[0])
        for one in ran:
            problems = broken_promises(one.ended(limit=100), left)
            assert problems == [], f"cut {number} after {at} bytes ({reset=}): {problems}\n{one.output}"
    assert cuts > RUNS[kind] / 2
    figures(f"{RUNS[kind]} runs of {kind}, {cuts} of {max(lengths)} bytes cut, {failed} ended with a sentence")
