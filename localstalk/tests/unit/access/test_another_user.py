# SPDX-License-Identifier: GPL-3.0-or-later
"""What another user of the machine can do with a localstalk that runs: nothing."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localstalk.home import Home
from localstalk.testing import Localstalk

NOBODY = 65534
PROGRAM = r"""
import json, os, sys, urllib.error, urllib.request
url, home, pid = sys.argv[1:]
told = {"uid": os.getuid(), "read": [], "status": {}}
for path in (home, home + "/daemon.json", home + "/daemon.log", "/proc/%s/environ" % pid, "/proc/%s/fd" % pid):
    try:
        os.listdir(path) if os.path.isdir(path) else open(path).read()
        told["read"].append(path)
    except OSError:
        pass
form = {"Content-Type": "application/x-www-form-urlencoded"}
scope = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20300101/us-east-1/elasticbeanstalk/aws4_request"
signed = {**form, "Authorization": scope + ", SignedHeaders=host, Signature=" + "0" * 64}
calls = {
    "unsigned": ("/", b"Action=DescribeEnvironments&Version=2010-12-01", form),
    "any signature": ("/", b"Action=DescribeEnvironments&Version=2010-12-01", signed),
    "objects": ("/", None, {}),
    "forged link": ("/b/k?AWSAccessKeyId=localstalk&Expires=4000000000&Signature=x", None, {}),
    "administration": ("/_localstalk/environments", None, {}),
    "fault": ("/_localstalk/faults", b'{"kind": "drop"}', {}),
    "guessed keys": ("/_localstalk/health", None, {"Authorization": "Basic bG9jYWxzdGFsazpsb2NhbHN0YWxr"}),
    "page": ("/_localstalk/ui", None, {}),
    "guessed link": ("/_localstalk/ui?token=x", None, {}),
    "stream": ("/_localstalk/ui/stream", None, {"Cookie": "localstalk-1=x"}),
}
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
for name, (path, body, headers) in calls.items():
    try:
        with opener.open(urllib.request.Request(url + path, body, headers)) as answer:
            told["status"][name] = answer.status
    except urllib.error.HTTPError as error:
        told["status"][name] = error.code
print(json.dumps(told))
"""


@pytest.fixture
def running() -> Iterator[Localstalk]:
    # In a folder that others can reach: it is localstalk's own permissions that count.
    with tempfile.TemporaryDirectory(prefix="localstalk-") as name:
        Path(name).chmod(0o755)
        made = Localstalk(Path(name) / "home", "--driver", "sim")
        yield made
        made.close()


def test_another_user_gets_403_and_reads_no_keys(running: Localstalk) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    record = Home(running.home).running()
    assert record is not None
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-c", PROGRAM, running.url, str(running.home), str(record.pid)],
        capture_output=True, text=True, check=True, timeout=60, cwd="/", env={},
        user=NOBODY, group=NOBODY, extra_groups=[],
    )  # fmt: skip
    told = json.loads(done.stdout)
    assert (told["uid"], told["read"]) == (NOBODY, [])
    assert len(told["status"]) == 10
    assert set(told["status"].values()) == {403}
    assert json.loads(running.ask("faults")) == []


def test_the_shell_form_is_all_that_a_client_needs(running: Localstalk) -> None:
    """Even where the shell is set up for a session of another account."""
    script = 'eval "$(python3 -m localstalk --home "$0" env)"; python3 -c "$1"'
    client = "import boto3; print(boto3.client('elasticbeanstalk').describe_applications()['Applications'])"
    others = {
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "x",
        "AWS_PROFILE": "not-there",
    }
    done = subprocess.run(
        ["sh", "-euc", script, str(running.home), client],
        capture_output=True, text=True, check=False, timeout=60, env=os.environ | others,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")
