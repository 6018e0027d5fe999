# SPDX-License-Identifier: GPL-3.0-or-later
"""Source bundles as the control plane looks at them."""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import yaml

from localstalk.engine import ebextensions

_SAMPLE = {
    "Dockerfile": 'FROM python:3-slim\nEXPOSE 8000\nCMD ["python3", "-m", "http.server", "8000"]\n',
    "index.html": "<h1>Elastic Beanstalk sample application</h1>\n",
    "application.py": """\
from pathlib import Path


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/html")])
    return [Path(__file__).with_name("index.html").read_bytes()]
""",
}
"""For the Docker and the Python platform alike, where AWS has one for each."""


def sample() -> bytes:
    """The sample application that EB deploys when it is given none."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _SAMPLE.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def save(folder: Path, content: bytes) -> Path:
    """Keep a bundle on disk under its hash; the same content is written once."""
    path = folder / f"{hashlib.sha256(content).hexdigest()}.zip"
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
            file.write(content)
        Path(file.name).replace(path)
    return path


def configuration(content: bytes, label: str) -> list[ebextensions.ConfigFile]:
    """The configuration files of a bundle; none when it is not a zip file."""
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        file.write(content)
        file.flush()
        return ebextensions.parse_bundle(Path(file.name), label)


def problems(content: bytes, label: str) -> list[str]:
    """What processing finds wrong: configuration files, env.yaml, never Docker (docs/elastic_beanstalk.md §1.3)."""
    found = [each.error for each in configuration(content, label) if each.error]
    try:
        manifest(content)
    except ValueError as error:
        found.append(f"The env.yaml file in application version {label} is invalid: {error}")
    return found


def manifest(content: bytes) -> dict[str, Any]:
    """The environment manifest (env.yaml), empty when there is none. Raises ValueError."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return {}
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if "env.yaml" not in archive.namelist():
            return {}
        try:
            data = yaml.safe_load(archive.read("env.yaml"))
        except yaml.YAMLError as error:
            raise ValueError(str(error).splitlines()[0]) from error
    if not isinstance(data, dict):
        raise ValueError("it is not a mapping")
    return data
