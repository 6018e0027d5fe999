# SPDX-License-Identifier: GPL-3.0-or-later
"""Hook scripts in the shapes that people gave them, and deploy scripts."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent
from types import SimpleNamespace

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.deploy_script import read_deploy_scripts
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.notes import Notes, masked
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.project import read_project
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.source import Source

POST = "/opt/elasticbeanstalk/hooks/appdeploy/post/"


def hook(script: str, name: str = "me_01_task.sh") -> str:
    return f'files:\n  "{POST}{name}":\n    mode: "000755"\n    content: |\n{indent(script, "      ")}\n'


def guarded(command: str, marker: str = "/tmp/task") -> str:
    return f"#!/usr/bin/env bash\nif [ -f {marker} ]; then\n  rm -f {marker}\n  {command}\nfi"


def ritual(tmp_path: Path, *configs: str) -> tuple[SimpleNamespace, list[str]]:
    (tmp_path / "Dockerfile").write_text("FROM debian\nEXPOSE 80\n")
    (tmp_path / ".ebextensions").mkdir()
    for number, text in enumerate(configs):
        (tmp_path / ".ebextensions" / f"{number:02}.config").write_text(text)
    adopted = read_project(str(tmp_path))
    said = {name: adopted.variables.get(f"eb_{name}", []) for name in ("hooks", "hooks_prefix")}
    overlay = adopted.variables.get("eb_bundle_overlay", [])
    return SimpleNamespace(**said, overlay=overlay), [note.text for note in adopted.notes.open]


MARKER = 'container_commands:\n  01_task:\n    command: "touch /tmp/task"\n    leader_only: true\n'


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("docker exec `docker ps -q` ./manage.py x", {"command": "./manage.py x"}),
        ("sudo docker exec $(sudo docker ps -q -n 1) ./manage.py x", {"command": "./manage.py x"}),
        ('docker exec "$(docker ps -ql)" ./manage.py x', {"command": "./manage.py x"}),
        ("docker exec -it `docker ps -q` sh -c 'a | b'", {"command": "sh -c 'a | b'"}),
        (
            "docker exec -u app -w /srv -e A='b' `docker ps -q` ./manage.py x",
            {"command": "./manage.py x", "user": "app", "workdir": "/srv", "environment": {"A": "b"}},
        ),
        ("docker exec `docker ps -q` a\n  docker exec `docker ps -q` b", {"command": "a\nb"}),
        ("docker exec `docker ps -q` \\\n    a \\\n    b", {"command": "a b"}),
    ],
)
def test_container_commands(tmp_path, command, expected):
    found, _open = ritual(tmp_path, MARKER + hook(guarded(command)))
    assert found.hooks == [{"name": "task", **expected, "where": "container", "leader_only": True}]


@pytest.mark.parametrize("command", ["service nginx reload", "docker image prune -f"])
def test_host_commands(tmp_path, command):
    found, _open = ritual(tmp_path, MARKER + hook(guarded(command)))
    assert found.hooks == [{"name": "task", "command": command, "where": "host", "leader_only": True}]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("docker exec web ./manage.py x", "docker exec in web, which is no service of docker-compose.yml"),
        ("for i in 1 2; do echo $i; done", "a loop, a case or a function (for)"),
        ("cat > x << END\nhello\nEND", "a here document"),
        ("./serve &", "a command in the background (&)"),
        ("if [ $x = 1 ]; then true; fi", "if [ $x = 1 ]"),
        ("x=$(hostname)", "the variable x, whose value the instance works out"),
        ("echo 'open", "a ' without its end"),
    ],
)
def test_what_is_not_understood_stays_whole_and_says_why(tmp_path: Path, command: str, reason: str) -> None:
    config = MARKER + hook(f"#!/bin/sh\ndocker exec `docker ps -q` ./first\n{command}")
    found, questions = ritual(tmp_path, config)
    assert (found.hooks, found.overlay) == ([], [])
    assert f"{POST}me_01_task.sh stays as it is: not understood is {reason}." in questions


def test_braces_of_jinja_mean_themselves(tmp_path):
    found, _open = ritual(tmp_path, hook("#!/bin/sh\ndocker inspect --format '{{.ID}}' x"))
    assert found.hooks[0]["command"] == "docker inspect --format '{{.ID}}' x"


def test_a_script_without_a_marker_runs_everywhere(tmp_path):
    found, _open = ritual(tmp_path, hook("#!/bin/bash\nset -e\n# warm up\ndocker exec `docker ps -q` ./warm"))
    assert found.hooks == [{"name": "task", "command": "./warm", "where": "container", "leader_only": False}]


def test_a_marker_that_nobody_touches(tmp_path):
    found, questions = ritual(tmp_path, hook(guarded("docker exec `docker ps -q` x")))
    assert found.hooks == []
    assert any("which nothing touches" in text for text in questions)


def test_order_is_by_number_and_names_are_unique(tmp_path):
    configs = [hook("#!/bin/sh\n./run", name) for name in ("me_10_b.sh", "me_02_a-b.sh", "me_03_b")]
    found, _open = ritual(tmp_path, *configs)
    assert [item["name"] for item in found.hooks] == ["a_b", "b", "b_2"]


def test_several_owners(tmp_path):
    found, questions = ritual(
        tmp_path,
        hook("#!/bin/sh\n./run", "me_01_a.sh"),
        hook("#!/bin/sh\n./run", "me_02_b.sh"),
        hook("#!/bin/sh\n./run", "you_01_c.sh"),
    )
    assert found.hooks_prefix == "me"
    assert "There are scripts of other owners too (you); all became me's." in questions


def test_clean_up_commands_go(tmp_path):
    found, _open = ritual(
        tmp_path, f"commands:\n  01:\n    command: rm -f {POST}me_*\n  02:\n    command: echo hello\n"
    )
    assert found.overlay[0]["content"].endswith("commands:\n  '02':\n    command: echo hello\n")


def test_what_is_no_ritual_stays(tmp_path):
    found, questions = ritual(
        tmp_path,
        "files:\n  /opt/elasticbeanstalk/hooks/appdeploy/enact/x.sh: {content: x}\n  /etc/nginx/a.conf: {content: x}\n"
        "container_commands:\n  a: {command: touch /tmp/x, test: '[ -f y ]'}\n"
        "option_settings:\n  - {namespace: 'aws:autoscaling:launchconfiguration', option_name: EC2KeyName, value: x}\n",
        "a: [\n",
    )
    assert (found.hooks, found.overlay) == ([], [])
    dead = "Only the retired Amazon Linux AMI runs it: on the platform of the inventory it does nothing."
    assert any(text.endswith(f"replaces a script of Elastic Beanstalk's own. {dead}") for text in questions)
    assert any(text.startswith("The file could not be read") for text in questions)


def test_deploy_script(tmp_path):
    (tmp_path / "deploy.sh").write_text(
        "#!/bin/sh\n# eb deploy\ngit add -f .secrets ./front/build && \\\n"
        "  eb deploy production --profile=me --timeout 20\n"
        "export AWS_SECRET_ACCESS_KEY=abcdefgh\neb setenv PASSWORD=hunter2 DEBUG=0\n"
        "git reset HEAD .secrets; sleep 3 &\necho 'unfinished\n"
    )
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "deploy.py").write_text("run(['eb', 'deploy'])")
    notes = Notes()
    found = read_deploy_scripts(Source(tmp_path, notes))
    assert (found.secrets, found.profile, found.staged) == ([".secrets", "front/build"], "me", False)
    said = str(notes.as_dict())
    assert "eb deploy names production" in said
    assert "eb deploy --timeout 20 was left out." in said
    assert "Not understood: export AWS_SECRET_ACCESS_KEY=***" in said
    assert "eb setenv sets PASSWORD, DEBUG" in said
    assert "It calls the EB CLI, and was not read" in said
    assert "hunter2" not in said
    assert "abcdefgh" not in said


def test_no_deploy_script(tmp_path):
    notes = Notes()
    assert read_deploy_scripts(Source(tmp_path, notes)).secrets == []
    assert notes.open[0].text.startswith("No script calls eb deploy")


def test_masked():
    assert masked("  curl -H 'X-Api-Key: abc' --password=def x") == "curl -H 'X-Api-Key: *** --password=*** x"
