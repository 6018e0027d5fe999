# SPDX-License-Identifier: GPL-3.0-or-later
"""The once store of leader tasks in S3, by the hooks that the role renders."""

from __future__ import annotations

import concurrent.futures
import hashlib
import re
import time
from pathlib import Path
from typing import Any

from .hook_instance import Instance


def test_once_store_lets_one_leader_of_several_run_it(tmp_path: Path, rendered: dict[str, dict[str, Any]]) -> None:
    first, second = Instance(tmp_path / "first"), Instance(tmp_path / "second")
    for instance in (first, second):
        instance.install(rendered["once_store"]["overlay"])
        instance.mark()
        assert instance.hook(CODE="0").returncode == 0
    assert (first.ran(), second.ran()) == (1, 0)
    (record,) = first.log()
    assert (record["once_store"], record["reason"]) == ("s3", "leader")
    (refused,) = second.log()
    assert (refused["once_store"], refused["ran"]) == ("s3", False)
    assert refused["reason"].startswith("the once store says that this version has run it: i-0123456789abcdef0 ")
    second.bundle("two")
    second.mark()
    second.hook(CODE="0")
    assert second.ran() == 1


def test_once_store_lets_another_attempt_begin_when_one_has_failed(
    instance: Instance, rendered: dict[str, dict[str, Any]]
) -> None:
    instance.install(rendered["once_store"]["overlay"])
    for code in (3, 0, 0):
        instance.mark()
        assert instance.hook(CODE=str(code)).returncode == code
    assert instance.ran() == 2
    reasons = [record["reason"] for record in instance.log()]
    assert re.fullmatch(r"leader; attempt 2, because the one of i-0123456789abcdef0 at \S+ failed", reasons[1])
    assert reasons[2].startswith("the once store says that this version has run it: i-0123456789abcdef0 ")


def claim(instance: Instance, text: str) -> Path:
    path = instance.root.parent / "s3/bucket/pre/fix" / hashlib.sha256(b"one").hexdigest() / "task.1"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_once_store_gives_up_an_attempt_that_was_killed(
    instance: Instance, rendered: dict[str, dict[str, Any]]
) -> None:
    instance.install(rendered["once_store"]["overlay"])
    claim(instance, f"running i-9 2026-01-01T00:00:00Z {int(time.time()) - 1}\n")
    instance.mark()
    assert instance.hook(CODE="0").returncode == 0
    assert instance.ran() == 1
    reason = "leader; attempt 2, because the one of i-9 at 2026-01-01T00:00:00Z never ended"
    assert [record["reason"] for record in instance.log()] == [reason]


def test_once_store_makes_a_leader_wait_for_another(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["once_store"]["overlay"])
    until = int(time.time()) + 300
    path = claim(instance, f"running i-9 2026-01-01T00:00:00Z {until}\n")
    instance.mark()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(instance.hook, CODE="0")
        while not (instance.root / "asked").exists():
            assert not waiting.done(), waiting.result()
        # At once, as S3 replaces an object.
        settled = path.with_name("settled")
        settled.write_text(f"done i-9 2026-01-01T00:00:00Z {until}\n")
        settled.replace(path)
        assert waiting.result().returncode == 0
    assert instance.ran() == 0
    (record,) = instance.log()
    assert record["reason"] == "the once store says that this version has run it: i-9 2026-01-01T00:00:00Z"


def test_an_unreadable_once_store_forbids_a_run(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["once_store"]["overlay"])
    claim(instance, "running i-9 2026-01-01T00:00:00Z 1\n")
    instance.mark()
    assert instance.hook(CODE="0", FAKE_AWS_UNREADABLE="1").returncode == 0
    assert instance.ran() == 0
    assert instance.log()[0]["reason"] == "the once store has an attempt that this instance may not read"


def test_without_a_usable_once_store_the_marker_decides(
    instance: Instance, rendered: dict[str, dict[str, Any]]
) -> None:
    instance.install(rendered["once_store"]["overlay"])
    instance.mark()
    done = instance.hook(CODE="0", FAKE_AWS_DENIED="1")
    assert (done.returncode, instance.ran()) == (0, 1)
    assert "No once store, the marker alone decides: An error occurred (AccessDenied)" in done.stderr
    assert instance.log()[0]["once_store"] == "unavailable"
