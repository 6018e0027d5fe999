# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two bundles: names only, from the directory at the end of a zip."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.application.bundle_contents import bundle_marks
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle import contents
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError


def zipped(files: dict[str, str | bytes], executable: tuple[str, ...] = ()) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("folder/", "")
        for name, text in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = (0o755 if name in executable else 0o644) << 16
            made.writestr(info, text)
    return target.getvalue()


class Bucket:
    """As much of S3 as a read of a part needs."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[str] = []

    def get_object(self, **where: str) -> dict[str, Any]:
        self.asked.append(where["Range"])
        first, _dash, last = where["Range"].removeprefix("bytes=").partition("-")
        start = int(first) if first else max(0, len(self.content) - int(last))
        part = self.content[start : int(last) + 1 if first else None]
        return {"Body": io.BytesIO(part), "ContentRange": f"bytes {start}-{start + len(part) - 1}/{len(self.content)}"}


OLD = {
    "app.py": "1",
    "gone.py": "2",
    ".platform/hooks/predeploy/a.sh": "3",
    ".secrets/key": "s1",
    "same": "x",
    "run": "y",
}
NEW = {
    "app.py": "9",
    "new.py": "2",
    ".platform/hooks/predeploy/a.sh": "4",
    ".secrets/key": "s2",
    "same": "x",
    "run": "y",
}


def test_names_by_kind_and_no_digest_that_can_be_guessed(tmp_path: Path) -> None:
    bundle = str(tmp_path / "shop.zip")
    old = contents.marks_in(io.BytesIO(zipped(OLD)))
    contents.note(bundle, contents.marks_in(io.BytesIO(zipped(NEW, ("run",)))), {".secrets/key"})
    noted = contents.noted(bundle)
    assert noted is not None
    assert contents.changes(noted, old) == {
        "files": {"app.py": "changed", "gone.py": "removed", "new.py": "added", "run": "changed"},
        "hooks": {".platform/hooks/predeploy/a.sh": "changed"},
        "secrets": {".secrets/key": "changed"},
    }
    beside = Path(bundle + contents.SUFFIX)
    assert beside.stat().st_mode & 0o777 == 0o600
    first = noted.files[".secrets/key"]
    contents.note(bundle, contents.marks_in(io.BytesIO(zipped(NEW))), ())
    again = contents.noted(bundle)
    assert again is not None
    assert again.files[".secrets/key"] != first
    contents.forget(bundle)
    assert contents.noted(bundle) is None


def test_many_names_are_bounded_and_none_commands_a_terminal(tmp_path: Path) -> None:
    names = {f"file-{number:03}": "x" for number in range(70)}
    bundle = str(tmp_path / "shop.zip")
    contents.note(bundle, contents.marks_in(io.BytesIO(zipped({**names, "\x1b[31mred": "x"}))), ())
    noted = contents.noted(bundle)
    assert noted is not None
    found = contents.changes(noted, {})["files"]
    assert len(found) == 51
    assert found["…"] == "and 21 more"
    assert "red" in found
    assert "\x1b" not in "".join(found)


@pytest.mark.parametrize(("count", "requests"), [(3, 1), (3000, 2)])
def test_of_a_bundle_in_s3_only_the_directory_is_read(count: int, requests: int) -> None:
    content = zipped({f"{number:0100}": os.urandom(100) for number in range(count)})
    bucket = Bucket(content)
    assert len(bundle_marks(bucket, "b", "k")) == count
    assert len(bucket.asked) == requests


@pytest.mark.parametrize("content", [b"", b"no zip at all"])
def test_what_is_no_zip_is_said(content: bytes) -> None:
    with pytest.raises(AnsibleBeanstalkError, match="it is no zip"):
        bundle_marks(Bucket(content), "b", "k")
