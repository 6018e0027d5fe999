# SPDX-License-Identifier: GPL-3.0-or-later
"""What instances are told of this machine's way to its Python package index."""

from __future__ import annotations

import configparser
import stat
from pathlib import Path

import pytest

from localstalk.drivers.container import pip


def test_the_way_is_carried_and_folders_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = tmp_path / "ca.pem"
    certificates.write_text("certificates")
    machine = tmp_path / "machine.conf"
    machine.write_text(
        "[global]\n"
        "index-url = https://user:secret@index.example/simple\n"
        "extra-index-url = file:///wheels https://more.example/simple\n"
        f"find-links = {tmp_path}\n"
        "constraint = /constraints.txt\n"
        "timeout = 5\n"
    )
    for name in ("PIP_FIND_LINKS", "PIP_DEFAULT_TIMEOUT", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", str(machine))
    monkeypatch.setenv("PIP_CERT", str(certificates))
    monkeypatch.setenv("PIP_TIMEOUT", "7")
    made = tmp_path / "pip.conf"
    assert pip.mounts(made) == [f"{certificates}:{pip.CERTIFICATES}:ro", f"{made}:/etc/pip.conf:ro"]
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    told = configparser.RawConfigParser()
    told.read(made)
    # The environment comes last, as with pip itself.
    assert dict(told["global"]) == {
        "index-url": "https://user:secret@index.example/simple",
        "extra-index-url": "https://more.example/simple",
        "timeout": "7",
        "cert": pip.CERTIFICATES,
    }
