# SPDX-License-Identifier: GPL-3.0-or-later
"""Schedules that fire: by a real cron daemon, by a real systemd, while the one before runs, and killed on the way."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from .conftest import wait_until
from .schedules import SECRET, Bench, processes_of

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_overlap_is_refused_and_a_killed_run_is_run_again(bench: Bench) -> None:
    bench.install(playbook="slow.yml")
    running = bench.start()
    try:
        wait_until(lambda: bench.playbook_processes(), 120, "the playbook runs")
        assert bench.status()["result"] == "running"
        # Neither the environment nor the extra variables can be read from the process list.
        assert processes_of(SECRET) == []

        refused = bench.fire()
        assert refused.returncode == 75
        assert "an earlier firing still runs" in refused.stderr
        assert json.loads((bench.root / "state/nightly.refused.json").read_text())["result"] == "overlap"
        assert bench.status()["result"] == "running"

        # Only the runner dies: what it started is still at work, so the next firing is still refused.
        running.kill()
        running.wait()
        assert bench.fire().returncode == 75
        for pid in bench.playbook_processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: bench.status()["result"] == "killed", 120, "the killed run is seen as killed")
    finally:
        bench.gate.touch()
        running.kill()
    done = bench.fire()
    assert done.returncode == 0, bench.log
    assert bench.status()["previous"] == "killed"


@pytest.mark.slow
def test_stopping_the_runner_stops_the_playbook(bench: Bench) -> None:
    bench.install(playbook="slow.yml")
    running = bench.start()
    wait_until(lambda: bench.playbook_processes(), 120, "the playbook runs")
    running.terminate()
    assert running.wait(timeout=120) != 0
    assert bench.status()["result"] == "stopped"
    wait_until(lambda: not bench.playbook_processes(), 120, "the playbook ended")


@pytest.mark.slow
def test_under_cron_the_runner_waits_a_random_time(bench: Bench) -> None:
    longest = 10_000_000  # so long that the wait is over by chance once in 32768 times
    bench.install(jitter=longest)
    running = bench.start()

    def waits() -> list[str]:
        listed = ["ps", "--no-headers", "-o", "args", "--ppid", str(running.pid)]
        children = subprocess.run(listed, capture_output=True, text=True, check=False).stdout
        return re.findall(r"(?m)^sleep (\d+)$", children)

    try:
        (seconds,) = wait_until(waits, 120, "the runner waits")
        assert 0 < int(seconds) <= longest
        assert bench.status()["result"] == "running"
    finally:
        running.terminate()
    assert running.wait(timeout=120) == 143
    assert bench.status()["result"] == "stopped"
    assert "good evening" not in bench.log


def test_a_run_that_takes_too_long_is_ended(bench: Bench) -> None:
    bench.install(playbook="slow.yml", timeout=3)
    assert bench.fire().returncode == 124
    assert bench.status()["result"] == "timeout"


CRON = """
set -e
mount --bind cron.d /etc/cron.d
mount --bind spool /var/spool/cron/crontabs
mount --bind /dev/null /etc/crontab
mount -t tmpfs tmpfs /run
exec cron -f -L 15
"""


@needs_root
@pytest.mark.skipif(shutil.which("cron", path="/usr/sbin") is None, reason="cron is not installed")
def test_a_real_cron_daemon_fires_it(bench: Bench) -> None:
    (bench.root / "spool").mkdir()
    bench.install(expression="* * * * *", user="root")
    # A mount namespace of its own: this daemon sees no crontab but ours, and the machine's own sees none of it.
    daemon = subprocess.Popen(["unshare", "--mount", "bash", "-c", CRON], cwd=bench.root)
    try:
        fired = wait_until(lambda: bench.status()["result"] == "ok", 240, "cron fired the schedule and it ended well")
        assert fired
        assert daemon.poll() is None
    finally:
        daemon.terminate()
        daemon.wait(timeout=10)
    assert f"good evening, {len(SECRET)} letters" in bench.log


# systemd takes the cgroup where it starts for its own and moves every process below it: started in the machine's root,
# it would take the processes of other tests' containers out of theirs.
SYSTEMD = """
set -e
for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
  if [ -f $hierarchy/cgroup.procs ]; then
    mkdir $hierarchy/jack-beanstalk-$$
    echo $$ > $hierarchy/jack-beanstalk-$$/cgroup.procs
  fi
done
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system /run/user/0
export XDG_RUNTIME_DIR=/run/user/0 SYSTEMD_UNIT_PATH=$PWD/systemd:
exec /lib/systemd/systemd --user --unit=jack-beanstalk-nightly.timer
"""


@needs_root
def test_a_real_systemd_fires_it_refuses_overlap_and_goes_on_after_a_kill(bench: Bench) -> None:
    bench.install(kind="systemd", expression="*-*-* *:*:00/2", jitter=0, playbook="slow.yml", user="root")
    # A manager of its own in a mount namespace: it sees no unit but ours and systemd's own.
    before = Path("/proc/self/cgroup").read_text()
    manager = subprocess.Popen(["unshare", "--mount", "bash", "-c", SYSTEMD], cwd=bench.root)
    try:
        wait_until(lambda: bench.playbook_processes(), 120, "systemd started the playbook")
        # Fired by hand in the meantime: refused. systemd itself never starts a unit twice.
        assert bench.fire().returncode == 75
        first = bench.status()["started"]
        for pid in [*processes_of(" ".join(bench.command).replace(" ", "\0")), *bench.playbook_processes()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        wait_until(lambda: bench.status()["started"] != first, 120, "the next firing started")
        assert bench.status()["previous"] == "killed"
        bench.gate.touch()
        wait_until(lambda: bench.status()["result"] == "ok", 120, "it ended well")
        assert manager.poll() is None
    finally:
        bench.gate.touch()
        manager.terminate()
        manager.wait(timeout=100)
        for cgroup in Path("/sys/fs/cgroup").glob(f"**/jack-beanstalk-{manager.pid}"):
            for folder, _, _ in os.walk(cgroup, topdown=False):
                Path(folder).rmdir()
    assert bench.log.count("starting slow.yml") >= 2
    assert Path("/proc/self/cgroup").read_text() == before
