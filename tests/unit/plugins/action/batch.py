# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks with a task for all hosts, and what their recap says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[4]
PROFILE = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}
PROPERTIES = "aws:elasticbeanstalk:application:environment"
PLATFORM = "Docker running on 64bit Amazon Linux 2023"
# At the pace of simulated instances.
QUICK_CYCLE = {
    "poll_interval": 0.2,
    "bake_time": 0.2,
    "request_settle_time": 6,
    "max_decision_age": 5,
    "dns_ttl": 0.2,
    "dns_margin": 0.2,
    "drain_timeout": 0.5,
    "drain_requests_per_minute": 1000,
}


def start_play(folder: Path, hosts: list[str], play: dict[str, Any], *words: str) -> subprocess.Popen[str]:
    """Start a playbook with one play for hosts that an inventory names, and nothing else."""
    common = {"hosts": "all", "connection": "local", "gather_facts": False}
    interpreter = {"ansible_python_interpreter": sys.executable}
    book = [{**common, **play, "vars": {**interpreter, **play.get("vars", {})}}]
    (folder / "site.yml").write_text(yaml.safe_dump(book))
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_NOCOLOR": "1"}
    environment |= {"ANSIBLE_LOCAL_TEMP": str(folder / "tmp"), "ANSIBLE_STDOUT_CALLBACK": "default"}
    environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    program = Path(sys.executable).with_name("ansible-playbook")
    inventory = [] if "-i" in words else ["-i", ",".join(hosts) + ","]
    return subprocess.Popen(
        [program, *inventory, folder / "site.yml", *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
    )


def run_playbook(name: str, inventory: Path, *words: str) -> tuple[int, str]:
    """Run a playbook of the checkout to its end; exit status and output."""
    program = Path(sys.executable).with_name("ansible-playbook")
    environment = {"ANSIBLE_NOCOLOR": "1", "PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        [program, "-i", inventory, ROOT / name, *words],
        cwd=ROOT,
        env=os.environ | environment | {"XDG_CACHE_HOME": str(inventory.parent)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def batch_tasks(
    items: list[dict[str, Any]] | str, module: str = "environments", **keywords: Any
) -> list[dict[str, Any]]:
    """One task for all items, and each host's result of it."""
    did = "{{ mine.actions }}" if module == "environments" else "{{ mine.result }}: {{ mine.sentence }}"
    return [
        {f"jack.beanstalk.{module}": {module: items}, "register": "done", "run_once": True, **keywords},
        {"jack.beanstalk.item_result": {"items": f"{{{{ done.{module} }}}}"}, "register": "mine"},
        {"ansible.builtin.debug": {"msg": "{{ inventory_hostname }} did " + did}},
    ]


def recap(output: str) -> dict[str, tuple[int, int]]:
    """By host, how many tasks changed something and how many failed."""
    found = re.findall(r"^(\S+) +: .*changed=(\d+) .*failed=(\d+)", output.rpartition("PLAY RECAP")[2], re.MULTILINE)
    return {host: (int(changed), int(failed)) for host, changed, failed in found}
