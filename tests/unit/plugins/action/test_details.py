# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with what is known of a run's failures: for this user alone, in a folder of this user's own."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.plugin_utils.details import write_details

SOMEBODY = 4242


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path / "jack.beanstalk" / "failures"


def test_nobody_else_can_read_it(folder: Path) -> None:
    path = Path(write_details(["one", "two"]))
    assert path.parent == folder
    assert path.read_text() == "one\ntwo\n"
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(folder.stat().st_mode)) == (0o600, 0o700)


def test_a_folder_that_is_open_to_others_is_closed(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    write_details(["one"])
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody")
@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_a_folder_of_somebody_else_is_refused_whatever_its_mode(folder: Path, mode: int) -> None:
    folder.mkdir(parents=True)
    folder.chmod(mode)
    os.chown(folder, SOMEBODY, SOMEBODY)
    with pytest.raises(OSError, match=rf"it is not ours, and its owner could swap what is in it: '{folder}'"):
        write_details(["one"])
    assert list(folder.iterdir()) == []
