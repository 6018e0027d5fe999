# SPDX-License-Identifier: GPL-3.0-or-later
"""Each playbook refuses variables of the inventory by their old names, before it does anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "playbook", ["deploy", "recreate_and_swap", "rollback", "status", "clean_hooks", "schedule", "awx"]
)
def test_an_old_name_is_refused_first(playbook: str, tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").write_text("all: {hosts: {shop: {}, localhost: {}}, vars: {eb_region: eu-central-1}}\n")
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("ansible-playbook"), "-i", str(tmp_path / "hosts.yml")),
            *(str(ROOT / f"{playbook}.yml"), "-e", '{"eb_properties": {"GREETING": "hello"}}'),
        ],
        cwd=ROOT,
        env=os.environ | {"ANSIBLE_NOCOLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert "is called eb_environment_properties now: rename it; nothing was done." in said
    assert said.count("TASK [") == 1, said
