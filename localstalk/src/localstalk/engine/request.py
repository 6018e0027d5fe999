# SPDX-License-Identifier: GPL-3.0-or-later
"""What the engine is asked to do, and what it answers."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

ACCOUNT = "123456789012"
ENVIRONMENT_NAMESPACE = "aws:elasticbeanstalk:application:environment"
NAMESPACE_STACKS = uuid.UUID("6ba7b811-9dad-11d1-80b4-00c04fd430c8")
"""RFC 4122's name space for URLs: stack ids are derived, so that all instances of an environment log the same one."""


@dataclass(frozen=True)
class Instance:
    """Who this instance is."""

    instance_id: str
    environment_id: str
    environment_name: str
    application_name: str
    region: str
    generation: str
    branch: str = "Docker running on 64bit Amazon Linux 2023"

    @property
    def stack_arn(self) -> str:
        """ARN of the environment's CloudFormation stack."""
        name = f"awseb-{self.environment_id}-stack"
        unique = uuid.uuid5(NAMESPACE_STACKS, f"{self.region}/{name}")
        return f"arn:aws:cloudformation:{self.region}:{ACCOUNT}:stack/{name}/{unique}"


@dataclass(frozen=True)
class Request:
    """One command for the engine; fields as in ``localstalk.driver.Command``."""

    name: str
    instance: Instance
    invocation_id: str = ""
    deployment_id: int = 0
    version_label: str = ""
    bundle_key: str = ""
    bundle_path: str = ""
    """Where the source bundle lies, as the instance sees it; empty when the command needs none."""
    properties: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    elects_leader: bool = True
    deployment_log: str = ""

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Read a request; raises ValueError, KeyError or TypeError when it is none."""
        data = json.loads(text)
        return cls(**{**data, "instance": Instance(**data["instance"])})

    def option(self, namespace: str, name: str, default: str = "") -> str:
        """Return an effective option setting."""
        return self.options.get(namespace, {}).get(name, default)


@dataclass(frozen=True)
class Event:
    """An event for the environment's event list."""

    severity: str
    message: str


class CommandError(Exception):
    """An instruction of a command failed.

    The text is the one for the log; ``events`` come before the general failure event; ``message`` replaces the general
    ``msg`` of the response (AL1 returns the output of the failed hook there).
    """

    def __init__(self, text: str, events: tuple[Event, ...] = (), message: str | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.events = events
        self.message = message


@dataclass
class Answer:
    """The engine's answer to the driver."""

    status: str
    returncode: int
    message: str
    events: list[Event] = field(default_factory=list)
    leader: bool | None = None
    archive: str | None = None
    """A zip file in base64 (bundle-log)."""

    def command_service(self) -> str:
        """Return the JSON of ``CommandService Response: …``; times in milliseconds (docs/elastic_beanstalk.md §5.5)."""
        now = int(time.time() * 1000)
        result: dict[str, Any] = {
            "status": self.status,
            "msg": self.message,
            "returncode": self.returncode,
            "events": [{"msg": event.message, "timestamp": now, "severity": event.severity} for event in self.events],
        }
        response = {"status": self.status, "api_version": "1.0", "results": [result]}
        return json.dumps(response, separators=(",", ":"), ensure_ascii=False)

    def to_json(self) -> str:
        """Return the answer for the driver."""
        return json.dumps(
            {
                "status": self.status,
                "returncode": self.returncode,
                "message": self.message,
                "events": [[event.severity, event.message] for event in self.events],
                "leader": self.leader,
                "archive": self.archive,
            }
        )
