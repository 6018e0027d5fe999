# SPDX-License-Identifier: GPL-3.0-or-later
"""A folder that looks like an instance to the hooks that the role hooks renders, with a Docker and an S3 to match."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

# Container c-app answers at nginx's address; c-other is a helper. "exec" runs the command here.
DOCKER = r"""#!/bin/bash
echo "$*" >>"$FAKE_DOCKER_LOG"
case $1 in
  ps) [ -n "${FAKE_DOCKER_EMPTY:-}" ] || printf 'c-other\nc-app\n' ;;
  inspect) printf 'c-other sha256:1 redis 172.17.0.9 \nc-app sha256:2 xyz 172.17.0.5 \n' ;;
  image) echo "${FAKE_DOCKER_CURRENT:-sha256:none}" ;;
  exec | run)
    while [ $# -gt 0 ]; do
      case $1 in --env) case $2 in *=*) export "$2" ;; esac; shift ;; sh) break ;; esac
      shift
    done
    exec "$@" ;;
esac
"""

# S3 as far as the once store needs it: a folder for a bucket, and conditional writes. EC2 as far as tags are set.
AWS = r"""#!/bin/bash
shift
verb=$1
shift
if [ "$verb" = create-tags ]; then
  [ -z "${FAKE_AWS_DENIED:-}" ] || { echo "An error occurred (UnauthorizedOperation)" >&2; exit 254; }
  printf '%s\n' "$@" >"$JACK_HOOKS_ROOT/tagged"
fi
while [ $# -gt 0 ]; do
  case $1 in --bucket) bucket=$2 ;; --key) key=$2 ;; --body) body=$2 ;; --if-none-match) new=yes ;; esac
  shift
done
file=$JACK_HOOKS_ROOT/../s3/$bucket/$key
mkdir -p "${file%/*}"
case $verb in
  put-object)
    [ -z "${FAKE_AWS_DENIED:-}" ] || { echo "An error occurred (AccessDenied)" >&2; exit 254; }
    [ -z "${new:-}" ] || [ ! -e "$file" ] || { echo "An error occurred (PreconditionFailed)" >&2; exit 254; }
    cat "$body" >"$file" ;;
  get-object) : >"$JACK_HOOKS_ROOT/asked"; [ -z "${FAKE_AWS_UNREADABLE:-}" ] && cat "$file" ;;
esac
"""


@dataclass
class Instance:
    """A folder that looks like an instance to the hooks."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("bin", "var/log", "var/lib/cloud/data", "opt/elasticbeanstalk/deployment", "etc/nginx/conf.d"):
            (self.root / folder).mkdir(parents=True)
        for name, text in (("docker", DOCKER), ("aws", AWS)):
            self.program(f"bin/{name}", text)
        self.write("var/lib/cloud/data/instance-id", "i-0123456789abcdef0\n")
        self.write(
            "etc/nginx/conf.d/elasticbeanstalk-nginx-docker-upstream.conf",
            "upstream docker {\n\tserver 172.17.0.5:80;\n}\n",
        )
        self.bundle("one")

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def program(self, path: str, text: str) -> None:
        self.write(path, text)
        (self.root / path).chmod(0o755)

    def bundle(self, content: str) -> str:
        self.write("opt/elasticbeanstalk/deployment/app_source_bundle", content)
        manifest = {"RuntimeSources": {"blog": {f"blog-{content}": {"s3url": ""}}}, "DeploymentId": 1}
        self.write("opt/elasticbeanstalk/deployment/app_version_manifest.json", json.dumps(manifest))
        return hashlib.sha256(content.encode()).hexdigest()

    def install(self, overlay: list[dict[str, str]]) -> None:
        for file in overlay:
            self.write(f"app/{file['path']}", file["content"])
            (self.root / "app" / file["path"]).chmod(int(file["mode"], 8))

    def install_legacy(self, overlay: list[dict[str, str]]) -> None:
        """As the legacy AMI does, which knows no other folder than its own: library paths are made to fit."""
        (self.root / "app").mkdir()
        for path, file in legacy_files(overlay).items():
            text = file["content"].replace("\n. /opt/", f"\n. {self.root}/opt/")
            self.program(path.lstrip("/"), text)

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root / "app",
            env={
                "PATH": f"{self.root}/bin:{os.environ['PATH']}",
                "HOME": "/home",
                "JACK_HOOKS_ROOT": str(self.root),
                "FAKE_DOCKER_LOG": str(self.root / "docker.log"),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def mark(self, name: str = "task") -> None:
        done = self.run("bash", ".platform/files/jack_hooks.sh", "mark", "jack", name)
        assert done.returncode == 0, done.stderr

    def hook(
        self, name: str = "task", phase: str = "postdeploy", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        (script,) = (self.root / f"app/.platform/hooks/{phase}").glob(f"jack_*_{name}.sh")
        return self.run(str(script.relative_to(self.root / "app")), **environment)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / "var/log/jack-hooks.log").read_text().splitlines()]

    def ran(self) -> int:
        path = self.root / "ran"
        return len(path.read_text().splitlines()) if path.exists() else 0


def legacy_files(overlay: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """What the bundle's ``files:`` put onto an instance of the legacy AMI."""
    (config,) = (file["content"] for file in overlay if file["path"] == ".ebextensions/jack_hooks.config")
    return dict(yaml.safe_load(config)["files"])
