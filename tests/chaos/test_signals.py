# SPDX-License-Identifier: GPL-3.0-or-later
"""A deployment that gets a signal at a random moment: what it left lets the next run end at the same end."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import process
from chaos.local import add_version, deploy
from chaos.modules import connection, run_module
from chaos.promises import Ended, broken_promises, left_behind

APPLICATION = "signals"
RUNS = 100
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def child(wanted: dict[str, object], place: dict[str, str]) -> int:
    """The module in a process of its own, which holds the lease itself, as an Ansible run does."""
    pid = os.fork()
    if pid:
        return pid
    try:
        for number in SIGNALS[1:]:
            signal.signal(number, signal.SIG_DFL)
        run_module("environment", place, **wanted)
    finally:
        # Whatever happens: this process must not go on as a second run of the tests.
        os._exit(0)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_promises_hold_after_signals(
    aws: dict[str, str], monkeypatch: pytest.MonkeyPatch, figures: Callable[[str], None]
) -> None:
    monkeypatch.setattr(process, "this_run", process.this_process)
    deploy(aws, APPLICATION)
    add_version(aws, APPLICATION, "v2")
    place = connection(aws)
    lock = {"wait_timeout": 30, "ttl": 30}
    same = {"application": APPLICATION, "cname_prefix": f"{APPLICATION}-live", "poll_interval": 0.1, "lock": lock}
    lengths = []
    for label in ("v2", "v1"):
        ran = run_module("environment", place, **same, version_label=label)
        assert ran.succeeded, ran.output
        lengths.append(ran.seconds)
    chance = random.Random("signals")  # noqa: S311
    early = 0
    for number in range(RUNS):
        wanted = f"v{number % 2 + 1}"
        label = {**same, "version_label": "v2" if wanted == "v1" else "v1"}
        pid = child(label, place)
        time.sleep(chance.uniform(0, 0.8 * max(lengths)))
        os.kill(pid, chance.choice(SIGNALS))
        _pid, status = os.waitpid(pid, 0)
        early += os.WIFSIGNALED(status)
        ran = run_module("environment", place, **same, version_label=wanted)
        problems = broken_promises(Ended("", None), left_behind(aws, APPLICATION, wanted))
        problems += broken_promises(ran.ended(limit=120), left_behind(aws, APPLICATION, wanted))
        assert problems == [], f"run {number}: {problems}\n{ran.output}"
        assert ran.succeeded, ran.output
    assert early > RUNS / 4
    figures(f"{RUNS} deployments with signals, {early} ended by them, each followed by a run that ended well")
