# SPDX-License-Identifier: GPL-3.0-or-later
"""The role schedule with a real cron daemon, systemd's own checker, logrotate, and runs that are killed."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ANSIBLE_PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
SECRET = "swordfish-4711"
PLAYBOOKS = {
    "ok.yml": {"ansible.builtin.debug": {"msg": "{{ lookup('env', 'GREETING') }}, {{ word | length }} letters"}},
    "fail.yml": {"ansible.builtin.fail": {"msg": "on purpose"}},
    "slow.yml": {
        "ansible.builtin.wait_for": {"path": "{{ lookup('env', 'PROJECT_GATE') }}", "timeout": 600, "sleep": 1},
    },
}
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a mount namespace needs root")


def wait_until(true: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := true():
            return found
        time.sleep(0.2)
    raise AssertionError(f"after {seconds} s still not: {what}")


@dataclass
class Bench:
    """A project with trivial playbooks, and every folder that the role writes to, under one temporary folder."""

    root: Path

    def __post_init__(self) -> None:
        self.project = self.root / "project"
        self.gate = self.root / "gate"
        self.project.mkdir()
        for name, task in PLAYBOOKS.items():
            play = {"name": name, "hosts": "web", "gather_facts": False, "tasks": [{"name": "Do it"} | task]}
            (self.project / name).write_text(yaml.safe_dump([play]))
        (self.project / "hosts").write_text(
            '[web]\nweb1 ansible_connection=local ansible_python_interpreter="{{ ansible_playbook_python }}"\n'
        )
        (self.project / "ansible.cfg").write_text("[defaults]\ninventory = hosts\nlocalhost_warning = false\n")
        for folder in ("cron.d", "systemd", "logrotate.d"):
            (self.root / folder).mkdir()

    @property
    def folders(self) -> dict[str, str]:
        names = {"runner": "lib", "settings": "etc", "state": "state", "log": "log", "cron": "cron.d"}
        names |= {"systemd": "systemd", "logrotate": "logrotate.d"}
        return {f"schedule_{name}_directory": str(self.root / folder) for name, folder in names.items()}

    def entry(self, **more: Any) -> dict[str, Any]:
        environment = {"GREETING": "good evening", "PROJECT_GATE": str(self.gate), "TOKEN": SECRET}
        entry = {"name": "nightly", "playbook": "ok.yml", "limit": "web", "environment": environment}
        return entry | {"extra_vars": {"word": SECRET}} | more

    def ansible(self, playbook: Path, variables: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        file = self.root / "variables.json"
        file.write_text(json.dumps(self.folders | variables))
        command = [ANSIBLE_PLAYBOOK, "-i", self.project / "hosts", "-e", f"@{file}", playbook]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)

    def apply(self, *entries: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        more = {"eb_schedules": list(entries), "schedule_project": str(self.project), "schedule_activate": False}
        return self.ansible(ROOT / "schedule.yml", more)

    def install(self, **more: Any) -> None:
        done = self.apply(self.entry(**more))
        assert done.returncode == 0, done.stdout + done.stderr

    @property
    def command(self) -> list[str]:
        return [str(self.root / "lib/run_schedule.sh"), str(self.root / "etc/nightly.conf")]

    def fire(self, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command, capture_output=True, text=True, timeout=timeout, check=False)

    def start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.command, start_new_session=True)

    def playbook_processes(self) -> list[int]:
        """The processes of this project's playbook; other tests run at the same time."""
        return processes_of(f"@{self.root}/etc/nightly.vars.json")

    def status(self) -> dict[str, Any]:
        printed = subprocess.run([*self.command, "--status"], capture_output=True, text=True, timeout=60, check=True)
        return json.loads(printed.stdout)

    def set(self, name: str, value: str) -> None:
        """Change one line of the settings, where installing again would only cost time."""
        settings = self.root / "etc/nightly.conf"
        text, count = re.subn(rf"(?m)^{name}=.*$", f"{name}={value}", settings.read_text())
        assert count == 1
        settings.write_text(text)

    @property
    def log(self) -> str:
        return (self.root / "log/nightly.log").read_text()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def changed(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stdout + done.stderr
    return int(re.findall(r"changed=(\d+)", done.stdout)[-1])


def processes_of(text: str) -> list[int]:
    """Processes whose command line has this text."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text.encode() in line.read_bytes():
                found.append(int(line.parent.name))
    return found


def test_install_run_read_remove(bench: Bench) -> None:
    assert changed(bench.apply(bench.entry())) > 0
    assert changed(bench.apply(bench.entry())) == 0
    line = (bench.root / "cron.d/jack-beanstalk-nightly").read_text().splitlines()[-1].split()
    assert line[:5] == ["30", "2", "*", "*", "*"]
    for file in (bench.root / "etc").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file

    assert bench.status()["result"] == "never"
    done = bench.fire()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    result = json.loads((bench.root / "state/nightly.json").read_text())
    assert result["result"] == "ok" and result["rc"] == 0 and result["previous"] is None
    assert datetime.fromisoformat(result["started"]) <= datetime.fromisoformat(result["ended"])
    assert f"good evening, {len(SECRET)} letters" in Path(result["log"]).read_text()

    reader = bench.project / "read.yml"
    role = {"name": "Read", "ansible.builtin.include_role": {"name": "jack.beanstalk.schedule", "tasks_from": "result"}}
    show = {"name": "Show", "ansible.builtin.debug": {"msg": "RESULTS {{ schedule_results | to_json }}"}}
    reader.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": [role, show]}]))
    read = bench.ansible(reader, {})
    assert read.returncode == 0, read.stdout + read.stderr
    assert '"result": "ok"' in read.stdout.replace('\\"', '"')

    assert changed(bench.apply({"name": "nightly", "state": "absent", "purge": True})) > 0
    left = [path for folder in bench.folders.values() for path in Path(folder).glob("**/*") if path.is_file()]
    assert left == []
    assert changed(bench.apply({"name": "nightly", "state": "absent", "purge": True})) == 0


@pytest.mark.slow
def test_the_example_of_the_readme(bench: Bench) -> None:
    text = (ROOT / "roles/schedule/README.md").read_text()
    example = bench.project / "example.yml"
    example.write_text(re.findall(r"(?ms)^```yaml\n(.*?)^```$", text)[0])
    here = {"schedule_project": str(bench.project), "schedule_playbook": "ok.yml", "schedule_activate": False}
    assert changed(bench.ansible(example, here | {"schedule_limit": "web", "schedule_extra_vars": {"word": "x"}})) > 0
    assert bench.fire().returncode == 0
    assert bench.status()["result"] == "ok"


def test_what_cannot_work_is_refused(bench: Bench) -> None:
    wrong = {
        "name what it runs on": {"limit": ""},
        "no such key: tiem": {"tiem": "02:30"},
        "not HH:MM": {"time": "2.30"},
        "is not in /usr/share/zoneinfo": {"time_zone": "Europe/Atlantis"},
        "there is no missing.yml": {"playbook": "missing.yml"},
        "cron wants five fields": {"expression": "02:30"},
    }
    for message, entry in wrong.items():
        done = bench.apply(bench.entry(**entry))
        assert done.returncode != 0
        assert message in " ".join(done.stdout.split()), done.stdout
    assert not (bench.root / "etc").exists()


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


@contextlib.contextmanager
def webhook(status: int) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    posted: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            posted.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/?token={SECRET}", posted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_failure_is_told_and_a_failing_notification_changes_nothing(bench: Bench) -> None:
    told, mail = bench.root / "told", bench.root / "mail"
    sendmail = bench.root / "sendmail"
    sendmail.write_text(f"#!/bin/sh\ncat >'{mail}'\n")
    sendmail.chmod(0o755)
    with webhook(200) as (url, posted):
        command = f'{{ echo "$SCHEDULE_NAME $SCHEDULE_RESULT $SCHEDULE_RC"; cat; }} >"{told}"'
        bench.install(playbook="fail.yml", notify_command=command, notify_url=url, notify_mail="ops@example.com")
        bench.set("SENDMAIL", str(sendmail))
        assert bench.fire().returncode == 2
        assert [post["result"] for post in posted] == ["failed"]
    first, rest = told.read_text().split("\n", 1)
    assert first == "nightly failed 2"
    assert json.loads(rest) == posted[0] == bench.status()
    assert "To: ops@example.com\nSubject: schedule nightly: failed\n\n{" in mail.read_text()

    # Nobody listens any more, the command fails, and there is no sendmail.
    bench.set("NOTIFY_COMMAND", "false")
    bench.set("SENDMAIL", "/nonexistent/sendmail")
    assert bench.fire().returncode == 2
    for what in ("the notification command failed", "notification to the URL failed", "notification by mail failed"):
        assert what in bench.log
    assert SECRET not in bench.log

    bench.set("PLAYBOOK", "ok.yml")
    told.unlink()
    assert bench.fire().returncode == 0
    assert not told.exists()


@pytest.mark.slow
def test_a_time_zone_of_its_own(bench: Bench) -> None:
    local = datetime.now(UTC) + timedelta(hours=5)
    if local.hour == 23:
        pytest.skip("the window ends at midnight in that zone, which is too close now")
    bench.install(time=f"{local:%H:%M}", time_zone="Etc/GMT-5")
    minutes = (bench.root / "cron.d/jack-beanstalk-nightly").read_text().splitlines()[-1].split()[0]
    assert [int(minute) % 15 for minute in minutes.split(",")] == [local.minute % 15] * 4

    assert bench.fire().returncode == 0
    first = bench.status()
    assert first["result"] == "ok"
    time.sleep(1.1)
    assert bench.fire().returncode == 0
    assert bench.status() == first, "once a day only"

    day = bench.root / "state/nightly.day"
    day.write_text(day.read_text().replace("done", "started"))  # as a killed run leaves it
    assert bench.fire().returncode == 0
    assert bench.status()["started"] != first["started"]

    for name, value in (("AT", f"{(local + timedelta(minutes=45)):%H:%M}"), ("DAYS", str(local.isoweekday() % 7 + 1))):
        before = bench.status()
        day.unlink(missing_ok=True)
        bench.set(name, value)
        assert bench.fire().returncode == 0
        assert bench.status() == before, f"not due, because of {name}"


def test_systemd_units(bench: Bench) -> None:
    bench.install()
    bench.install(kind="systemd", days=["Mon", "Fri"], time="01:15", time_zone="Europe/London", jitter=300)
    assert not (bench.root / "cron.d/jack-beanstalk-nightly").exists(), "the other kind goes"
    units = sorted((bench.root / "systemd").iterdir())
    assert [unit.suffix for unit in units] == [".service", ".timer"]
    checked = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=60, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")
    calendar = re.findall(r"(?m)^OnCalendar=(.*)$", units[1].read_text())
    assert calendar == ["Mon,Fri *-*-* 01:15:00 Europe/London"]
    assert "RandomizedDelaySec=300\n" in units[1].read_text()
    parsed = subprocess.run(
        ["systemd-analyze", "calendar", *calendar], capture_output=True, text=True, timeout=60, check=False
    )
    assert parsed.returncode == 0 and "Next elapse" in parsed.stdout
    # What systemd would start is started here.
    start = re.findall(r"(?m)^ExecStart=(.*)$", units[0].read_text())
    assert start == [" ".join(bench.command)]
    assert bench.fire().returncode == 0

    assert changed(bench.apply({"name": "nightly", "state": "absent"})) > 0
    assert list((bench.root / "systemd").iterdir()) == []
    assert bench.log, "results and logs stay unless they are purged"


@pytest.mark.slow
def test_logs_are_rotated(bench: Bench) -> None:
    logrotate = shutil.which("logrotate", path=f"{os.environ['PATH']}:/usr/sbin")
    if logrotate is None:
        pytest.skip("logrotate is not installed")
    bench.install(log_keep=2)
    state = bench.root / "logrotate.state"
    for _ in range(4):
        assert bench.fire().returncode == 0
        rotated = subprocess.run(
            [logrotate, "--force", "--state", state, bench.root / "logrotate.d/jack-beanstalk-nightly"],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert rotated.returncode == 0, rotated.stderr
    assert sorted(path.name for path in (bench.root / "log").iterdir()) == [
        "nightly.log", "nightly.log.1", "nightly.log.2.gz",
    ]  # fmt: skip
    assert "starting ok.yml" in (bench.root / "log/nightly.log.1").read_text()


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
