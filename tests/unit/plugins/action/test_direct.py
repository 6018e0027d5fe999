# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that run within Ansible's own process do what they do as a program of their own."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import botocore.session
import pytest
import yaml
from ansible_collections.jack.beanstalk.plugins.plugin_utils import direct
from botocore import hooks, loaders, parsers, utils

ROOT = Path(__file__).resolve().parents[4]
PLUGINS = ROOT / "plugins"
SPAWNED = "EXEC /bin/sh"


def play(folder: Path, aws: dict[str, str], task: dict[str, Any], *args: str) -> tuple[str, dict[str, Any]]:
    """Run one task; returns everything that was printed, and the task's result."""
    book = {
        "hosts": "all",
        "connection": "local",
        "gather_facts": False,
        "vars": {"ansible_python_interpreter": sys.executable},
        "module_defaults": {"group/jack.beanstalk.beanstalk": aws},
        "tasks": [{"register": "made", "ignore_errors": True, **task}],
    }
    book["tasks"].append(
        {"ansible.builtin.copy": {"content": "{{ made }}", "dest": str(folder / "made.json")}, "check_mode": False}
    )
    path = folder / "site.yml"
    path.write_text(yaml.safe_dump([book]))
    variables = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    variables |= {"ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_LOCAL_TEMP": str(folder / "tmp")}
    program = Path(sys.executable).with_name("ansible-playbook")
    command = [program, "-i", "one,", "-vvv", path, *args]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=True, cwd=folder, timeout=120)
    return done.stdout.partition("ansible.builtin.copy")[0], json.loads((folder / "made.json").read_text())


def result(made: dict[str, Any]) -> dict[str, Any]:
    """What the module itself said, without the times of this very run."""
    return {key: made.get(key) for key in ("changed", "failed", "msg", "diff", "application")}


def test_the_same_result_without_a_process(aws: dict[str, str], tmp_path: Path) -> None:
    task = {"jack.beanstalk.application": {"name": "direct", "tags": {"team": "web"}}}
    apart = {**task, "environment": {"BENCH": "1"}}
    direct, here = play(tmp_path, aws, task, "--check", "--diff")
    assert SPAWNED not in direct
    shown, there = play(tmp_path, aws, apart, "--check", "--diff")
    assert SPAWNED in shown
    assert here["changed"]
    assert result(here) == result(there)
    # What is hidden there is hidden here, and a failure is told the same way.
    assert "secret_key: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in direct
    assert "secret_key: VALUE_SPECIFIED_IN_NO_LOG_PARAMETER" in shown
    wrong = {"jack.beanstalk.application": {"name": "direct/", "tags": {"team": "web"}}}
    refused, elsewhere = play(tmp_path, aws, wrong)[1], play(tmp_path, aws, {**wrong, "environment": {"B": "1"}})[1]
    assert refused["failed"]
    assert "direct/" in refused["msg"]
    assert result(refused) == result(elsewhere)


def test_every_action_has_its_module() -> None:
    actions = list((PLUGINS / "action").glob("*.py"))
    assert actions
    # Of a link, antsibull-docs takes the module for another name of the one that is linked to.
    assert not any(path.is_symlink() for path in actions)
    assert all((PLUGINS / "modules" / path.name).is_file() for path in actions)


def test_what_botocore_knows_of_services_is_read_once_for_all_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    read = loaders.JSONFileLoader.load_file

    def counted(self: Any, file_path: str) -> Any:
        opened.append("/".join(Path(file_path).parts[-3:]))
        return read(self, file_path)

    monkeypatch.setattr(loaders.Loader, "FILE_LOADER_CLASS", loaders.JSONFileLoader)
    monkeypatch.setattr(loaders.JSONFileLoader, "load_file", counted)
    listed: list[str] = []
    look_for_services = loaders.Loader.list_available_services.__wrapped__

    def noted(self: Any, type_name: str) -> Any:
        listed.append(type_name)
        return look_for_services(self, type_name)

    monkeypatch.setattr(loaders.Loader, "list_available_services", noted)
    monkeypatch.setattr(direct, "_kept", {})
    monkeypatch.setattr(direct, "_listed", {})
    direct.keep_models(loaders, botocore.session, boto3.session)
    opened.clear()
    assert sorted(listed) == ["endpoint-rule-set-1", "service-2"]
    for service in ("elasticbeanstalk", "s3", "autoscaling", "sns"):
        given = {"region_name": "eu-central-1", "aws_access_key_id": "x", "aws_secret_access_key": "x"}
        assert boto3.session.Session().client(service, **given).meta.region_name == "eu-central-1"
    assert len(listed) == 2
    assert any(re.fullmatch("sns/.*/service-2", name) for name in opened)
    assert not [name for name in opened if re.search("/(endpoints|partitions)$", name)]
    ours = "(elasticbeanstalk|s3|autoscaling)/.*(service-2|rule-set-1)$"
    assert not [name for name in opened if re.match(ours, name)]
    # A file that is not there yet may be there later.
    name = str(tmp_path / "endpoints")
    assert loaders.Loader.FILE_LOADER_CLASS().load_file(name) is None
    Path(f"{name}.json").write_text("{}")
    assert loaders.Loader.FILE_LOADER_CLASS().load_file(name) == {}


def test_names_of_events_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    class Aliases(dict[str, str]):
        def items(self) -> Any:
            asked.append("looked through")
            return super().items()

    monkeypatch.setattr(hooks, "EVENT_ALIASES", Aliases(hooks.EVENT_ALIASES))
    monkeypatch.setattr(hooks.EventAliaser, "__init__", hooks.EventAliaser.__init__.__wrapped__)
    direct.keep_names(hooks)
    botocore.session.get_session()
    assert len(asked) > 100
    asked.clear()
    botocore.session.get_session()
    assert asked == []
    other = hooks.EventAliaser(hooks.HierarchicalEmitter(), {"ses": "email"})
    assert other._alias_event_name("creating-client-class.iot-data") == "creating-client-class.iot-data"
    usual = hooks.EventAliaser(hooks.HierarchicalEmitter())
    assert usual._alias_event_name("creating-client-class.iot-data") == "creating-client-class.iot-data-plane"


TIMES = """2026-11-30T01:02:03Z, 2026-11-30T01:02:03.456Z, 2026-11-30T01:02:03+02:00, 2026-11-30, 1796000000.5,
20261130T010203Z"""


@pytest.mark.parametrize("text", [1796000000, "Mon, 30 Nov 2026 01:02:03 GMT", *re.split(r",\s", TIMES)])
def test_times_are_read_as_botocore_reads_them(text: Any) -> None:
    assert parsers.DEFAULT_TIMESTAMP_PARSER(text) == utils.parse_timestamp(text)


def test_what_is_no_time_is_refused_as_botocore_refuses_it() -> None:
    with pytest.raises(ValueError, match='Invalid timestamp "2026-99-30T01:02:03Z"'):
        parsers.DEFAULT_TIMESTAMP_PARSER("2026-99-30T01:02:03Z")


@pytest.mark.parametrize("action", sorted(path.stem for path in (PLUGINS / "action").glob("[a-z]*.py")))
def test_modules_are_imported_before_the_forks(action: str) -> None:
    prefix = "ansible_collections.jack.beanstalk.plugins"
    importlib.import_module(f"{prefix}.action.{action}")
    assert f"{prefix}.modules.{action}" in sys.modules
