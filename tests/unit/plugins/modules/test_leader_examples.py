# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in leader_info's documentation, run as the playbook that a reader would make of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.jack.beanstalk.plugins.modules import leader_info

ROOT = Path(__file__).resolve().parents[4]
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}


@pytest.fixture
def blue_and_green(run: Callable[..., dict[str, Any]], bundle: Callable[[str], str]) -> Iterator[list[str]]:
    """The environments that the examples speak of; the live one leads."""
    run("application", name="blog")
    run("application_version", application="blog", version_label="v1", src=bundle("v1"), **QUICK)
    leaders = []
    both = {"blog-blue": "blog-production", "blog-green": "blog-next"}
    for name, prefix in both.items():
        made = run(
            "environment",
            application="blog",
            name=name,
            cname_prefix=prefix,
            platform="Docker running on 64bit Amazon Linux 2023",
            version_label="v1",
            instance_profile="aws-elasticbeanstalk-ec2-role",
            **QUICK,
        )
        assert not made.get("failed"), made["msg"]
        (instance,) = made["instances"]
        leaders.append(instance["instance_id"])
    yield leaders
    for name in both:
        run("environment", application="blog", name=name, state="absent", **QUICK)


def test_examples(blue_and_green: list[str], aws: dict[str, str], tmp_path: Path) -> None:
    tasks = yaml.safe_load(leader_info.EXAMPLES)
    play = {
        "hosts": "localhost",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "module_defaults": {"group/jack.beanstalk.beanstalk": aws},
        "tasks": tasks,
    }
    playbook = tmp_path / "examples.yml"
    playbook.write_text(json.dumps([play]))
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", playbook],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert f"ok={len(tasks)} " in done.stdout
    blue, green = blue_and_green
    assert f"{blue}: its own log says so" in done.stdout
    assert f"blog-blue: found {blue}" in done.stdout
    assert f"blog-green: found {green}" in done.stdout
