# SPDX-License-Identifier: GPL-3.0-or-later
"""Which kind of Docker application a bundle is, and what its ``Dockerrun.aws.json`` says; pure.

See docs/elastic_beanstalk.md §6.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from .request import CommandError, Event

Kind = Literal["compose", "dockerfile", "image"]

MISSING = (
    "Instance deployment: Both 'Dockerfile' and 'Dockerrun.aws.json' are missing in your source bundle. "
    "Include at least one of them. The deployment failed."
)
INVALID_VERSION = "Invalid Dockerrun.aws.json version, abort deployment"


@dataclass(frozen=True)
class Application:
    """What to build and run; ``port`` is the one that Dockerrun.aws.json or the Dockerfile names, if any."""

    kind: Kind
    port: int | None = None
    image: str = ""
    update: bool = True
    volumes: tuple[tuple[str, str], ...] = ()
    logging: str = ""
    entrypoint: str = ""
    command: str = ""


def _fail(text: str) -> CommandError:
    return CommandError(text, (Event("ERROR", text),))


COMPOSE = "docker-compose.yml"
"""The only name by which EB takes a compose file ("Preparing your Docker image for deployment" of its guide)."""


def read(folder: Path, knows_compose: bool = True) -> Application:
    """Look at an extracted bundle; raises CommandError with EB's text when it is no Docker application.

    The retired Amazon Linux AMI knows no compose: there the file is one like any other.
    """
    compose = knows_compose and (folder / COMPOSE).is_file()
    dockerfile = folder / "Dockerfile"
    dockerrun = folder / "Dockerrun.aws.json"
    data = _load(dockerrun) if dockerrun.is_file() else {}
    if compose:
        return Application("compose")
    if data and str(data.get("AWSEBDockerrunVersion")) != "1":
        raise _fail(INVALID_VERSION)
    if not dockerfile.is_file() and not data:
        raise _fail(MISSING)
    port = _first_port(data)
    image: dict[str, Any] = data["Image"] if isinstance(data.get("Image"), dict) else {}
    if dockerfile.is_file():
        kind: Kind = "dockerfile"
        exposed = _first_exposed(dockerfile.read_text("utf-8", errors="replace"))
        port = port if port is not None else exposed
    else:
        kind = "image"
        if not image.get("Name"):
            raise _fail("Dockerrun.aws.json names no image, abort deployment")
        if port is None:
            raise _fail("Dockerrun.aws.json names no Ports, abort deployment")
    return Application(
        kind,
        port,
        image=str(image.get("Name", "")),
        update=str(image.get("Update", "true")).lower() != "false",
        volumes=tuple(
            (str(volume["HostDirectory"]), str(volume["ContainerDirectory"]))
            for volume in data.get("Volumes") or ()
            if isinstance(volume, dict) and {"HostDirectory", "ContainerDirectory"} <= volume.keys()
        ),
        logging=str(data.get("Logging") or ""),
        entrypoint=str(data.get("Entrypoint") or ""),
        command=str(data.get("Command") or ""),
    )


def _load(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text("utf-8", errors="replace"))
    except ValueError as error:
        raise _fail(INVALID_VERSION) from error
    if not isinstance(data, dict):
        raise _fail(INVALID_VERSION)
    return data


def _first_port(data: dict[str, Any]) -> int | None:
    ports = data.get("Ports")
    if isinstance(ports, list) and ports and isinstance(ports[0], dict):
        value = str(ports[0].get("ContainerPort", ""))
        return int(value) if value.isdigit() else None
    return None


def _first_exposed(text: str) -> int | None:
    found = re.search(r"^\s*EXPOSE\s+(\d+)", text, re.IGNORECASE | re.MULTILINE)
    return int(found.group(1)) if found else None
