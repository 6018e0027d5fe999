# SPDX-License-Identifier: GPL-3.0-or-later
"""What roles print with all the output there is: no webhook's address, and no environment of a hook."""

from __future__ import annotations

import json
from pathlib import Path

from .plays import ROOT, play

WEBHOOK, SLACK, HOOK = "canary-of-the-webhook", "canary-of-slack", "canary-of-a-hook"
NOTIFY = {
    "recreate_and_swap_notify": [
        {"type": "webhook", "url": f"http://127.0.0.1:9/{WEBHOOK}", "results": ["done"]},
        {"type": "slack", "url": f"http://127.0.0.1:9/{SLACK}", "results": ["refused"]},
    ],
    "recreate_and_swap_state": {"result": "refused", "sentence": "No.", "logical": "shop/live", "cycle": None},
    "recreate_and_swap_stage_tasks": {},
    "recreate_and_swap_result_folder": "",
    "recreate_and_swap_report_folder": "",
    "recreate_and_swap_in_batch": False,
    "__recreate_and_swap_summary": [],
    "__recreate_and_swap_failed": False,
    "__recreate_and_swap_problem": "",
}
HOOKS = {"__hooks_rendered": {"problems": [], "overlay": [{"path": "a", "content": HOOK}]}}


def test_secrets_are_not_said(tmp_path: Path) -> None:
    """One receiver is skipped, the other cannot be reached; both happened to show their address once."""
    tasks = [
        {"ansible.builtin.include_tasks": str(ROOT / "roles/recreate_and_swap/tasks/end.yml"), "vars": NOTIFY},
        {"ansible.builtin.include_tasks": str(ROOT / "roles/hooks/tasks/main.yml"), "vars": HOOKS},
        {"ansible.builtin.assert": {"that": "hooks_overlay[0].path == 'a'"}},
    ]
    plays = [{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "site.yml").write_text(json.dumps(plays))
    ran = play(tmp_path, "yaml", "-vvvv", "--diff", "-i", "localhost,")
    output = ran.stdout + ran.stderr
    assert ran.returncode == 0, output
    assert "The slack notification was not delivered" in output
    assert [one for one in (WEBHOOK, SLACK, HOOK) if one in output] == []
