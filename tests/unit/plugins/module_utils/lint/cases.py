# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cases of the linter's rules have in common."""

from __future__ import annotations

from dataclasses import dataclass, field

CONFIG = ".ebextensions/01.config"
AL2023 = "64bit Amazon Linux 2023 v4.3.0 running Docker"
ECS = "ECS running on 64bit Amazon Linux 2023"
DOCKERFILE = {"Dockerfile": "FROM python:3.11\nEXPOSE 8000\n"}
PYTHON = "Python 3.11 running on 64bit Amazon Linux 2023"
COMPOSE = "services:\n  web:\n    build: .\n    ports: ['80:8000']\n"
DOCKERRUN = '{"AWSEBDockerrunVersion": "%s"%s}'


def options(namespace: str, *lines: str) -> dict[str, str]:
    """A configuration file with options of one namespace; the first option is in line 3."""
    return {CONFIG: f"option_settings:\n  {namespace}:\n" + "".join(f"    {line}\n" for line in lines)}


def environment(*lines: str) -> dict[str, str]:
    return options("aws:elasticbeanstalk:application:environment", *lines)


def command(*lines: str) -> dict[str, str]:
    """A container command; its first line is line 4."""
    text = "".join(f"      {line}\n" for line in lines)
    return {CONFIG: f"container_commands:\n  a:\n    command: |\n{text}"}


@dataclass(frozen=True)
class Case:
    rule: str
    bad: dict[str, str | bytes]
    good: dict[str, str | bytes]
    line: int = 0
    platform: str | None = None
    severity: str = field(default="")
