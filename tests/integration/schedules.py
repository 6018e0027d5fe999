# SPDX-License-Identifier: GPL-3.0-or-later
"""A project with schedules in folders of its own: installed by the role schedule, fired by hand or by a daemon."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def processes_of(text: str) -> list[int]:
    """Processes whose command line has this text."""
    found = []
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if text.encode() in line.read_bytes():
                found.append(int(line.parent.name))
    return found


def changed(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stdout + done.stderr
    return int(re.findall(r"changed=(\d+)", done.stdout)[-1])


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
