# SPDX-License-Identifier: GPL-3.0-or-later
"""What the roles say, in one sentence, before anything is done with input that cannot work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
SITE = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.include_tasks: case.yml
      loop: "{{ cases }}"
      loop_control: {loop_var: case}
    - ansible.builtin.copy:
        dest: "{{ out }}"
        content: "{{ said | to_json }}"
        mode: "0600"
"""
CASE = """
- block:
    - ansible.builtin.include_tasks: "{{ case.role }}.yml"
    - ansible.builtin.set_fact:
        said: "{{ (said | default({})) | combine({case.name: 'nothing'}) }}"
  rescue:
    - ansible.builtin.set_fact:
        said: "{{ (said | default({})) | combine({case.name: message}) }}"
      vars:
        failed: "{{ ansible_failed_result.results | default([ansible_failed_result]) | selectattr('failed') }}"
        message: "{{ failed | map(attribute='msg') | first }}"
"""
ROLES = {
    "bundle": (
        "- ansible.builtin.include_role: {name: jack.beanstalk.bundle}\n  vars: {bundle_path: '{{ case.path }}'}\n"
    ),
    "image": (
        "- ansible.builtin.include_role: {name: jack.beanstalk.image}\n"
        "  vars: {image_context: '{{ case.path }}', image_name: blog, image_engine_options: [--nonsense]}\n"
    ),
    "localstalk": (
        "- ansible.builtin.include_role: {name: jack.beanstalk.localstalk}\n"
        "  vars: {localstalk_command: '{{ case.path }}'}\n"
    ),
}


def cases(folder: Path) -> list[dict[str, str]]:
    empty = folder / "empty"
    empty.mkdir()
    plain = folder / "plain"
    plain.mkdir()
    for name in ("Dockerfile", "Dockerfile.base", "requirements.txt"):
        (plain / name).write_text("FROM scratch\n")
    refuses = folder / "refuses"
    refuses.write_text(
        '#!/bin/sh\necho "localstalk: podman is missing; install it with: apt-get install podman" >&2\nexit 1\n'
    )
    refuses.chmod(0o755)
    return [
        {"name": "no_source", "role": "bundle", "path": str(folder / "nowhere")},
        {"name": "no_files", "role": "image", "path": str(folder / "nowhere")},
        {"name": "no_base", "role": "image", "path": str(empty)},
        {"name": "no_argument", "role": "image", "path": str(plain)},
        {"name": "no_program", "role": "localstalk", "path": str(folder / "nowhere")},
        {"name": "cannot_run", "role": "localstalk", "path": str(refuses)},
    ]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("preflight")
    (folder / "site.yml").write_text(SITE)
    (folder / "case.yml").write_text(CASE)
    for role, text in ROLES.items():
        (folder / f"{role}.yml").write_text(text)
    (folder / "vars.json").write_text(json.dumps({"cases": cases(folder), "out": str(folder / "said.json")}))
    done = subprocess.run(
        [
            *(Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "site.yml", "-e", "@vars.json"),
            *("-e", f"ansible_python_interpreter={sys.executable}"),
        ],
        cwd=folder,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    heard: dict[str, Any] = json.loads((folder / "said.json").read_text())
    return heard


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("no_source", "nowhere is not a folder; give the path of the application."),
        ("no_files", "nowhere is not a folder."),
        ("no_base", "empty/Dockerfile.base does not exist; the role image needs it to build the base image."),
        ("no_argument", 'has no line "ARG BASE_IMAGE" before "FROM ${BASE_IMAGE}"'),
        ("no_program", "localstalk is not installed beside Ansible"),
        ("cannot_run", "podman is missing; install it with: apt-get install podman"),
    ],
)
def test_says_what_is_wrong(said: dict[str, Any], case: str, sentence: str) -> None:
    assert sentence in said[case]
    assert "\n" not in said[case]
