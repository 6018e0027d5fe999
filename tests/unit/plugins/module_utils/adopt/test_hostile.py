# SPDX-License-Identifier: GPL-3.0-or-later
"""Projects that somebody broke, or made to break what reads them: each ends with a report, or a sentence, in time."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.inventory import inventory_files, report
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.project import Adopted, read_project
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.source import MOST_ENTRIES

SECONDS = 20
PLACES = (
    *(".ebextensions/01.config", ".elasticbeanstalk/config.yml", ".elasticbeanstalk/saved_configs/x.cfg.yml"),
    *(".platform/hooks/postdeploy/01.sh", ".platform/confighooks/postdeploy/01.sh", "Dockerfile", "Dockerrun.aws.json"),
    *("docker-compose.yml", "cron.yaml", "env.yaml", "Procfile", ".ebignore"),
    *("deploy.sh", "manage.py", "package.json"),
)
HOOK = 'files:\n  "/opt/elasticbeanstalk/hooks/appdeploy/post/01.sh":\n    content: "%s"\n'
ALIASES = "\n".join(["a0: &a0 {x: y}", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30))])
MERGED = (f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n  k{n}: 1" for n in range(1, 40))
MERGES = "\n".join(["a0: &a0 {x: y}", *MERGED])
TEXTS = {
    "aliases": ALIASES,
    "aliases below known keys": ALIASES + "\nglobal: *a29\nbranch-defaults: {main: *a29}\ncommands: *a29\ncron: *a9\n",
    "a hook among aliases": ALIASES + "\n" + HOOK % "docker exec `docker ps -q` x" + "commands: {x: {command: *a29}}\n",
    "merges": MERGES,
    "a circle": "a: &a {b: *a}\ncommands: *a\nservices: *a\n",
    "deep": "[" * 50_000,
    "deep JSON": '{"a":' * 50_000,
    "one long line": "touch " + "/a" * 30_000 + "!",
    "many quotes": "\"'`" * 20_000,
    "deep substitutions": "docker exec " + "$(" * 30_000,
    "redirections": "if ls /var/app/venv " + "> " * 20_000 + "x; then true; fi",
    "removals": "rm " + "/opt/elasticbeanstalk/hooks/" * 2_000 + " x y",
    "many conditions": "if [ -f /tmp/x ]; then\n" * 20_000,
    "not closed": "FROM a\nCOPY [" + '"a", ' * 10_000,
    "an extension": "FROM a\nCOPY " + "\\\n" * 30_000,
    "control characters": "\x01\x1b[2J\x7f" * 1_000,
}


def adopted_in_time(root: Path) -> Adopted:
    begin = time.process_time()  # not the clock on the wall: a busy machine is nobody's fault
    found = read_project(str(root))
    size = len(report(found)) + sum(len(one["content"]) for one in inventory_files(found, str(root)))
    assert time.process_time() - begin < SECONDS
    assert size < 20_000_000
    return found


def write(root: Path, name: str, content: bytes) -> None:
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_in_every_place_ends_in_time(tmp_path: Path, text: str) -> None:
    for name in PLACES:
        write(tmp_path, name, text.encode())
    found = adopted_in_time(tmp_path)
    assert set(PLACES) - {"manage.py", "package.json", "deploy.sh"} <= found.notes.files()


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_script_within_a_configuration_ends_in_time(tmp_path: Path, text: str) -> None:
    body = "".join(f"      {line}\n" for line in text.splitlines())
    path = "/opt/elasticbeanstalk/hooks/appdeploy/post/01.sh"
    config = f"files:\n  {path}:\n    content: |\n{body}\ncontainer_commands:\n  01_x:\n    command: |\n{body}"
    write(tmp_path, ".ebextensions/01.config", config.encode())
    adopted_in_time(tmp_path)


def test_binary_files_are_named(tmp_path: Path) -> None:
    bytes_ = random.Random(1).randbytes(10_000) + b"\0"  # noqa: S311 -- not a secret
    for name in PLACES:
        write(tmp_path, name, bytes_)
    asked = {note.file for note in adopted_in_time(tmp_path).notes.open}
    assert {".ebextensions/01.config", "Dockerrun.aws.json", ".platform/hooks/postdeploy/01.sh"} <= asked


def test_circles_of_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".ebextensions").mkdir()
    (tmp_path / ".ebextensions/again").symlink_to("..")
    (tmp_path / ".ebextensions/01.config").symlink_to("02.config")
    (tmp_path / ".ebextensions/02.config").symlink_to("01.config")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    (tmp_path / ".platform").symlink_to(".")
    (tmp_path / "Dockerfile").symlink_to("Dockerfile")
    found = adopted_in_time(tmp_path)
    assert {".ebextensions/01.config", ".ebextensions/02.config", "Dockerfile"} <= {
        note.file for note in found.notes.open
    }


def test_fifty_thousand_files_are_too_many_and_said_so(tmp_path: Path) -> None:
    write(tmp_path, "Dockerfile", b"FROM a\n")
    for number in range(50):
        folder = tmp_path / f"media{number:02}"
        folder.mkdir()
        for name in range(1_000):
            os.close(os.open(folder / f"{name}.sh", os.O_CREAT | os.O_WRONLY))
    found = adopted_in_time(tmp_path)
    text = f"The project has more than {MOST_ENTRIES} files: only the first were looked at,"
    assert any(note.text.startswith(text) for note in found.notes.open)
    assert "Dockerfile" in found.notes.files()


def test_nothing_that_a_project_says_is_a_template(tmp_path: Path) -> None:
    evil = "{{ lookup('pipe', 'touch " + str(tmp_path / "done") + "') }}{% endraw %}"
    config = {
        "global": dict.fromkeys(("application_name", "default_region", "default_platform", "profile"), evil),
        "branch-defaults": {evil: {"environment": "shop-live"}},
    }
    write(tmp_path, "shop/.elasticbeanstalk/config.yml", json.dumps(config).encode())
    hook = f"#!/bin/sh\ncd /var/app/current && docker inspect '{evil}'\n"
    write(tmp_path, "shop/.platform/hooks/postdeploy/01_x.sh", hook.encode())
    write(tmp_path, "shop/deploy.sh", f"git add -f '{evil}' 'x{{{{ 7 }}}}' '' /etc/shadow ../x\neb deploy\n".encode())
    write(tmp_path, "shop/Dockerfile", b"FROM debian\nEXPOSE 80\n")
    (tmp_path / "shop/.git").mkdir()
    folder = tmp_path / "inventory"
    for one in inventory_files(adopted_in_time(tmp_path / "shop"), "shop"):
        if one["inventory"] == "aws":
            write(folder, one["path"], one["content"].encode())
    every = "[eb_application, eb_region, eb_platform, eb_aws, eb_source, eb_hooks, eb_secrets_files]"
    ansible = Path(sys.executable).with_name("ansible")
    command = [ansible, "-i", folder, "all", "-m", "debug", "-a", f"msg={{{{ {every} | to_json }}}}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("lookup") >= 6, done.stdout
    assert "x{{ 7 }}" in done.stdout
    assert not (tmp_path / "done").exists()
