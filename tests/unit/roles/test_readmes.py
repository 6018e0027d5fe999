# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples in the roles' READMEs: all are valid playbooks, and those that need no AWS are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
ROLES = sorted(path.parent.parent.name for path in (ROOT / "roles").glob("*/tasks/main.yml"))
NEED_NO_AWS = {"bundle": 1, "hooks": 2}
"""Role -> how many of its examples, from the first."""


def examples(role: str) -> list[str]:
    """The YAML blocks of a role's README."""
    return re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "roles" / role / "README.md").read_text(), re.M | re.S)


def playbooks(role: str) -> list[str]:
    """Those of them that are playbooks; others show variables or tasks."""
    parsed = [(text, yaml.safe_load(text)) for text in examples(role)]
    return [text for text, data in parsed if isinstance(data, list) and "hosts" in data[0]]


def play(folder: Path, text: str, *options: str) -> subprocess.CompletedProcess[str]:
    playbook = folder / "site.yml"
    # The examples name folders of the checkout.
    playbook.write_text(text.replace("examples/blog", str(ROOT / "examples/blog")))
    return subprocess.run(
        [
            *(Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", playbook),
            *("-e", f"ansible_python_interpreter={sys.executable}", *options),
        ],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "XDG_CACHE_HOME": str(folder / "cache"),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_every_role_has_an_example() -> None:
    assert len(ROLES) >= 7
    assert [role for role in ROLES if not examples(role)] == []
    own = {"bundle", "deploy", "hooks", "image", "localstalk", "status"}
    assert {role for role in ROLES if f"jack.beanstalk.{role}\n" in "".join(playbooks(role))} >= own


def test_examples_are_valid_playbooks(tmp_path: Path) -> None:
    done = play(tmp_path, "".join(text for role in ROLES for text in playbooks(role)), "--syntax-check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("role", NEED_NO_AWS)
def test_examples_run(tmp_path: Path, role: str) -> None:
    done = play(tmp_path, "".join(playbooks(role)[: NEED_NO_AWS[role]]))
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(
        r"blog-[0-9a-f]{16}" if role == "bundle" else r"hooks/postdeploy/jack_50_report_disk\.sh", done.stdout
    )
