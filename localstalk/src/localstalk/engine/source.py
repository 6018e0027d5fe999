# SPDX-License-Identifier: GPL-3.0-or-later
"""The source bundle on the instance: fetched, extracted, moved into place."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

from .layout import Layout
from .process import run
from .request import CommandError

UNZIP_WARNINGS = 1
"""unzip's status when it has extracted everything but grumbles (for instance about backslashes)."""


def download(source: Path, target: Path) -> int:
    """Copy the bundle to where EB keeps it, readable by root only; returns its size in bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(target.name + ".new")
    temporary.touch(0o600)
    shutil.copyfile(source, temporary)
    temporary.rename(target)
    return target.stat().st_size


def write_manifest(layout: Layout, application: str, version_label: str, deployment_id: int) -> None:
    """Note which version this is, as EB's engine does for the hooks and applications that read it."""
    manifest = {
        "RuntimeSources": {application: {version_label: {"s3url": ""}}},
        "DeploymentId": deployment_id,
        "Serial": deployment_id,
    }
    layout.manifest.parent.mkdir(parents=True, exist_ok=True)
    layout.manifest.write_text(json.dumps(manifest, separators=(",", ":")), encoding="utf-8")


def stage(layout: Layout, bundle: Path, staging: Path, note: Callable[[str], None]) -> None:
    """Extract the bundle into a fresh staging directory; a bare file becomes what it is (elastic_beanstalk.md §6)."""
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    shown_bundle, shown = layout.shown(bundle), f"{layout.shown(staging)}/"
    note(f"Recreating directory {shown}")
    note(f"extracting {shown_bundle} to {shown}")
    if not zipfile.is_zipfile(bundle):
        shutil.copyfile(bundle, staging / _bare_name(bundle))
        return
    note(f"Running command: /usr/bin/unzip -q -o {shown_bundle} -d {shown}")
    done = run(["unzip", "-q", "-o", str(bundle), "-d", str(staging)], env={"PATH": layout.search_path})
    if done.returncode not in {0, UNZIP_WARNINGS}:
        raise CommandError(f"Failed to unzip source bundle, abort deployment. Stderr:{done.stderr}")


def _bare_name(bundle: Path) -> str:
    text = bundle.read_text("utf-8", errors="replace")
    try:
        if isinstance(json.loads(text), dict):
            return "Dockerrun.aws.json"
    except ValueError:
        pass
    return "docker-compose.yml" if "\nservices:" in f"\n{text}" else "Dockerfile"


def move(staging: Path, current: Path) -> None:
    """Replace the current application by the staged one."""
    shutil.rmtree(current, ignore_errors=True)
    current.parent.mkdir(parents=True, exist_ok=True)
    staging.rename(current)
