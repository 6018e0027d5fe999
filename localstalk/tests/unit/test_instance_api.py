# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance reaches: AWS's API by a socket of its own, with its profile's role, and nothing else of ours."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.exceptions
import pytest
from control_plane import Localstalk
from moto.s3.models import S3Backend

from localstalk.driver import InstanceSpec
from localstalk.engine.imds import ApiConnection, instance_role
from localstalk.instance_api import opener

INSTANCE = "i-0123456789abcdef0"
PROFILE = "web"


@pytest.fixture
def api(localstalk: Localstalk, server: Any, tmp_path: Path) -> Iterator[str]:
    spec = InstanceSpec(INSTANCE, "e-1", "one", "app", "us-east-1", "al2023", localstalk.account, PROFILE)
    path = tmp_path / "api.sock"
    close = opener(server.application)(spec, path)
    yield str(path)
    close()
    assert not path.exists()


def make_profile(localstalk: Localstalk) -> str:
    iam = localstalk.client("iam")
    iam.create_role(RoleName="web-role", AssumeRolePolicyDocument="{}")
    arn: str = iam.create_instance_profile(InstanceProfileName=PROFILE)["InstanceProfile"]["Arn"]
    iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName="web-role")
    return arn


def test_a_profile_gives_credentials_of_its_role(localstalk: Localstalk, api: str) -> None:
    arn = make_profile(localstalk)
    found = instance_role(api)
    assert found is not None
    assert (found["role"], found["info"]["InstanceProfileArn"]) == ("web-role", arn)
    credentials = found["credentials"]
    assert credentials["AccessKeyId"].startswith("ASIA")
    assert instance_role(api) == found, "they stay the same until shortly before their end"
    sts = boto3.client(
        "sts",
        endpoint_url=localstalk.endpoint,
        region_name="us-east-1",
        aws_access_key_id=credentials["AccessKeyId"],
        aws_secret_access_key=credentials["SecretAccessKey"],
        aws_session_token=credentials["Token"],
    )
    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::{localstalk.account}:assumed-role/web-role/{INSTANCE}"


def test_no_profile_no_credentials(localstalk: Localstalk, api: str) -> None:
    assert instance_role(api) is None
    localstalk.client("iam").create_instance_profile(InstanceProfileName=PROFILE)
    assert instance_role(api) is None, "a profile without a role"


@pytest.mark.parametrize("path", ["/_localstalk/health", "/_localstalk/faults", "/_localstalk/"])
def test_administration_is_out_of_reach(api: str, path: str) -> None:
    connection = ApiConnection(api)
    connection.request("POST" if path.endswith("faults") else "GET", path, json.dumps({"kind": "drop"}))
    assert connection.getresponse().status == 404
    connection.close()


def test_of_many_conditional_writes_one_succeeds(localstalk: Localstalk, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket = f"ledger-{localstalk.account}"
    s3 = localstalk.client("s3")
    s3.create_bucket(Bucket=bucket)
    write, together = S3Backend.put_object, threading.Barrier(2)

    def write_beside_another(*arguments: Any, **named: Any) -> Any:
        # Whoever has found the key free waits a little for somebody else who has.
        with contextlib.suppress(threading.BrokenBarrierError):
            together.wait(2)
        return write(*arguments, **named)

    monkeypatch.setattr(S3Backend, "put_object", write_beside_another)

    def claim(number: int) -> str:
        try:
            s3.put_object(Bucket=bucket, Key="k", Body=f"{number}", IfNoneMatch="*")
        except botocore.exceptions.ClientError as error:
            return str(error.response["Error"]["Code"])
        return "written"

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(claim, range(4)))
    assert sorted(answers) == ["PreconditionFailed"] * 3 + ["written"]
    winner = answers.index("written")
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == f"{winner}".encode()
