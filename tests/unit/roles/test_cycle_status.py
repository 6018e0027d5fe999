# SPDX-License-Identifier: GPL-3.0-or-later
"""The exit status that cron sees of a cycle."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[3] / "roles/recreate_and_swap/files/cycle_status.sh"
# A double of ansible-playbook: notes the words that it is given as hosts' results.
DOUBLE = """#!/usr/bin/env python3
import json, os, sys
folder = json.loads(sys.argv[-1])["recreate_and_swap_result_folder"]
for number, word in enumerate(sys.argv[2:-2]):
    open(f"{folder}/host{number}", "w").write(word + "\\n")
sys.exit(int(sys.argv[1]))
"""


@pytest.mark.parametrize(
    ("playbook", "words", "status"),
    [
        (0, ["done"], 0),
        (0, ["done", "skipped"], 0),
        (0, ["skipped", "skipped"], 10),
        (2, ["refused", "done"], 11),
        (2, ["locked"], 75),
        (2, ["locked", "failed_rolled_back"], 12),
        (2, ["failed_rolled_back", "failed_needs_human"], 13),
        (2, ["done"], 2),
        (2, [], 2),
        (4, [], 4),
        (0, [], 0),
    ],
)
def test_status(tmp_path: Path, playbook: int, words: list[str], status: int) -> None:
    double = tmp_path / "ansible-playbook"
    double.write_text(DOUBLE)
    double.chmod(0o755)
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    command = [str(SCRIPT), str(double), str(playbook), *words]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == status, ended.stderr
    assert list(tmp_path.iterdir()) == [double], "it leaves nothing behind"
