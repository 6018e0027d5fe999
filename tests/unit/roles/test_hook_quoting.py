# SPDX-License-Identifier: GPL-3.0-or-later
"""Any command, user, folder and environment of a task arrives as written, also through the legacy AMI's YAML."""

from __future__ import annotations

import tempfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.jack.beanstalk.plugins.filter.hooks_overlay import hooks_overlay
from hypothesis import Phase, assume, example, given, settings
from hypothesis import strategies as st

from .hook_instance import Instance

ROLE = Path(__file__).resolve().parents[3] / "roles/hooks"
# What a process may be given: everything but NUL (and no halves of characters).
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
PIECES = (
    "'",
    '"',
    "`id`",
    "$(id)",
    "${HOME}",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "!",
    "{{ x }}",
    "{% raw %}",
    "%s",
    "#",
    "END_OF_COMMAND_",
)
COMMAND = st.lists(TEXT | st.sampled_from(PIECES), min_size=1, max_size=8).map("".join)
NAME = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
LIBRARY = '"$(dirname -- "$0")/../../files/jack_hooks.sh"'
# "exec" only notes what it was given, each word ended by a NUL.
DOCKER = """#!/bin/bash
case $1 in
  ps) echo c-app ;;
  inspect) echo 'c-app sha256:2 xyz 172.17.0.5 ' ;;
  exec) printf '%s\\0' "$@" >"$JACK_HOOKS_ROOT/words" ;;
esac
"""


def render(**hook: Any) -> str:
    """The hook script, with the common part beside the application."""
    assume(hook["command"].strip())
    rendered = hooks_overlay([{"name": "task", "timeout": 5, **hook}], str(ROLE), "jack")
    assert rendered["problems"] == []
    [script] = [file["content"] for file in rendered["overlay"] if file["path"].endswith("_task.sh")]
    return str(script.replace(LIBRARY, "../library.sh"))


# Without shrinking: an example is a process, and a failing one is short enough to read.
@settings(max_examples=40, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@given(command=COMMAND, user=COMMAND, workdir=COMMAND, environment=st.dictionaries(NAME, COMMAND, max_size=3))
def test_a_task_arrives_as_written(command: str, user: str, workdir: str, environment: dict[str, str]) -> None:
    script = render(command=command, user=user, workdir=workdir, environment=environment)
    with tempfile.TemporaryDirectory() as folder:
        instance = Instance(Path(folder) / "instance")
        instance.program("bin/docker", DOCKER)
        instance.write("library.sh", (ROLE / "files/hooks.sh").read_text())
        instance.write("app/hook.sh", script)
        done = instance.run("bash", "hook.sh")
        assert done.returncode == 0, done.stderr
        words = (instance.root / "words").read_bytes().decode().split("\0")[:-1]
    pairs = [f"{name}={value}" for name, value in environment.items()]
    given_pairs = [word for option, word in pairwise(words) if option == "--env"]
    assert words[-1] == f"{command}\n"
    assert given_pairs[: len(pairs)] == pairs
    expected = [*(["--user", user] if user else []), *(["--workdir", workdir] if workdir else [])]
    assert words[1 : 1 + len(expected)] == expected


@given(command=COMMAND, environment=st.dictionaries(NAME, TEXT, max_size=3))
@example(command="echo a\x85b\u2028 c\u2029", environment={"A": "\x85"})
def test_yaml_keeps_every_character_of_a_script(command: str, environment: dict[str, str]) -> None:
    """The legacy AMI gets scripts within ``files:``."""
    task = {"command": command, "environment": environment}
    script = render(**task)
    files = hooks_overlay([{"name": "task", "timeout": 5, **task}], str(ROLE), "jack", "al1")["overlay"]
    [config] = [yaml.safe_load(file["content"]) for file in files if file["path"].endswith("_hooks.config")]
    written = config["files"]["/opt/elasticbeanstalk/hooks/appdeploy/post/jack_10_task.sh"]["content"]
    assert written.replace("/opt/elasticbeanstalk/jack_hooks/hooks.sh", "../library.sh") == script
