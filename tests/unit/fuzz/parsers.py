# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that reads what others wrote: a sample of it, and the errors that are a sentence for the user."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt import project
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.cache import Cache, sealed, unsealed
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.process import boot
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.reading import Allowance
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.shape import ANYTHING, ShapeError, load
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.shown import all_shown, shown
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle import record as cycles
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    Entry,
    Goal,
    Journal,
    PendingResize,
    Record,
    Result,
    Retired,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment import record
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image import dockerfile, locks, requirements
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.requirement import LockError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader import evidence
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader.sources import _unpacked
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint import document
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import Lease, Leases, decode, encode
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.state import show
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe import logs, unpacking
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings import given
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import LINE, format_line

Content = bytes


@dataclass(frozen=True)
class Parser:
    """``read`` gets content and a folder of its own. It returns something, or raises one of ``sentences``."""

    read: Callable[[Content, Path], Any]
    samples: tuple[Content, ...]
    sentences: tuple[type[Exception], ...] = ()


NOW = 1_772_000_000.0
LEASE = Lease("deploy@build-3", "deploy", 3, NOW, NOW + 180, "0123456789abcdef", {"pid": 1}, {"journal": None})
CYCLES = Record(
    Journal("20260301T020000Z-7", Goal.RECREATE, NOW, "e-1", "v1", "v1", healthy=NOW, min_size=2),
    (Retired("e-0", "v0", NOW, NOW + 60, "why", termination_requested=True),),
    (Entry("20260228T020000Z-6", "me", Result.DONE, NOW, "e-1", "v1"),),
    PendingResize("e-1", 3, 1),
)
HOOK = (
    '{"at": "2026-03-03T12:00:09Z", "hook": "migrate", "phase": "postdeploy", "config_deploy": false, '
    '"leader_only": true, "leader": true, "ledger": "off", "ran": true, "reason": "", "rc": 0, "seconds": 1.250, '
    '"bundle_sha256": "ab", "version_label": "v2", "deployment_id": 7, "instance_id": "i-0"}'
)
TAIL = (
    "----------------------------------------\n/var/log/eb-hooks.log\n----------------------------------------\n"
    f"{HOOK}\n----------------------------------------\n/var/log/eb-engine.log\n"
    "----------------------------------------\n2026/03/03 12:00:09.000000 [INFO] Engine command: (app-deploy)\n"
    "2026/03/03 12:00:10.000000 [INFO] Instance is Leader.\n"
)


def _lock(content: Content, _folder: Path) -> Any:
    leases = decode(content)
    again = decode(encode(leases))
    assert dict(again) == dict(leases)
    return [
        (one.state("me", NOW), json.dumps(show(one, NOW)).encode(), show(one, NOW)["seconds_left"])
        for one in leases.values()
    ]


def _record(content: Content, _folder: Path) -> Any:
    read = record.decode(content)
    assert record.decode(record.encode(read)) == read
    return read


def _hint(content: Content, folder: Path) -> Any:
    path = folder / "cache.json"
    path.write_bytes(content)
    cache = Cache(path)
    assert cache.get("seconds") in (None, 12.5)
    cache.put(more=1)
    assert Cache(path).get("more") == 1


def _hint(content: Content, folder: Path) -> Any:
    cache = Cache(folder / "cache.json")
    try:
        cache.put(lock=json.loads(content))
    except (ValueError, RecursionError):
        return None
    store = LockStore(None, "bucket", "blog", "blog", cache=cache)
    store.recall()
    return store.lease()


def _tail(content: Content, _folder: Path) -> Any:
    sections = logs.split_tail(content.decode(errors="replace"))
    tails = {"i-0": sections}
    told = [one.as_dict() for one in evidence.gather(tails, "tail")], evidence.hook_results(tails)
    for text in logs.telling_lines(all_shown(sections)):
        assert _is_harmless(text)
    return json.dumps(told).encode()


def _bundle(content: Content, _folder: Path) -> Any:
    found, _problem = unpacking.unzip_logs(content, Allowance(1 << 20, 10))
    assert sum(len(line) for lines in found.values() for line in lines) <= 1 << 20
    return evidence.gather({"i-0": found}, "bundle")


def _zip(method: int = zipfile.ZIP_DEFLATED) -> Content:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("var/log/eb-engine.log", "2026/03/03 12:00:10.000000 [INFO] Instance is Leader.\n")
        archive.writestr("var/log/eb-hooks.log", HOOK + "\n")
    return file.getvalue()


def _line(content: Content, _folder: Path) -> Any:
    line = load(content, LINE)
    return format_line(line, "host").encode() if "message" in line else line["result"]


def _is_harmless(text: str) -> bool:
    return shown(text) == text


def _shown(content: Content, _folder: Path) -> Any:
    text = shown(content.decode("latin-1")) + shown(content.decode(errors="replace"))
    assert not set(text) & {chr(code) for code in (*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2066, 0x200F)}
    assert shown(text) == text
    return text.encode()


def _adopted(name: str) -> Callable[[Content, Path], Any]:
    def read(content: Content, folder: Path) -> Any:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        (folder / "Dockerfile").write_text("FROM scratch\n")
        path.write_bytes(content)
        return project.read_project(str(folder)).as_dict()

    return read


def _text(content: Content) -> str:
    return content.decode(errors="replace")


def _no_file(_name: str) -> None:
    return None


PARSERS: dict[str, Parser] = {
    "lock object": Parser(_lock, (encode(Leases.of({"blog": LEASE, "shop": Lease()})),), (AnsibleBeanstalkError,)),
    "record of cycles": Parser(
        lambda content, _folder: cycles.to_document(cycles.from_document(load(content, {str: ANYTHING}))),
        (json.dumps(cycles.to_document(CYCLES)).encode(),),
        (AnsibleBeanstalkError, ShapeError),
    ),
    "record object": Parser(
        _record,
        (record.encode(record.Record(frozenset("ab"), frozenset("c"), frozenset("d"), "e-1", {"x": ("1", "2")})),),
        (AnsibleBeanstalkError,),
    ),
    "hints": Parser(_hint, (sealed('{"seconds": 12.5}').encode(),)),
    "sealed text": Parser(lambda content, _folder: unsealed(_text(content)), (sealed("text").encode(),)),
    "hint of the lock": Parser(
        _hint,
        (
            json.dumps(
                {
                    "place": ["bucket", "jack.beanstalk/locks/blog.json", boot()],
                    "offset": 1.5,
                    "etag": "1",
                    "since": {"blog": 1.0},
                    "object": encode(Leases.of({"blog": LEASE})).decode(),
                }
            ).encode(),
        ),
    ),
    "log tail": Parser(_tail, (TAIL.encode(),)),
    "log bundle": Parser(_bundle, (_zip(), _zip(zipfile.ZIP_STORED), _zip(zipfile.ZIP_LZMA))),
    "output of SSM": Parser(
        lambda content, _folder: _unpacked(_text(content)), (base64.b64encode(gzip.compress(TAIL.encode())),)
    ),
    "gzip file": Parser(
        lambda content, _folder: unpacking.gunzip(content, 1 << 16), (gzip.compress(TAIL.encode()),), (ValueError,)
    ),
    "leader tag": Parser(
        lambda content, _folder: evidence.tag_evidence("i-0", _text(content)), (b"leader 7 2026-03-03T12:00:09Z v2",)
    ),
    "line of progress": Parser(
        _line,
        (
            b'{"item": "a", "at": "2026-03-03T12:00", "severity": "INFO", "message": "m", "done": 1, "total": null}',
            b'{"item": "a", "result": {"changed": true}}',
        ),
        (ShapeError,),
    ),
    "text to be shown": Parser(_shown, (b"\x1b]0;title\x07\x1b[31mred\x9b0m\xe2\x80\xae\r\n",)),
    "option settings": Parser(
        lambda content, _folder: given.parse(_text(content)),
        (b'{"aws:autoscaling:asg": {"MinSize": 1}}', b'[{"namespace": "a", "option_name": "b", "value": "c"}]'),
        (AnsibleBeanstalkError,),
    ),
    "YAML": Parser(
        lambda content, _folder: document.parse(_text(content)).plain(),
        (b"option_settings:\n  a: {b: [1, 2]}\n", b'{"a": [1, {"b": null}]}'),
        (document.DocumentError,),
    ),
    "Dockerfile": Parser(
        lambda content, _folder: (dockerfile.copied(_text(content)), dockerfile.installs(_text(content))),
        (b'FROM a AS b\nCOPY ["x", "y"]\nRUN pip install \\\n  -r requirements.txt\n',),
    ),
    "Pipfile.lock": Parser(
        lambda content, _folder: locks.read_pipfile_lock(_text(content), ()),
        (b'{"_meta": {}, "default": {"django": {"hashes": ["sha256:ab"], "version": "==5.0"}}}',),
        (LockError,),
    ),
    "uv.lock": Parser(
        lambda content, _folder: locks.read_uv_lock(_text(content), (), ()),
        (
            b'version = 1\n[[package]]\nname = "blog"\nversion = "0"\nsource = { virtual = "." }\ndependencies = '
            b'[{ name = "django" }]\n[[package]]\nname = "django"\nversion = "5.0"\nsource = { registry = "x" }\n'
            b'sdist = { url = "x", hash = "sha256:ab" }\n',
        ),
        (LockError,),
    ),
    "poetry.lock": Parser(
        lambda content, _folder: locks.read_poetry_lock(_text(content), (), (), _no_file),
        (
            b'[[package]]\nname = "django"\nversion = "5.0"\ngroups = ["main"]\nfiles = [{file = "x", hash = '
            b'"sha256:ab"}]\n[metadata]\nlock-version = "2.1"\n',
        ),
        (LockError,),
    ),
    "requirements.txt": Parser(
        lambda content, _folder: requirements.read_lock("requirements.txt", lambda _name: _text(content)),
        (b"django==5.0 \\\n    --hash=sha256:ab\nuvicorn[standard]==1 ; python_version > '3' --hash=sha256:cd\n",),
        (LockError,),
    ),
    "ebextensions to adopt": Parser(
        _adopted(".ebextensions/a.config"),
        (b"container_commands:\n  01_migrate:\n    command: python manage.py migrate\n    leader_only: true\n",),
    ),
    "configuration of the eb CLI": Parser(
        _adopted(".elasticbeanstalk/config.yml"),
        (b"branch-defaults:\n  main:\n    environment: blog\nglobal:\n  application_name: blog\n",),
    ),
    "script to adopt": Parser(_adopted("deploy.sh"), (b"#!/bin/sh\nset -e\neb deploy blog --staged\ndocker push x\n",)),
}
