# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a base image is made of, and the tag that follows from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from . import dockerfile
from .requirement import LockError, normal_name
from .requirements import Lock, find_lock, read_lock
from .source import Source

_FORMAT = 1


class Wanted(NamedTuple):
    """What the user wants. `base_content` is a rendered Dockerfile of the base image, None for the source's own."""

    base_dockerfile: str
    base_content: str | None
    dockerfile: str
    dockerfile_rendered: bool
    requirements: str
    lock: str
    groups: tuple[str, ...]
    extras: tuple[str, ...]
    require_hashes: bool
    packages: tuple[str, ...]
    build_args: Mapping[str, str]

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Wanted:
        """From the module's parameters."""
        return cls(
            params["base_dockerfile"],
            params["base_content"],
            params["dockerfile"],
            params["dockerfile_rendered"],
            params["requirements"],
            params["lock"] or "",
            tuple(params["groups"]),
            tuple(params["extras"]),
            params["require_hashes"],
            tuple(normal_name(name) for name in params["packages"]),
            {str(name): str(value) for name, value in params["build_args"].items()},
        )


class Plan(NamedTuple):
    """What the base image is made of. `context` maps file names to mode and content."""

    lock: Lock
    context: dict[str, tuple[int, bytes]]
    digest: str
    dockerfile: str | None
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """The values as the module reports them."""
        return {
            "lock": self.lock.file,
            "packages": sorted(self.lock.names),
            "requirements": self.lock.text,
            "context": sorted(self.context),
            "digest": self.digest,
            "tag": self.digest[:16],
            "dockerfile": self.dockerfile,
        }


def make_plan(source: Source, wanted: Wanted) -> Plan:
    """Read the source. Raises LockError or BundleError with one sentence for the user."""
    base = _base(source, wanted)
    text = None if wanted.dockerfile_rendered else source.text(wanted.dockerfile)
    if text is not None and dockerfile.point_to(text, "") is None:
        raise LockError(
            f'{source.root / wanted.dockerfile} has no line "ARG BASE_IMAGE" before "FROM ${{BASE_IMAGE}}"; '
            "the role image writes the base image's name there."
        )
    name = find_lock(source.text, wanted.lock)
    lock = read_lock(name, source.text, wanted.groups, wanted.extras, wanted.require_hashes)
    missing = [package for package in wanted.packages if package not in lock.names]
    if missing:
        raise LockError(f"{lock.file} does not hold {', '.join(missing)}, which the rendered Dockerfile starts.")
    context = _context(source, wanted, base, lock)
    return Plan(lock, context, _digest(context, wanted.build_args), text, _twice(wanted, base, text))


def _base(source: Source, wanted: Wanted) -> str:
    base = wanted.base_content if wanted.base_content is not None else source.text(wanted.base_dockerfile)
    if base is None:
        raise LockError(
            f"{source.root / wanted.base_dockerfile} does not exist; the role image needs it to build the base image."
        )
    return base


def _context(source: Source, wanted: Wanted, base: str, lock: Lock) -> dict[str, tuple[int, bytes]]:
    """Only what the base image's Dockerfile copies, so that nothing else can get in without changing the tag."""
    made = {wanted.base_dockerfile: (0o644, base.encode()), wanted.requirements: (0o644, lock.text.encode())}
    others = [each for each in dockerfile.copied(base) if each.removeprefix("./") not in made]
    if not others:
        return made
    names = dockerfile.selected([*others, ".dockerignore"], source.names())
    context = {name: (source.mode(name), content) for name in names if (content := source.read(name)) is not None}
    return {**context, **made}


def _digest(context: Mapping[str, tuple[int, bytes]], build_args: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps([_FORMAT, dict(sorted(build_args.items()))]).encode())
    for name, (mode, content) in sorted(context.items()):
        digest.update(f"\n{name} {mode:o} {len(content)}\n".encode() + content)
    return digest.hexdigest()


def _twice(wanted: Wanted, base: str, text: str | None) -> list[str]:
    """Sentences about requirements that are installed in the base image and again on top of it."""
    if text is None or not dockerfile.installs(base):
        return []
    return [
        f"{wanted.dockerfile} line {item.line} installs requirements that the base image has already "
        f"({wanted.base_dockerfile}); every instance does that again on each deployment. Remove it."
        for item in dockerfile.installs(text)
    ]


def write_context(plan: Plan, folder: str, check_mode: bool = False) -> bool:
    """Write the build context, unless in check mode; returns whether anything was missing or different."""
    changed = False
    for name, (mode, content) in plan.context.items():
        file = Path(folder, name)
        if file.is_file() and file.read_bytes() == content and file.stat().st_mode & 0o777 == mode:
            continue
        changed = True
        if check_mode:
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        file.chmod(mode)
    return changed
