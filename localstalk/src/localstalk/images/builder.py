# SPDX-License-Identifier: GPL-3.0-or-later
"""Make an image when it is missing: by a registry, mmdebstrap, pip and podman."""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localstalk.driver import DriverError

from .podman import attempt, command, podman
from .programs import Programs

log = logging.getLogger(__name__)

NAMES = ("instance", "postgres")
BASE = "docker.io/library/debian:bookworm-slim"
SUITE = "bookworm"
PYTHON = "3.11"
"""Python of that suite."""

PACKAGES = {"aws-cli.txt": ("install", "--no-compile", "--target"), "python-platform.txt": ("download", "--dest")}
"""Python packages that an image wants, with hashes: pinned by ``make lock``; and what pip does with them.

A program gets a folder of its own, a virtual environment is made in the image, of wheels.
"""

BUILD_SECONDS = 900.0
PULL_SECONDS = 300.0
LOCK = Path("/var/lock/localstalk-images.lock")

BUILD_MOUNTS = "LOCALSTALK_BUILD_MOUNTS"
"""Environment variable: paths of this machine, separated by colons, that image builds of localstalk and of applications
see at the same place (such as ``/etc/ssl/certs``, behind a proxy that intercepts TLS)."""


def build_mounts() -> list[Path]:
    """Return the paths of LOCALSTALK_BUILD_MOUNTS that exist."""
    return [Path(part) for part in os.environ.get(BUILD_MOUNTS, "").split(os.pathsep) if part and Path(part).exists()]


class Builder:
    """Makes images until :meth:`close`; what is half made lies below ``scratch``, which is made when it is needed."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._programs = Programs()

    @property
    def closed(self) -> bool:
        """Whether no image will be made any more."""
        return self._programs.closed

    def close(self) -> None:
        """End what runs and take away what is half made."""
        self._programs.close()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def ensure(self, name: str) -> str:
        """Return the tag of image ``name`` (``instance`` or ``postgres``), built if missing; raises DriverError."""
        folder = Path(__file__).parent / name
        tag = _present(name, folder)
        if tag is None:
            # Only who has something to build waits for somebody else's build.
            with _lock():
                self._ensure_base()
                tag = _present(name, folder)
                if tag is None:
                    tag = _tag(name, folder)
                    log.info("image %s is being built; this takes about a minute, once", tag)
                    with self._folder() as scratch:
                        self._build(folder, tag, scratch)
        return tag

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        self.scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Who closes takes away all of it, perhaps first.
        with tempfile.TemporaryDirectory(dir=self.scratch, ignore_cleanup_errors=True) as path:
            yield Path(path)

    def _run(self, scratch: Path, timeout: float, *argv: str) -> subprocess.CompletedProcess[str]:
        return self._programs.run(argv, timeout, {**os.environ, "TMPDIR": str(scratch)})

    def _ensure_base(self) -> None:
        """Make ``debian:bookworm-slim`` available, from a registry or else by mmdebstrap; raises DriverError."""
        if attempt("image", "exists", BASE).returncode == 0:
            return
        with self._folder() as scratch:
            if self._run(scratch, PULL_SECONDS, *command("pull", "--quiet", BASE)).returncode == 0:
                return
            if shutil.which("mmdebstrap") is None:
                raise DriverError(
                    f"No registry answers for {BASE} and mmdebstrap is missing: apt-get install mmdebstrap"
                )
            archive = scratch / "base.tar"
            words = ["mmdebstrap", "--quiet", "--variant=minbase", SUITE, str(archive), *map(str, _apt_sources())]
            # Its own temporary folder has to be open to apt's user, and goes with it.
            made = self._programs.run(words, BUILD_SECONDS)
            if made.returncode != 0:
                last = [line for line in made.stderr.splitlines() if line.startswith("E:")] or ["no message"]
                raise DriverError(f"The base image {BASE} could not be made by mmdebstrap: {last[-1]}")
            imported = self._run(scratch, BUILD_SECONDS, *command("import", "--quiet", str(archive), BASE))
        if imported.returncode != 0:
            raise DriverError(f"The base image {BASE} could not be made by mmdebstrap: podman import failed")

    def _build(self, folder: Path, tag: str, scratch: Path) -> None:
        options = ["--network=host", "--tag", tag]
        for path in [Path("/usr/share/keyrings"), Path("/etc/apt/keyrings"), Path("/etc/apt/auth.conf.d")]:
            if _apt_sources() and path.is_dir():
                options.append(f"--volume={path}:{path}:ro")
        for path in _apt_sources():
            options.append(f"--volume={path}:{path}:ro")
        for path in build_mounts():
            options.append(f"--volume={path}:{path}:{'O' if path.is_dir() else 'ro'}")
        for packages in (folder / name for name in PACKAGES if (folder / name).exists()):
            target = scratch / packages.stem
            self._fetch(packages, target, scratch)
            options.append(f"--volume={target}:/run/{target.name}:ro")
        acquire = scratch / "acquire.conf"
        acquire.write_text(_apt_acquire())
        options.append(f"--volume={acquire}:/etc/apt/apt.conf.d/99localstalk:ro")
        # One build at a time writes to the machine's store; --squash would lose the layers that builds share.
        done = self._run(scratch, BUILD_SECONDS, *command("build", "--quiet", *options, str(folder)))
        if done.returncode != 0:
            lines = [line for line in done.stderr.splitlines() if line.strip()]
            raise DriverError(f"Image {tag} could not be built: {' '.join(lines[-3:])}")

    def _fetch(self, packages: Path, target: Path, scratch: Path) -> None:
        """Bring Python packages for the image into a folder, by this machine's own way to its index."""
        verb, *into = PACKAGES[packages.name]
        words = [sys.executable, "-m", "pip", verb, "--quiet", "--disable-pip-version-check"]
        words += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--python-version", PYTHON]
        words += ["--requirement", str(packages), *into, str(target)]
        done = self._run(scratch, BUILD_SECONDS, *words)
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise DriverError(f"pip could not fetch the packages of {packages.name} for an image: {last}")


def _tag(name: str, folder: Path) -> str:
    return f"localhost/localstalk-{name}:{_fingerprint(folder)}"


def _present(name: str, folder: Path) -> str | None:
    """Return the tag of the image if base and image exist."""
    if attempt("image", "exists", BASE).returncode != 0:
        return None
    tag = _tag(name, folder)
    return tag if attempt("image", "exists", tag).returncode == 0 else None


@contextmanager
def _lock() -> Iterator[None]:
    """Two daemons, one build."""
    path = LOCK if os.access(LOCK.parent, os.W_OK) else Path(tempfile.gettempdir(), f"localstalk-images-{os.getuid()}")
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _fingerprint(folder: Path) -> str:
    digest = hashlib.sha256(podman("image", "inspect", "--format", "{{.Id}}", BASE).strip().encode())
    for path in sorted(folder.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:12]


def _host_is_same_suite() -> bool:
    try:
        return f"VERSION_CODENAME={SUITE}" in Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return False


def _apt_sources() -> list[Path]:
    """Return this machine's own apt sources when they are for the same suite; its mirror is the one that works here."""
    if not _host_is_same_suite():
        return []
    candidates = [Path("/etc/apt/sources.list")]
    candidates += sorted(Path("/etc/apt/sources.list.d").glob("*.list"))
    candidates += sorted(Path("/etc/apt/sources.list.d").glob("*.sources"))
    return [path for path in candidates if path.is_file() and path.stat().st_size > 0]


def _apt_acquire() -> str:
    """Return this machine's way to its mirror (proxies, time-outs, validity checks), for apt inside the build."""
    try:
        done = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return "".join(f"{line}\n" for line in done.stdout.splitlines() if line.startswith("Acquire::"))
