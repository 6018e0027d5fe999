# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests against localstalk share: one live environment to begin with, and what must be left at the end."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from administration import ask

HERE = Path(__file__).resolve().parent
LOCALSTALK = Path(sys.executable).with_name("localstalk")


@contextmanager
def localstalk(home: Path, driver: str, speed: float, *options: str) -> Iterator[dict[str, str]]:
    """A localstalk of one's own; yields the variables of a process that uses it."""
    command = [str(LOCALSTALK), "--home", str(home)]
    up = [*command, "up", "--driver", driver, "--speed", str(speed), *options]
    subprocess.run(up, check=True, capture_output=True, timeout=60)
    try:
        shown = subprocess.run([*command, "env", "--format", "json"], check=True, capture_output=True, timeout=20)
        yield {**os.environ, **json.loads(shown.stdout)}
    finally:
        subprocess.run([*command, "down"], check=True, capture_output=True, timeout=60)


def client(aws: dict[str, str], service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        region_name=aws["AWS_REGION"],
        aws_access_key_id=aws["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=aws["AWS_SECRET_ACCESS_KEY"],
    )


def add_version(aws: dict[str, str], application: str, label: str, files: dict[str, str] | None = None) -> None:
    """An application version; what it contains matters to real instances only."""
    eb = client(aws, "elasticbeanstalk")
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as archive:
        for name, text in (files or {"Dockerfile": "FROM scratch\nEXPOSE 8000\n"}).items():
            archive.writestr(name, text)
    bucket = eb.create_storage_location()["S3Bucket"]
    client(aws, "s3").put_object(Bucket=bucket, Key=f"{application}/{label}.zip", Body=bundle.getvalue())
    eb.create_application_version(
        ApplicationName=application,
        VersionLabel=label,
        SourceBundle={"S3Bucket": bucket, "S3Key": f"{application}/{label}.zip"},
    )


def setting(namespace: str, option: str, value: str) -> dict[str, str]:
    return {"Namespace": namespace, "OptionName": option, "Value": value}


def settings(aws: dict[str, str], environment: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Option settings of an environment by namespace and name."""
    found = client(aws, "elasticbeanstalk").describe_configuration_settings(
        ApplicationName=environment["ApplicationName"], EnvironmentName=environment["EnvironmentName"]
    )["ConfigurationSettings"][0]["OptionSettings"]
    return {(one["Namespace"], one["OptionName"]): one.get("Value", "") for one in found}


@contextmanager
def fault(aws: dict[str, str], kind: str, **fields: Any) -> Iterator[None]:
    """Something that goes wrong in localstalk, until the block ends."""
    identity = json.loads(ask(aws, "faults", "POST", json.dumps({"kind": kind, **fields}).encode()))["id"]
    try:
        yield
    finally:
        ask(aws, f"faults/{identity}", "DELETE")


def deploy(
    aws: dict[str, str],
    application: str,
    files: dict[str, str] | None = None,
    seconds: float = 60,
    options: list[dict[str, str]] | None = None,
    platform: str = "Docker",
) -> str:
    """An application with one healthy live environment; its id."""
    eb = client(aws, "elasticbeanstalk")
    eb.create_application(ApplicationName=application)
    add_version(aws, application, "v1", files)
    stack = next(one for one in eb.list_available_solution_stacks()["SolutionStacks"] if platform in one)
    profile = setting("aws:autoscaling:launchconfiguration", "IamInstanceProfile", "aws-elasticbeanstalk-ec2-role")
    found = eb.create_environment(
        ApplicationName=application,
        EnvironmentName=f"{application}-first",
        CNAMEPrefix=f"{application}-live",
        VersionLabel="v1",
        SolutionStackName=stack,
        OptionSettings=[profile, *(options or [])],
        Tags=[{"Key": "team", "Value": "web"}],
    )
    deadline = time.monotonic() + seconds
    while not all(one["Health"] == "Green" for one in environments(aws, application)):
        assert time.monotonic() < deadline, "the first environment does not get healthy"
        time.sleep(0.5)
    return str(found["EnvironmentId"])


def environments(aws: dict[str, str], application: str) -> list[dict[str, Any]]:
    eb = client(aws, "elasticbeanstalk")
    found = eb.describe_environments(ApplicationName=application, IncludeDeleted=False)["Environments"]
    return [one for one in found if one["Status"] not in ("Terminating", "Terminated")]


def check_end(aws: dict[str, str], application: str, first: str) -> None:
    """One environment, not the first, healthy, with the live name and the user's tags."""
    left = environments(aws, application)
    assert [one["CNAME"].split(".")[0] for one in left] == [f"{application}-live"], left
    assert left[0]["EnvironmentId"] != first
    assert left[0]["Status"] == "Ready"
    tags = client(aws, "elasticbeanstalk").list_tags_for_resource(ResourceArn=left[0]["EnvironmentArn"])["ResourceTags"]
    shown = {one["Key"]: one["Value"] for one in tags}
    assert shown["team"] == "web"
    assert (shown["jack:role"], shown["jack:logical"]) == ("live", f"{application}/{application}-live")


def run(aws: dict[str, str], application: str, *options: str, kind: str = "cycle") -> tuple[int, dict[str, Any]]:
    """A cycle or a deployment to its end, or to its death (a negative status); see ansible_run.py.

    ``steps`` of a cycle are its actions, ``reasons`` what it said of them.
    """
    command = [sys.executable, str(HERE / "ansible_run.py"), kind, application, *options]
    ended = subprocess.run(command, env=aws, capture_output=True, text=True, timeout=240, check=False)
    if ended.returncode > 0:
        raise AssertionError(ended.stderr)
    result: dict[str, Any] = json.loads(ended.stdout) if ended.returncode == 0 else {}
    if steps := result.get("steps"):
        result |= {"steps": [one["action"] for one in steps], "reasons": [one["reason"] for one in steps]}
    return ended.returncode, result
