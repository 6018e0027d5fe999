# SPDX-License-Identifier: GPL-3.0-or-later
"""A make-believe instance in a temporary directory: EB's engine with stand-ins for docker and nginx."""

from __future__ import annotations

import json
import socket
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from localstalk import engine as engine_package
from localstalk.engine.__main__ import execute
from localstalk.engine.layout import Layout
from localstalk.engine.request import Answer, Instance, Request

DOCKER = """#!/bin/bash
echo "$@" >> "{root}/docker.calls"
case "$1 $2" in
  "build -t") [ ! -e "$4/broken" ] || {{ echo "no such base" >&2; exit 1; }};;
  "run -d") echo 0123456789abcdef0123456789abcdef;;
  "image inspect") [ "$3" != --format ] || echo null;;
  "inspect --format") case "$3" in *Running*) cat "{root}/running";; *) echo 127.0.0.1;; esac;;
  "logs -f") ;;
esac
"""
NGINX = """#!/bin/bash
echo "$@" >> "{root}/nginx.calls"
conf="{root}/var/proxy/staging/nginx/conf.d"
if [ "$1" = -t ] && grep -qs broken "$conf/"*.conf; then echo "[emerg] broken" >&2; exit 1; fi
"""


class EngineRoot:
    """The root directory of an instance and what can be done with it."""

    def __init__(
        self, root: Path, generation: str = "al2023", instance_id: str = "i-1", shared: Path | None = None
    ) -> None:
        self.root = root
        self.generation = generation
        self.layout = Layout(root, generation)
        self.instance = Instance(instance_id, "e-abc", "blog-1", "blog", "us-east-1", generation)
        for name, text in (("usr/bin/docker", DOCKER), ("usr/sbin/nginx", NGINX)):
            self.script(name, text.format(root=root))
        (root / "running").write_text("true\n")
        source = Path(engine_package.__file__).parent / "bin"
        for target, name in (("opt/aws/bin", "cfn-elect-cmd-leader"), ("opt/elasticbeanstalk/bin", "get-config")):
            (root / target).mkdir(parents=True)
            (root / target / name).symlink_to(source / name)
        election = root / "run/localstalk/election"
        election.parent.mkdir(parents=True)
        (shared or root / "elections").mkdir(exist_ok=True)
        election.symlink_to(shared or root / "elections")
        (root / "var/log").mkdir(parents=True)

    def script(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def bundle(self, files: dict[str, str], modes: dict[str, int] | None = None) -> Path:
        path = self.root / "bundle.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                info = zipfile.ZipInfo(name)
                info.external_attr = ((modes or {}).get(name, 0o644) | 0o100000) << 16
                archive.writestr(info, text)
        return path

    def run(self, name: str, bundle: Path | None = None, **fields: Any) -> Answer:
        fields = {"invocation_id": "inv-1", "deployment_id": 1, "version_label": "v1", **fields}
        request = Request(
            name, self.instance, bundle_key="eb-123456789012/app/v1", bundle_path=str(bundle or ""), **fields
        )
        return execute(self.layout, request)

    def deploy(self, files: dict[str, str], **fields: Any) -> Answer:
        return self.run("app-deploy", self.bundle(files), **fields)

    def log(self, name: str = "") -> str:
        path = self.layout.log / name if name else self.layout.engine_log
        return path.read_text() if path.exists() else ""

    def instructions(self) -> list[str]:
        mark = "Executing instruction: "
        return [line.split(mark)[1] for line in self.log().splitlines() if mark in line]

    def calls(self, program: str) -> list[str]:
        path = self.root / f"{program}.calls"
        return path.read_text().splitlines() if path.exists() else []

    def response(self) -> dict[str, Any]:
        mark = "CommandService Response: "
        found: dict[str, Any] = json.loads(
            [line for line in self.log().splitlines() if mark in line][-1].split(mark)[1]
        )
        return found


@pytest.fixture
def port() -> Iterator[int]:
    """A port on which somebody listens, so that the engine takes the application for started."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def make_box() -> Callable[..., EngineRoot]:
    return EngineRoot


@pytest.fixture
def box(tmp_path: Path) -> EngineRoot:
    return EngineRoot(tmp_path)
