# SPDX-License-Identifier: GPL-3.0-or-later
"""What instances send is unpacked within limits, and what they write commands no terminal."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.reading import Allowance
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.shown import shown
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe import unpacking

MIB = 1 << 20


def bundle(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(f"var/log/{name}.log", content)
    return file.getvalue()


def test_a_few_bytes_do_not_fill_the_memory() -> None:
    """A log bundle of 165 KB once took 1.36 GB: each file was small enough, and nobody looked at their sum."""
    content = bundle(**{f"log{number}": b"\n" * (8 * MIB) for number in range(20)})
    assert len(content) < 200_000
    tracemalloc.start()
    found, problem = unpacking.unzip_logs(content, Allowance(32 * MIB, 60))
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert problem == "it has more than 32 MiB"
    assert 1 <= len(found) <= 4
    assert all(len(lines) <= 100_000 for lines in found.values())
    assert peak < 64 * MIB


def test_a_member_that_is_larger_than_it_says_is_left_out() -> None:
    content = bundle(large=b"x" * (9 * MIB), small=b"a line\n")
    small = (9 * MIB).to_bytes(4, "little")
    assert small in content
    lying = content.replace(small, (1000).to_bytes(4, "little"))
    found, problem = unpacking.unzip_logs(lying, Allowance(64 * MIB, 60))
    assert "large.log cannot be unpacked" in problem or "/var/log/large.log" in found
    assert sum(len(line) for line in found.get("/var/log/large.log", [])) <= 1000
    assert found["/var/log/small.log"] == ["a line"]


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_methods_that_elastic_beanstalk_does_not_use_are_a_sentence(method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("var/log/a.log", "text")
    assert unpacking.unzip_logs(file.getvalue(), Allowance(MIB, 60)) == ({}, "it is no zip file (NotImplementedError)")


def test_an_encrypted_member_keeps_no_other_away() -> None:
    content = bytearray(bundle(secret=b"text", plain=b"text"))
    # The first bit of the flags, in the header of the member and in the directory (APPNOTE.TXT, 4.4.4).
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    found, problem = unpacking.unzip_logs(bytes(content), Allowance(MIB, 60))
    assert found == {"/var/log/plain.log": ["text"]}
    assert problem == "var/log/secret.log cannot be unpacked (RuntimeError)"


def test_a_directory_of_very_many_entries_is_not_read() -> None:
    content = bundle(a=b"x") + b"PK\x01\x02" * 30_000
    assert unpacking.unzip_logs(content, Allowance(MIB, 60)) == ({}, "it has more than 20000 files")


@pytest.mark.parametrize("cut", [1, 10, 20])
def test_gzip_that_breaks_off_is_no_answer(cut: int) -> None:
    packed = gzip.compress(b"a line\n" * 100)
    with pytest.raises(ValueError, match=r"cut off|no gzip"):
        unpacking.gunzip(packed[:-cut])
    assert unpacking.gunzip(packed) == b"a line\n" * 100


def test_gzip_that_is_too_large_is_no_answer() -> None:
    with pytest.raises(ValueError, match="too large"):
        unpacking.gunzip(gzip.compress(b"x" * MIB), most=1000)


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("\x1b]0;owned\x07deploy", "deploy"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b2Jgone", "gone"),
        ("\x9d0;title\x9cx", "x"),
        ("\x1bP$q\x1b\\x", "x"),
        ("good\rbad", "good\\x0dbad"),
        ("line\r\nnext\tcell", "line\nnext\tcell"),
        ("a\x08b\x7f", "a\\x08b\\x7f"),
        ("user\u202etxt.exe", "user\\u202etxt.exe"),
        ("\u2066hidden\u2069", "\\u2066hidden\\u2069"),
        ("two\u2028lines", "two\\u2028lines"),
        ("half \ud83d", "half \\ud83d"),
        ("Grüße, 東京, 😀", "Grüße, 東京, 😀"),
    ],
)
def test_what_is_shown_commands_no_terminal(said: str, text: str) -> None:
    assert shown(said) == text
