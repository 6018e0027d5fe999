# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX as code against a double of AWX's REST API, with the real modules of the collection awx.awx."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from botocore.configloader import load_config
from jinja2 import Template

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(Path(__file__).parent))

from awx_double import AwxDouble  # noqa: E402  it lies beside this file

ANSIBLE_PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
SECRETS = {
    "awx_aws_secret_key": "aws-secret-77", "awx_aws_session_token": "aws-session-77", "vault": "vault-secret-77",
    "scm": "scm-secret-77", "webhook": "https://hooks.example.com/secret-77", "external": "external-77",
}  # fmt: skip
WEBHOOK = {
    "url": SECRETS["webhook"], "http_method": "POST", "headers": {}, "username": "jack", "password": "hook-secret-77",
    "disable_ssl_verification": False,
}  # fmt: skip
FULL: dict[str, Any] = {
    "awx_name": "shop",
    "awx_organization": "Shop",
    "awx_scm_url": "https://git.example.com/shop.git",
    "awx_scm_branch": "main",
    "awx_scm_inputs": {"username": "git", "password": SECRETS["scm"]},
    "awx_image": "registry.example.com/shop-ee:1.0",
    "awx_aws_access_key": "AKIAEXAMPLE",
    "awx_aws_secret_key": SECRETS["awx_aws_secret_key"],
    "awx_aws_session_token": SECRETS["awx_aws_session_token"],
    "awx_vault_passwords": [{"id": "production", "password": SECRETS["vault"]}],
    "awx_limit": "production",
    "awx_job_slice_count": 4,
    "awx_extra_vars": {"eb_poll_interval": 10},
    "awx_schedules": [
        {
            "name": "nightly",
            "template": "recreate_or_rollback",
            "time": "02:30",
            "time_zone": "Europe/London",
            "limit": "production",
        },
        {"name": "weekly", "template": "status", "time": "12:30", "days": ["Mon", "Fri"], "enabled": False},
    ],
    "awx_notifications": [
        {"name": "operations", "type": "webhook", "events": ["error"], "configuration": WEBHOOK},
        {
            "name": "chat",
            "type": "webhook",
            "events": ["error", "success"],
            "secret": False,
            "configuration": WEBHOOK | {"username": "", "password": ""},
        },
    ],
}
MINIMAL = {"awx_scm_url": "https://git.example.com/shop.git"}
ONCE = "RRULE:FREQ=DAILY;INTERVAL=1;UNTIL=20270101T023000Z"


@pytest.fixture
def awx() -> Iterator[AwxDouble]:
    with AwxDouble() as double:
        yield double


def play(
    awx: AwxDouble, folder: Path, variables: dict[str, Any], playbook: Path = ROOT / "awx.yml"
) -> subprocess.CompletedProcess[str]:
    """Run awx.yml as a user does; nothing secret may be printed, however verbose it is."""
    file = folder / "variables.json"
    access = {"awx_host": awx.url, "awx_username": "admin", "awx_password": awx.password}
    file.write_text(json.dumps(access | variables))
    command = [ANSIBLE_PLAYBOOK, "-i", "localhost,", "-e", f"@{file}", playbook, "-vv", "--diff"]
    # One process for a module instead of three: these runs are nothing but modules.
    quick = os.environ | {"ANSIBLE_PIPELINING": "True"}
    done = subprocess.run(command, cwd=ROOT, env=quick, capture_output=True, text=True, timeout=300, check=False)
    for secret in [awx.password, awx.token, *awx.store.secrets]:
        assert secret not in done.stdout + done.stderr
    return done


def changed(done: subprocess.CompletedProcess[str]) -> int:
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return int(re.findall(r"changed=(\d+)", done.stdout)[-1])


def count(awx: AwxDouble) -> dict[str, int]:
    """How many objects of each kind there are, without those that AWX has by itself."""
    every = {kind: [i for i in items.values() if not i.get("managed")] for kind, items in awx.store.objects.items()}
    ours = {kind: len(items) for kind, items in every.items() if items}
    for kind in ("users", "project_updates"):
        ours.pop(kind, None)
    return ours


def named(awx: AwxDouble, kind: str) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in awx.store.objects[kind].values()}


@pytest.mark.slow
def test_apply_twice_change_then_remove_twice(awx: AwxDouble, tmp_path: Path) -> None:
    assert changed(play(awx, tmp_path, FULL)) > 0
    assert count(awx) == {
        "organizations": 1, "credentials": 3, "execution_environments": 1, "projects": 1, "inventories": 1,
        "inventory_sources": 1, "job_templates": 4, "workflow_job_templates": 1, "workflow_job_template_nodes": 2,
        "schedules": 2, "notification_templates": 2,
    }  # fmt: skip
    deploy = named(awx, "job_templates")["shop deploy"]
    assert deploy["playbook"] == "deploy.yml" and deploy["limit"] == "production" and deploy["job_slice_count"] == 4
    assert deploy["allow_simultaneous"] is False and deploy["ask_limit_on_launch"] is True
    assert json.loads(deploy["extra_vars"]) == {"eb_poll_interval": 10}
    survey = awx.store.surveys["job_templates", deploy["id"]]
    assert [question["variable"] for question in survey["spec"]] == ["eb_wait_timeout"]
    used = awx.store.associated["job_templates", deploy["id"], "credentials"]
    assert {awx.store.objects["credentials"][key]["name"] for key in used} == {"shop AWS keys", "shop vault production"}
    keys = named(awx, "credentials")["shop AWS keys"]["inputs"]
    assert keys["password"] == SECRETS["awx_aws_secret_key"]

    rules = {name: item["rrule"] for name, item in named(awx, "schedules").items()}
    assert rules == {
        "shop nightly": "DTSTART;TZID=Europe/London:20260101T023000 RRULE:FREQ=DAILY;INTERVAL=1",
        "shop weekly": "DTSTART;TZID=UTC:20260101T123000 RRULE:FREQ=WEEKLY;INTERVAL=1;BYDAY=MO,FR",
    }
    nodes = {item["identifier"]: item["id"] for item in awx.store.objects["workflow_job_template_nodes"].values()}
    failure = awx.store.associated["workflow_job_template_nodes", nodes["recreate_and_swap"], "failure_nodes"]
    assert failure == [nodes["rollback"]]

    # Nothing changes, and nobody can see that a secret did: it is sent again only when that is asked for.
    rotated = FULL | {"awx_aws_secret_key": "rotated-78"}
    awx.writes.clear()
    assert changed(play(awx, tmp_path, rotated)) == 0
    assert awx.writes == []

    # What is no secret is compared and corrected as ever.
    chat = dict(FULL["awx_notifications"][1])
    chat["configuration"] = chat["configuration"] | {"http_method": "PUT"}
    edited = {"awx_limit": "staging", "awx_notifications": [FULL["awx_notifications"][0], chat]}
    assert changed(play(awx, tmp_path, rotated | edited | {"awx_update_secrets": True})) > 0
    assert named(awx, "credentials")["shop AWS keys"]["inputs"]["password"] == "rotated-78"
    assert named(awx, "notification_templates")["shop chat"]["notification_configuration"]["http_method"] == "PUT"
    kinds = {path.split("/")[3] for path in awx.writes}
    assert kinds == {"credentials", "job_templates", "workflow_job_templates", "notification_templates"}

    # As an AWX whose task engine is busy or down: the inventory stays for long, and that holds nothing else up.
    awx.store.removal_seconds = 3600
    removed = play(awx, tmp_path, FULL | {"awx_state": "absent", "awx_wait_timeout": 2})
    assert changed(removed) > 0
    assert "[ERROR]" not in removed.stdout + removed.stderr
    assert count(awx) == {"inventories": 1, "inventory_sources": 1}
    awx.writes.clear()
    assert changed(play(awx, tmp_path, FULL | {"awx_state": "absent"})) == 0
    assert awx.writes == []


@pytest.mark.slow
def test_the_example_of_the_readme_and_what_others_have(awx: AwxDouble, tmp_path: Path) -> None:
    """A role instead of keys, a token instead of a password, and somebody else's inventory of the same name."""
    others = awx.store.write("organizations", None, {"name": "others"})["id"]
    awx.store.write("inventories", None, {"name": "jack-beanstalk", "organization": others})
    example = tmp_path / "example.yml"
    example.write_text(re.findall(r"(?ms)^```yaml\n(.*?)^```$", (ROOT / "roles/awx/README.md").read_text())[0])
    variables = {
        "vault_production_password": SECRETS["vault"], "vault_webhook_url": SECRETS["webhook"],
        "awx_username": "", "awx_password": "", "awx_token": awx.token,
        "awx_aws_role_external_id": SECRETS["external"],
        "awx_schedules": [
            {"name": "once", "template": "deploy", "rrule": f"DTSTART;TZID=Europe/London:20260101T023000\n{ONCE}"}
        ],
    }  # fmt: skip
    assert changed(play(awx, tmp_path, variables, example)) > 0
    assert "jack-beanstalk recreate_or_rollback" in named(awx, "workflow_job_templates")
    ours = named(awx, "organizations")["jack-beanstalk"]["id"]
    used = named(awx, "job_templates")["jack-beanstalk deploy"]["inventory"]
    assert awx.store.objects["inventories"][used]["organization"] == ours

    credential = named(awx, "credentials")["jack-beanstalk AWS role"]
    assert credential["inputs"]["source"] == "Ec2InstanceMetadata"
    template = named(awx, "credential_types")["jack-beanstalk AWS role"]["injectors"]["file"]["template.config"]
    (tmp_path / "config").write_text(Template(template).render(credential["inputs"]))
    profile = load_config(str(tmp_path / "config"))["profiles"]["default"]
    assert profile == {
        "role_arn": "arn:aws:iam::123456789012:role/deployer",
        "external_id": SECRETS["external"],
        "credential_source": "Ec2InstanceMetadata",
    }
    keys = {"role_arn": "arn:role", "source": "Keys", "access_key": "AKIA", "secret_key": "s"}
    (tmp_path / "config").write_text(Template(template).render(keys))
    profiles = load_config(str(tmp_path / "config"))["profiles"]
    assert profiles["default"] == {"role_arn": "arn:role", "source_profile": "keys"}
    assert profiles["keys"] == {"aws_access_key_id": "AKIA", "aws_secret_access_key": "s"}
    assert changed(play(awx, tmp_path, variables, example)) == 0

    awx.store.write("inventories", None, {"name": "somebody else's", "organization": ours})
    done = play(awx, tmp_path, variables | {"awx_state": "absent"}, example)
    assert changed(done) > 0
    assert "stays, because somebody else has something in it" in " ".join(done.stdout.split())
    assert count(awx) == {"organizations": 2, "inventories": 2}


def test_what_cannot_work_is_refused(awx: AwxDouble, tmp_path: Path) -> None:
    once = {"name": "x", "template": "deploy", "rrule": f"DTSTART:20260101T000000Z {ONCE.removesuffix('Z')}"}
    question = {"question_name": "Word", "variable": "word", "type": "password", "required": False, "default": "s"}
    template = {"name": "deploy", "playbook": "deploy.yml", "survey": [question]}
    wrong = {
        "awx_scm_url is not set": {"awx_scm_url": ""},
        "Neither awx_token nor": {"awx_password": ""},
        "names a template that is none of": {"awx_schedules": [{"name": "x", "template": "deplo", "time": "02:30"}]},
        "time is HH:MM": {"awx_schedules": [{"name": "x", "template": "deploy", "time": 750}]},
        "is in UTC and ends with Z": {"awx_schedules": [once]},
        "a survey's password has no default": {"awx_templates": [template], "awx_workflow": False},
    }
    for message, variables in wrong.items():
        done = play(awx, tmp_path, MINIMAL | variables)
        assert done.returncode != 0
        assert message in " ".join(done.stdout.split()), done.stdout
    assert awx.writes == []


class Captured(Exception):  # noqa: N818  not an error
    def __init__(self, argument_spec: dict[str, Any], **rules: Any) -> None:
        super().__init__("captured")
        self.spec, self.rules = argument_spec, rules


def module_spec(name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The argument spec that a module of awx.awx builds for itself."""
    module = importlib.import_module(f"ansible_collections.awx.awx.plugins.modules.{name}")

    def capture(**arguments: Any) -> None:
        raise Captured(**arguments)

    monkeypatch.setattr(module, "ControllerAPIModule", capture)
    with pytest.raises(Captured) as captured:
        module.main()
    return captured.value.spec


def tasks_of(file: Path) -> Iterator[dict[str, Any]]:
    for task in yaml.safe_load(file.read_text()):
        yield task
        yield from task.get("block", [])


def test_every_argument_is_one_of_the_module(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    for file in sorted((ROOT / "roles/awx/tasks").glob("*.yml")):
        for task in tasks_of(file):
            for key in task:
                if not key.startswith("awx.awx."):
                    continue
                name, arguments = key.removeprefix("awx.awx."), task[key]
                spec = module_spec(name, monkeypatch)
                # A template stands for a value of the right type: check the names, and the values that are literal.
                literal = {k: v for k, v in arguments.items() if not (isinstance(v, str) and "{{" in v)}
                unknown = set(arguments) - set(spec)
                assert not unknown, f"{file.name}: {task['name']}: {unknown}"
                required = {k for k, v in spec.items() if v.get("required")}
                assert required <= set(arguments), f"{file.name}: {task['name']}"
                relaxed = {k: {**v, "required": False} for k, v in spec.items()}
                assert ArgumentSpecValidator(relaxed).validate(literal).error_messages == []
                seen.add(name)
    assert seen == {
        "credential", "credential_type", "execution_environment", "inventory", "inventory_source", "job_template",
        "notification_template", "organization", "project", "schedule", "workflow_job_template",
    }  # fmt: skip
