# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the real modules against one localstalk with simulated instances."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from administration import ask
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args

Result = dict[str, Any]
SPEED = "200"
INSTANCE_ROLE = "aws-elasticbeanstalk-ec2-role"
ROOT = Path(__file__).resolve().parents[3]


def _localstalk(home: Path, *args: str) -> str:
    beside = Path(sys.executable).with_name("localstalk")
    # A cell of `make matrix` has none of its own: it is what Ansible talks to.
    program = beside if beside.exists() else ROOT / ".venv" / "bin" / "localstalk"
    done = subprocess.run([program, "--home", home, *args], check=True, capture_output=True, text=True)
    return done.stdout


@pytest.fixture(scope="session")
def localstalk_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What ``localstalk env`` prints of a localstalk that lives as long as the test run."""
    home = tmp_path_factory.mktemp("localstalk")
    _localstalk(home, "up", "--driver", "sim", "--speed", SPEED)
    try:
        env = json.loads(_localstalk(home, "env", "--format", "json"))
        _prepare(env)
        yield env
    finally:
        _localstalk(home, "down")


def _prepare(env: dict[str, str]) -> None:
    """What an administrator makes: an instance profile of the tests, and the right to read secrets."""
    keys = {"aws_access_key_id": env["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}
    iam = boto3.client("iam", endpoint_url=env["AWS_ENDPOINT_URL"], region_name=env["AWS_REGION"], **keys)
    iam.create_instance_profile(InstanceProfileName="shop-instances")
    iam.add_role_to_instance_profile(InstanceProfileName="shop-instances", RoleName=INSTANCE_ROLE)
    actions = ["secretsmanager:GetSecretValue", "ssm:GetParameter", "ssm:GetParameters"]
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=INSTANCE_ROLE, PolicyName="secrets", PolicyDocument=policy)


@pytest.fixture(scope="session")
def aws(localstalk_env: dict[str, str]) -> dict[str, str]:
    """Connection parameters of modules for it."""
    env = localstalk_env
    return {
        "endpoint_url": env["AWS_ENDPOINT_URL"],
        "region": env["AWS_REGION"],
        "access_key": env["AWS_ACCESS_KEY_ID"],
        "secret_key": env["AWS_SECRET_ACCESS_KEY"],
    }


class Faults:
    """What goes wrong in localstalk: see its README."""

    def __init__(self, env: dict[str, str]) -> None:
        self._env = env

    def add(self, **fault: Any) -> None:
        self._ask("POST", json.dumps(fault).encode())

    def clear(self) -> None:
        self._ask("DELETE")

    def _ask(self, method: str, content: bytes | None = None) -> None:
        ask(self._env, "faults", method, content)


@pytest.fixture
def faults(localstalk_env: dict[str, str]) -> Iterator[Faults]:
    """Let things go wrong until the end of the test."""
    faults = Faults(localstalk_env)
    yield faults
    faults.clear()


@pytest.fixture(scope="session")
def eb(aws: dict[str, str]) -> Any:
    """A plain client, to look at what the modules did."""
    return boto3.client(
        "elasticbeanstalk",
        endpoint_url=aws["endpoint_url"],
        region_name=aws["region"],
        aws_access_key_id=aws["access_key"],
        aws_secret_access_key=aws["secret_key"],
    )


@pytest.fixture
def run(
    aws: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Result]:
    """Run one module; returns what it printed as JSON, with its warnings, which would go to the screen of the tests."""
    warnings: list[str] = []
    monkeypatch.setattr(AnsibleModule, "warn", lambda _module, text, **_more: warnings.append(text))

    def call(module_name: str, /, *, check: bool = False, **params: Any) -> Result:
        place = {} if module_name in ("source_bundle", "bundle_lint") else aws
        arguments = {**place, **params, "_ansible_check_mode": check, "_ansible_diff": True}
        module = importlib.import_module(f"ansible_collections.jack.beanstalk.plugins.modules.{module_name}")
        capsys.readouterr()
        warnings.clear()
        with patch_module_args(arguments), pytest.raises(SystemExit):
            module.main()
        return {**json.loads(capsys.readouterr().out), **({"warnings": list(warnings)} if warnings else {})}

    return call


@pytest.fixture
def bundle(tmp_path: Path) -> Callable[[str], str]:
    """Make a small source bundle with the given text in it."""

    def make(text: str) -> str:
        path = tmp_path / f"{text}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("Dockerfile", f"FROM scratch\nLABEL text={text}\n")
        return str(path)

    return make
