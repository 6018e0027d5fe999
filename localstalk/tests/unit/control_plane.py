# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the control plane share."""

from __future__ import annotations

import base64
import io
import re
import urllib.error
import urllib.request
import zipfile
from typing import Any

import boto3

from localstalk.drivers.sim import SimDriver
from localstalk.elasticbeanstalk import models
from localstalk.keys import Key
from localstalk.model.control import Control
from localstalk.model.region import Region

STACK = "64bit Amazon Linux 2023 v4.8.0 running Docker"


def option(namespace: str, name: str, value: str) -> dict[str, str]:
    return {"Namespace": namespace, "OptionName": name, "Value": value}


PROFILE = option("aws:autoscaling:launchconfiguration", "IamInstanceProfile", "aws-elasticbeanstalk-ec2-role")
BALANCER = option("aws:elasticbeanstalk:environment", "LoadBalancerType", "application")
SINGLE = option("aws:elasticbeanstalk:environment", "EnvironmentType", "SingleInstance")


def bundle(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in ({"Dockerfile": "FROM scratch\n"} | files).items():
            archive.writestr(name, text)
    return buffer.getvalue()


class Localstalk:
    """One localstalk and the clients of one test."""

    def __init__(self, control: Control, driver: SimDriver, endpoint: str, account: str) -> None:
        self.control = control
        self.driver = driver
        self.endpoint = endpoint
        self.account = account
        self.eb = self.client("elasticbeanstalk")

    def client(self, service: str, region: str = "us-east-1", **more: Any) -> Any:
        keys = {
            "aws_access_key_id": self.key.access_key,
            "aws_secret_access_key": self.key.secret_key,
        }
        where = {"endpoint_url": self.endpoint, "region_name": region}
        session: Any = boto3.session.Session()
        return session.client(service, **where | keys | more)

    @property
    def key(self) -> Key:
        return self.control.keys.administrator

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Status and text of an administration page; the administrator's keys go along unless ``headers`` say else."""
        basic = base64.b64encode(f"{self.key.access_key}:{self.key.secret_key}".encode()).decode()
        sent = {"Authorization": f"Basic {basic}"} | headers
        request = urllib.request.Request(f"{self.endpoint}/_localstalk/{path}", body, sent, method=method)  # noqa: S310
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    @property
    def backend(self) -> models.Backend:
        backend: models.Backend = models.backends()[self.account]["us-east-1"]
        return backend

    @property
    def region(self) -> Region:
        return self.backend.region

    def advance(self, seconds: float) -> None:
        self.control.scheduler.advance(seconds)

    def version(self, label: str, **files: str) -> None:
        self.region.storage.write(self.region.bucket, f"app/{label}.zip", bundle(**files))
        self.eb.create_application_version(
            ApplicationName="app",
            VersionLabel=label,
            SourceBundle={"S3Bucket": self.region.bucket, "S3Key": f"app/{label}.zip"},
            AutoCreateApplication=True,
        )

    def create(
        self, name: str = "env-one", *settings: dict[str, str], label: str = "v1", stack: str = STACK, **more: Any
    ) -> str:
        """Create an environment, with the load balancer that the eb CLI asks for, and wait for it; returns its id."""
        if label not in getattr(self.region.applications.get("app"), "versions", {}):
            self.version(label)
        made = self.eb.create_environment(
            ApplicationName="app",
            EnvironmentName=name,
            VersionLabel=label,
            SolutionStackName=stack,
            OptionSettings=[PROFILE, BALANCER, *settings],
            **more,
        )
        self.advance(600)
        return str(made["EnvironmentId"])

    def update(self, **parameters: Any) -> str:
        """Update env-one and wait for the end; returns the request id."""
        answer = self.eb.update_environment(**({"EnvironmentName": "env-one"} | parameters))
        self.advance(3600)
        return str(answer["ResponseMetadata"]["RequestId"])

    def environment(self, name: str = "env-one") -> dict[str, Any]:
        found: dict[str, Any] = self.eb.describe_environments(EnvironmentNames=[name])["Environments"][-1]
        return found

    def lines(self, request_id: str | None = None, **parameters: Any) -> list[str]:
        """Severity (unless INFO) and text of events, oldest first, with ids and ARNs made anonymous."""
        if request_id is not None:
            parameters["RequestId"] = request_id
        events = self.eb.describe_events(**parameters)["Events"]
        return [anonymous(each["Severity"], each["Message"]) for each in reversed(events)]


_IDS = [
    (re.compile(r"arn:aws:[^\s']+"), "ARN"),
    (re.compile(r"\bi-[0-9a-f]{17}"), "i-x"),
    (re.compile(r"\bsg-[0-9a-f]+"), "sg-x"),
    (re.compile(r"e-[a-z0-9]{10}\b"), "e-x"),
    (re.compile(r"\b1\d{11}\b"), "ACCOUNT"),
    (re.compile(r"-[0-9A-Z]{12}\b"), "-RND"),
]


def anonymous(severity: str, message: str) -> str:
    for pattern, name in _IDS:
        message = pattern.sub(name, message)
    return message if severity == "INFO" else f"{severity} {message}"
