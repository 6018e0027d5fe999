# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks as a user runs them, with what they leave to AWX."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def play(folder: Path, result_format: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the folder's site.yml, and show what it leaves to AWX."""
    return subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), *options, "site.yml"],
        cwd=folder,
        env=os.environ
        | {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": result_format,
            "ANSIBLE_SHOW_CUSTOM_STATS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
