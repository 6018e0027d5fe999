# SPDX-License-Identifier: GPL-3.0-or-later
"""The search for secrets finds one in each of its places, and none where there is none."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws
from secret_scan import SHARED, Scan

# Another one each time: a copy of this file, which other tests make, is no leak.
TOKEN = f"canary-{uuid.uuid4().hex}"
GIT = {"GIT_CONFIG_GLOBAL": os.devnull}


@pytest.fixture
def scan(tmp_path: Path) -> Scan:
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", repository], check=True, env=os.environ | GIT)
    return Scan({"planted": TOKEN}, tmp_path / "place", [tmp_path / "folder"], [repository])


def test_nothing_is_found_where_nothing_is(scan: Scan) -> None:
    assert scan.run([sys.executable, "-c", "print('hello')"], {}, scan.place) == (0, "hello\n")
    assert scan.findings() == []


def in_file(name: str) -> Callable[[Scan], None]:
    return lambda scan: (scan.place / name).write_text(f"x{TOKEN}y") and None


def in_zip(scan: Scan) -> None:
    with zipfile.ZipFile(scan.place / "tmp/bundle.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/b", TOKEN * 3)


def in_folder(scan: Scan) -> None:
    (scan.folders[0]).mkdir()
    (scan.folders[0] / "log").write_text(TOKEN)


def in_output(scan: Scan) -> None:
    scan.run([sys.executable, "-c", f"print('canary-' + '{TOKEN.removeprefix('canary-')}')"], {}, scan.place)


def in_error_output(scan: Scan) -> None:
    text = f"import sys; sys.stderr.write('canary-' + '{TOKEN.removeprefix('canary-')}')"
    scan.run([sys.executable, "-c", text], {}, scan.place)


def on_command_line(scan: Scan) -> None:
    scan.run([sys.executable, "-c", "import time; time.sleep(0.5)", TOKEN], {}, scan.place)


def in_environment(scan: Scan) -> None:
    scan.run(["sleep", "0.5"], {"PATH": os.environ["PATH"], "PASSWORD": TOKEN}, scan.place)


def in_git(scan: Scan) -> None:
    command = ["git", "-C", scan.repositories[0], "hash-object", "-w", "--stdin"]
    subprocess.run(command, input=TOKEN.encode(), check=True, capture_output=True)


PLACES = {
    "home": in_file("home/a"),
    "tmp": in_file("tmp/a"),
    "runtime cache": in_file("run/a"),
    "reports": in_file("reports/a"),
    "log": in_file("ansible.log"),
    "zip": in_zip,
    "folder": in_folder,
    "output": in_output,
    "error output": in_error_output,
    "cmdline": on_command_line,
    "environ": in_environment,
    "git object": in_git,
}


@pytest.mark.parametrize("place", PLACES)
def test_a_planted_secret_is_found(scan: Scan, place: str) -> None:
    PLACES[place](scan)
    found = scan.findings()
    assert len(found) == 1, found
    assert found[0].endswith(": planted")


@pytest.mark.parametrize("folder", [folder for folder in SHARED if os.access(folder, os.W_OK)], ids=str)
def test_a_planted_secret_is_found_in_shared_folders(scan: Scan, folder: Path) -> None:
    path = folder / f"scan-{os.getpid()}"
    path.write_text(TOKEN)
    try:
        assert scan.findings() == [f"{path}: planted"]
    finally:
        path.unlink()


def test_a_planted_secret_is_found_in_s3(scan: Scan) -> None:
    with mock_aws():
        s3: Any = boto3.client(
            "s3", region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
        )
        s3.create_bucket(Bucket="shop")
        s3.put_object(Bucket="shop", Key="jack.beanstalk/locks/shop.json", Body=f'{{"reason": "{TOKEN}"}}')
        s3.put_object(Bucket="shop", Key="clean", Body=b"nothing")
        assert scan.in_s3(s3) == ["s3 jack.beanstalk/locks/shop.json: planted"]


def test_where_the_user_put_it_does_not_count(scan: Scan) -> None:
    scan.own.add(scan.place / "home" / ".vault")
    (scan.place / "home" / ".vault").write_text(TOKEN)
    assert scan.findings() == []
