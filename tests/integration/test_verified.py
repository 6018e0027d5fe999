# SPDX-License-Identifier: GPL-3.0-or-later
"""Unchanged means verified, on real instances: a creation fails, and the same command is given again."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import Project
from .images import DEBIAN, debian, engine
from .minimal import DOCKERFILE, Minimal

__all__ = ["debian"]
pytestmark = pytest.mark.containers


@pytest.fixture
def base(debian: str) -> Iterator[str]:
    """Name of a base image that no machine has yet."""
    name = f"localhost/verified-base-{uuid.uuid4().hex[:8]}:1"
    yield name
    if engine("images", "--quiet", name).strip():
        # Named once, podman takes away all names of the image, also of the base that everybody builds on.
        engine("untag", name, name)


@pytest.fixture
def waiting(project: Project, tmp_path: Path, base: str) -> Iterator[Minimal]:
    """An application on that base image."""
    minimal = Minimal.make(project, tmp_path, "waiting")
    (minimal.folder / "Dockerfile").write_text(DOCKERFILE.replace(str(DEBIAN["image_parent"]), base))
    yield minimal
    minimal.terminate()


def deployments(minimal: Minimal) -> set[tuple[str, str]]:
    """Label and status of the instances' own deployments."""
    name = minimal.environment()["EnvironmentName"]
    found = minimal.eb.describe_instances_health(EnvironmentName=name, AttributeNames=["Deployment"])
    return {(one["Deployment"]["VersionLabel"], one["Deployment"]["Status"]) for one in found["InstanceHealthList"]}


def test_missing_base_image_fails_until_it_is_there(waiting: Minimal, base: str) -> None:
    first = waiting.deploy()
    assert first.rc == 2, first.output
    assert first.count("failed") == 1
    label = waiting.environment()["VersionLabel"]
    assert deployments(waiting) == {(label, "Failed")}

    # The reason stays, so the same command fails with it again.
    again = waiting.deploy()
    assert again.rc == 2, again.output
    said = " ".join(again.output.split())
    assert f"Deploying version {label} to the environment waiting failed" in said
    assert base.partition(":")[0] in said, again.output
    shown = waiting.project.play("status.yml", "-i", str(waiting.inventory))
    assert shown.rc == 0, shown.output
    assert re.search(r"Verified: +redeploy: not every instance runs version ", shown.output), shown.output

    engine("tag", str(DEBIAN["image_parent"]), base)
    mended = waiting.deploy()
    assert mended.rc == 0, mended.output
    assert mended.count("changed") > 0
    assert deployments(waiting) == {(label, "Deployed")}
    assert waiting.page().startswith("hello")

    settled = waiting.deploy()
    assert settled.rc == 0, settled.output
    assert settled.count("changed") == 0
    shown = waiting.project.play("status.yml", "-i", str(waiting.inventory))
    assert re.search(r"Verified: +yes", shown.output), shown.output
