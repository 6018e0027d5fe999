# SPDX-License-Identifier: GPL-3.0-or-later
"""packages, groups, users, sources, files and services of ``.ebextensions``, as containers can.

See docs/elastic_beanstalk.md §5.2.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .layout import Layout
from .process import Finished, run

DOWNLOAD_SECONDS = 60.0


class ProvisionError(Exception):
    """Something could not be provided; the text is for cfn-init.log."""


def _run(layout: Layout, argv: list[str]) -> Finished:
    env = {"PATH": layout.search_path, "HOME": "/root", "DEBIAN_FRONTEND": "noninteractive"}
    return run(argv, env=env)


def _checked(layout: Layout, argv: list[str], what: str) -> None:
    finished = _run(layout, argv)
    if finished.returncode != 0:
        raise ProvisionError(f"{what}: {finished.output.strip()[-500:]}")


def packages(layout: Layout, value: Mapping[str, Any]) -> Iterator[str]:
    """Install packages. The instance is a Debian: an rpm or yum name that Debian lacks is logged and left out."""
    known = {"rpm", "yum", "apt", "rubygems", "python", "msi"}
    for manager in value:
        if manager not in known:
            raise ProvisionError(f"Unsupported package manager {manager}")
    names = [str(name) for manager in ("yum", "apt") for name in (value.get(manager) or {})]
    missing = [name for name in names if _run(layout, ["dpkg", "-s", name]).returncode != 0]
    if missing:
        _checked(layout, ["apt-get", "update", "-q"], "Package lists could not be read")
    for name in missing:
        if _run(layout, ["apt-cache", "show", name]).returncode != 0:
            yield f"Package {name} left out: this local instance is a Debian, which has no package of that name"
            continue
        _checked(layout, ["apt-get", "install", "-q", "-y", "--no-install-recommends", name], f"Package {name} failed")
        yield f"Package {name} installed"
    for manager in ("rpm", "rubygems", "python", "msi"):
        for name in value.get(manager) or {}:
            yield f"Package {name} ({manager}) left out: local instances install packages of yum and apt only"


def groups(layout: Layout, value: Mapping[str, Any]) -> Iterator[str]:
    """Create groups that are missing."""
    for name, body in value.items():
        if _run(layout, ["getent", "group", str(name)]).returncode == 0:
            continue
        gid = ["-g", str(body["gid"])] if isinstance(body, dict) and body.get("gid") else []
        _checked(layout, ["groupadd", *gid, str(name)], f"Group {name} could not be created")
        yield f"Created group {name}"


def users(layout: Layout, value: Mapping[str, Any]) -> Iterator[str]:
    """Create users that are missing; they cannot log in."""
    for name, body in value.items():
        body = body or {}
        if _run(layout, ["id", str(name)]).returncode == 0:
            continue
        argv = ["useradd", "-m", "-s", "/usr/sbin/nologin"]
        argv += ["-u", str(body["uid"])] if body.get("uid") else []
        argv += ["-G", ",".join(map(str, body["groups"]))] if body.get("groups") else []
        argv += ["-d", str(body["homeDir"])] if body.get("homeDir") else []
        _checked(layout, [*argv, str(name)], f"User {name} could not be created")
        yield f"Created user {name}"


def _download(url: str) -> bytes:
    if not url.startswith(("http://", "https://")):
        raise ProvisionError(f"Unsupported source {url}")
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_SECONDS) as response:  # noqa: S310 - scheme checked above
            return bytes(response.read())
    except (urllib.error.URLError, TimeoutError) as error:
        raise ProvisionError(f"Failed to retrieve {url}: {error}") from error


def sources(layout: Layout, value: Mapping[str, Any]) -> Iterator[str]:
    """Download archives and extract them."""
    for target, url in sorted(value.items()):
        folder = layout.at(str(target))
        folder.mkdir(parents=True, exist_ok=True)
        content = io.BytesIO(_download(str(url)))
        try:
            if zipfile.is_zipfile(content):
                zipfile.ZipFile(content).extractall(folder)  # noqa: S202 - the user's own archive on the user's instance
            else:
                content.seek(0)
                with tarfile.open(fileobj=content) as archive:
                    archive.extractall(folder, filter="tar")
        except (tarfile.TarError, zipfile.BadZipFile) as error:
            raise ProvisionError(f"Failed to extract {url}: {error}") from error
        yield f"Extracted {url} to {target}"


def _content(body: Mapping[str, Any]) -> bytes:
    if body.get("source"):
        return _download(str(body["source"]))
    text = body.get("content", "")
    if not isinstance(text, str):
        raise ProvisionError("content of a file must be text")
    if body.get("encoding") == "base64":
        return base64.b64decode(text)
    return text.encode()


def files(layout: Layout, value: Mapping[str, Any]) -> Iterator[str]:
    """Write files in lexicographic order; one that exists is kept as ``<name>.bak`` (AL1 runs that one as well)."""
    for name, body in sorted(value.items()):
        path = layout.at(str(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = str(body.get("mode", "000644"))
        if path.exists() or path.is_symlink():
            path.rename(path.with_name(path.name + ".bak"))
            yield f"Kept {name} as {name}.bak"
        if mode.startswith("120"):
            path.symlink_to(str(body.get("content", "")).strip())
            continue
        permissions = int(mode, 8) & 0o7777
        # Born private: the content may be a secret.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_content(body))
        if os.geteuid() == 0:
            shutil.chown(path, str(body.get("owner", "root")), str(body.get("group", "root")))
        path.chmod(permissions)
        yield f"Wrote {name}"


def services(layout: Layout, value: Mapping[str, Any]) -> Iterator[str]:
    """Start or stop services where ``ensureRunning`` says so; an instance has no init system but a few init scripts."""
    for manager, wanted in value.items():
        if manager not in {"sysvinit", "systemd"}:
            raise ProvisionError(f"Unsupported service manager {manager}")
        for name, body in (wanted or {}).items():
            if not isinstance(body, dict) or body.get("ensureRunning") is None:
                continue
            verb = "start" if str(body["ensureRunning"]).lower() == "true" else "stop"
            if not Path(layout.at("/etc/init.d"), str(name)).exists():
                yield f"Service {name} left out: this local instance has no service of that name"
                continue
            argv = ["service", str(name), verb]
            finished = subprocess.run(argv, capture_output=True, check=False, env={"PATH": layout.search_path})
            if finished.returncode != 0:
                raise ProvisionError(f"Service {name} could not {verb}")
            yield f"Service {name}: {verb}"
