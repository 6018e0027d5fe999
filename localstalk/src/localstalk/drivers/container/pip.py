# SPDX-License-Identifier: GPL-3.0-or-later
"""This machine's way to its Python package index, for pip on the instances."""

from __future__ import annotations

import ast
import configparser
import io
import subprocess
import sys
from pathlib import Path

from localstalk.driver import DriverError

CARRIED = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout", "retries")
"""Settings that say how an index is reached; folders and constraints of the machine are its own business."""

CERTIFICATES = "/etc/localstalk-pip-certificates.pem"
CONFIGURATION = "/etc/pip.conf"
ASK_SECONDS = 60.0


def mounts(path: Path) -> list[str]:
    """Write a pip configuration to ``path`` and return what instances have to see, as podman's volumes.

    Raises DriverError when pip does not say how it is configured.
    """
    settings = _settings()
    found = []
    certificates = Path(settings.get("cert", ""))
    carried = {name: settings[name] for name in CARRIED if name in settings}
    if certificates.is_file():
        carried["cert"] = CERTIFICATES
        found.append(f"{certificates.resolve()}:{CERTIFICATES}:ro")
    # An address may hold a password.
    path.touch(mode=0o600)
    path.write_text(_configuration(carried))
    return [*found, f"{path}:{CONFIGURATION}:ro"]


def _settings() -> dict[str, str]:
    """Return what pip itself says it is configured to do here; later sources win, the environment last."""
    argv = [sys.executable, "-m", "pip", "config", "list"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=ASK_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise DriverError(f"pip config list did not end within {ASK_SECONDS:.0f} s") from error
    found: dict[str, str] = {}
    for where in ("global.", "install.", ":env:."):
        for line in done.stdout.splitlines():
            name, _, value = line.partition("=")
            if name.startswith(where):
                found[name.removeprefix(where)] = str(ast.literal_eval(value))
    return {name: value for name in found if (value := _without_folders(found[name]))}


def _without_folders(value: str) -> str:
    """Leave out indexes that are folders of this machine."""
    return " ".join(word for word in value.split() if not word.startswith("file:"))


def _configuration(settings: dict[str, str]) -> str:
    parser = configparser.RawConfigParser()
    parser["global"] = settings
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()
