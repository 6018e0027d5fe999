# SPDX-License-Identifier: GPL-3.0-or-later
"""Hook lists as the real role renders them, and instances to run them on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from .hook_instance import Instance

ROOT = Path(__file__).resolve().parents[3]
NASTY = r"""printf '%s|' "$A" 'it''s' "$(echo sub)" `echo tick` \\ $'\t' '%d' "a  b" \
  '$HOME'; echo "rc" # end
"""
NASTY_ENVIRONMENT = {"A": 'it\'s "x" $HOME `id` \\'}

RENDER = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Render each case
      ansible.builtin.include_tasks: case.yml
      loop: "{{ cases }}"
      loop_control: {loop_var: case}
"""
CASE = """
- name: Try
  block:
    - ansible.builtin.include_role: {name: jack.beanstalk.hooks}
      vars:
        hooks_prefix: "{{ case.prefix | default('jack') }}"
        hooks_list: "{{ case.hooks }}"
        hooks_once_store: "{{ case.once_store | default('') }}"
        hooks_generation: "{{ case.generation | default('al2023') }}"
        hooks_platform: "{{ case.platform | default('') }}"
        hooks_source: "{{ case.source | default({}) }}"
        hooks_source_overlay: "{{ case.overlay | default([]) }}"
    - ansible.builtin.copy:
        dest: "{{ out }}/{{ case.name }}.json"
        content: "{{ {'overlay': hooks_overlay} | to_json }}"
        mode: "0600"
  rescue:
    - ansible.builtin.copy:
        dest: "{{ out }}/{{ case.name }}.json"
        content: "{{ {'error': ansible_failed_result.msg} | to_json }}"
        mode: "0600"
"""
PYTHON = "64bit Amazon Linux 2023 v4.3.0 running Python 3.11"
NODE = "Node.js 22 running on 64bit Amazon Linux 2023"
HOST = {"name": "task", "where": "host"}
LEADER = {**HOST, "command": 'echo ran >>"$JACK_HOOKS_ROOT/ran"', "leader_only": True}
BLOG = {"path": str(ROOT / "examples" / "blog"), "from": "work_tree"}


def compose(*services: str) -> list[dict[str, str]]:
    text = json.dumps({"services": {name: {"build": "."} for name in services}})
    return [{"path": "docker-compose.yml", "content": text}]


CASES: list[dict[str, Any]] = [
    {"name": "django", "hooks": [{"preset": "collectstatic"}, {"preset": "migrate"}, {"preset": "createsu"}]},
    {"name": "superuser", "hooks": [{"preset": "createsuperuser", "leader_only": False}]},
    {"name": "leader", "hooks": [LEADER]},
    {
        "name": "once_store",
        "once_store": "bucket/pre/fix",
        "hooks": [{**LEADER, "command": LEADER["command"] + "; exit $CODE"}],
    },
    {"name": "fails", "hooks": [{**HOST, "command": "echo broken >&2; exit 7"}]},
    {"name": "warns", "hooks": [{**HOST, "command": "exit 7", "on_failure": "warn"}]},
    {"name": "hangs", "hooks": [{**HOST, "command": "sleep 60", "timeout": 1}]},
    {"name": "nasty", "hooks": [{**HOST, "command": NASTY, "environment": NASTY_ENVIRONMENT}]},
    {"name": "nasty_inside", "hooks": [{"name": "task", "command": NASTY, "environment": NASTY_ENVIRONMENT}]},
    {"name": "predeploy", "hooks": [{"name": "task", "command": "echo $SITE", "phase": "predeploy"}]},
    {"name": "legacy", "generation": "al1", "hooks": [{"preset": "collectstatic"}, LEADER]},
    {"name": "tag", "hooks": [{"preset": "tag_leader"}]},
    {
        "name": "legacy_properties",
        "generation": "al1",
        "hooks": [
            {"name": "host", "where": "host", "command": 'echo "$GREETING"; echo "$SITE|${EMPTY+set}"'},
            {"name": "inside", "phase": "predeploy", "command": 'echo "$GREETING"'},
        ],
    },
    {"name": "none", "hooks": []},
    {"name": "one_service", "source": BLOG, "overlay": compose("front"), "hooks": [{"preset": "migrate"}]},
    {"name": "no_compose", "source": BLOG, "hooks": [{"preset": "migrate"}]},
    {"name": "on_host", "platform": PYTHON, "hooks": [{**HOST, "command": "true"}]},
    {
        "name": "in_venv",
        "platform": PYTHON,
        "hooks": [
            {"name": "task", "command": "site $VIRTUAL_ENV $PWD $GREETING", "environment": {"GREETING": "hello"}},
            {"name": "early", "command": "site $PWD", "phase": "predeploy", "workdir": "shop", "user": "root"},
        ],
    },
    {"name": "bad_prefix", "prefix": "Jack_1", "hooks": [{"preset": "migrate"}]},
    {"name": "bad_once_store", "once_store": "s3://bucket", "hooks": [{"preset": "migrate"}]},
    {"name": "bad_name", "hooks": [{"name": "a b", "command": "true"}]},
    {"name": "bad_empty", "hooks": [{"name": "a"}]},
    {"name": "bad_config", "hooks": [{"preset": "migrate", "on_config_deploy": True}]},
    {"name": "bad_phase", "hooks": [{"preset": "migrate", "phase": "prebuild", "where": "host"}]},
    {"name": "bad_early", "hooks": [{"preset": "collectstatic", "phase": "prebuild"}]},
    {"name": "bad_service", "hooks": [{"preset": "collectstatic", "service": "web", "phase": "predeploy"}]},
    {"name": "bad_twice", "hooks": [{"preset": "migrate"}, {"preset": "migrate"}]},
    {"name": "bad_timeout", "hooks": [{"preset": "migrate", "timeout": 9999}]},
    {"name": "bad_variable", "hooks": [{"preset": "migrate", "environment": {"A-B": "x"}}]},
    {"name": "bad_platform", "platform": NODE, "hooks": [{"preset": "createsu"}]},
    {"name": "bad_services", "source": BLOG, "overlay": compose("a", "b"), "hooks": [{"preset": "migrate"}]},
    {"name": "bad_source", "source": {"path": "/nonexistent"}, "hooks": [{"preset": "migrate"}]},
]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Every case above through the real role, in one Ansible run."""
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "site.yml").write_text(RENDER)
    (folder / "case.yml").write_text(CASE)
    # Commands are texts of the user's, not templates: what Ansible would call unsafe.
    (folder / "vars.json").write_text(json.dumps({"cases": CASES, "out": str(folder)}))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }
    ansible = Path(sys.executable).with_name("ansible-playbook")
    run = subprocess.run(
        [
            *(ansible, "-i", "localhost,", "site.yml", "-e", "@vars.json"),
            *("-e", f"ansible_python_interpreter={sys.executable}"),
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {case["name"]: json.loads((folder / f"{case['name']}.json").read_text()) for case in CASES}


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path / "instance")


@pytest.fixture
def leader(instance: Instance, rendered: dict[str, dict[str, Any]]) -> Instance:
    instance.install(rendered["leader"]["overlay"])
    return instance
