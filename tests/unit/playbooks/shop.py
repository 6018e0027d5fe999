# SPDX-License-Identifier: GPL-3.0-or-later
"""An application with an inventory of one host, on a localstalk with simulated instances; playbooks are processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.modules import run_module
from secret_scan import marked_processes

from localstalk.testing import Localstalk

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
PROFILE = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}
QUICK = {
    "force": True,
    "poll_interval": 0.3,
    "bake_time": 0.2,
    "request_settle_time": 6,
    "max_decision_age": 5,
    "dns_ttl": 0.2,
    "dns_margin": 0.2,
    "drain_timeout": 0.5,
    "drain_requests_per_minute": 1000,
    "lock": {"ttl": 600, "wait_timeout": 0},
}
"""A cycle on a fast clock."""


@dataclass
class Shop:
    """An application with an inventory of one host; its runs are processes that can be found again."""

    localstalk: Localstalk
    folder: Path
    name: str
    variables: dict[str, Any] = field(default_factory=dict)
    mark: str = field(default_factory=lambda: f"SIGNALS_RUN={uuid.uuid4().hex}")

    @property
    def place(self) -> dict[str, str]:
        aws = self.localstalk.environ
        keys = {"access_key": aws["AWS_ACCESS_KEY_ID"], "secret_key": aws["AWS_SECRET_ACCESS_KEY"]}
        return {"endpoint_url": self.localstalk.url, "region": aws["AWS_REGION"], **keys}

    def change(self, text: str) -> None:
        (self.folder / "Dockerfile").write_text(f"FROM scratch\nEXPOSE 8000\nLABEL text={text}\n")

    def inventory(self, **more: Any) -> Path:
        """The inventory; ``more`` are variables that it has for now."""
        place = dict(self.place)
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "eb_application": self.name,
            "eb_cname_prefix": self.name,
            "eb_region": place.pop("region"),
            "eb_platform": "Docker running on 64bit Amazon Linux 2023",
            "eb_option_settings": PROFILE,
            "eb_source": {"path": str(self.folder), "from": "work_tree"},
            "eb_poll_interval": 0.3,
            "eb_lock": {"ttl": 600},
            "eb_recreate": QUICK,
            "eb_aws": place,
            **self.variables,
            **more,
        }
        path = self.folder.parent / f"{self.name}.json"
        path.write_text(json.dumps({"all": {"hosts": {self.name: {}}, "vars": variables}}))
        return path

    @contextmanager
    def start(self, playbook: str, **more: Any) -> Iterator[subprocess.Popen[str]]:
        """Start a playbook of the checkout, in a session of its own; it does not outlive the block."""
        name, _equals, value = self.mark.partition("=")
        environ = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "PYTHONUNBUFFERED": "1"}
        with subprocess.Popen(
            # Who runs the tests may ignore a lost terminal, which is inherited.
            ["env", "--default-signal=HUP", PROGRAM, "-i", self.inventory(**more), playbook],
            cwd=ROOT,
            env=os.environ | environ | {name: value},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as running:
            try:
                yield running
            finally:
                running.kill()

    def play(self, playbook: str, **more: Any) -> str:
        with self.start(playbook, **more) as running:
            output, _errors = running.communicate(timeout=240)
        assert running.returncode == 0, output
        return output

    def polls(self) -> int:
        """How many times Elastic Beanstalk was asked for events."""
        return int(json.loads(self.localstalk.ask("calls")).get("elasticbeanstalk:DescribeEvents", 0))

    def processes(self) -> list[int]:
        """Those of all runs: workers and modules have sessions of their own."""
        return marked_processes(self.mark)

    def wait_until_all_ended(self) -> float:
        began = time.monotonic()
        while left := self.processes():
            assert time.monotonic() - began < 20, [Path("/proc", str(pid), "cmdline").read_text() for pid in left]
            time.sleep(0.1)
        return time.monotonic() - began

    def lock(self, **params: Any) -> dict[str, Any]:
        ran = run_module("lock", self.place, application=self.name, cname_prefix=self.name, owner="somebody", **params)
        assert ran.succeeded, ran.output
        return ran.result

    def lock_info(self) -> dict[str, Any]:
        ran = run_module("lock_info", self.place, application=self.name, cname_prefix=self.name)
        assert ran.succeeded, ran.output
        return dict(ran.result["lock"])

    def environments(self) -> dict[str, dict[str, Any]]:
        eb = self.localstalk.client("elasticbeanstalk")
        found = eb.describe_environments(ApplicationName=self.name, IncludeDeleted=False)["Environments"]
        return {one["CNAME"].split(".")[0]: one for one in found if one["Status"] not in ("Terminating", "Terminated")}

    def versions(self) -> int:
        eb = self.localstalk.client("elasticbeanstalk")
        return len(eb.describe_application_versions(ApplicationName=self.name)["ApplicationVersions"])

    def exists(self) -> bool:
        eb = self.localstalk.client("elasticbeanstalk")
        return bool(eb.describe_applications(ApplicationNames=[self.name])["Applications"])
