# SPDX-License-Identifier: GPL-3.0-or-later
"""The role schedule: what it installs and removes, systemd's own checker, time zones, logrotate, notifications."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from .schedules import ROOT, SECRET, Bench, changed


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


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
