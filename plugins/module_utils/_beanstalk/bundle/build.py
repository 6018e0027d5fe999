# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Source bundles: the tree, rendered files and secrets as one zip with a label, or the one that is there already."""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH100, PTH110, PTH111, PTH117, PTH118, PTH119

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from bisect import bisect_left
from typing import Any

from ..core.cache import sealed
from ..core.names import check_version_label
from ..core.user_errors import BundleError
from ..lint.runner import lint_bundle
from . import cache, contents
from .files import SourceFolder
from .git import git
from .names import shipped
from .secrets import secret_paths
from .source import Source
from .types import Bundle, Entry, Overlay, SourceSpec, is_confidential
from .zip import content_digest, pack

_RACY_SECONDS = 2.0


class BundleResult:
    """What making a bundle gave: the bundle, whether a zip was written, and what the user should know."""

    def __init__(self, bundle: Bundle, changed: bool, warnings: list[str]) -> None:
        self.bundle = bundle
        self.changed = changed
        self.warnings = warnings


def default_label_prefix(path: str) -> str:
    """A label prefix made from the folder's name."""
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", os.path.basename(os.path.abspath(path))).strip("-.")
    return name[:80] or "app"


def _extra_entries(spec: SourceSpec, root: bytes) -> dict[bytes, Entry]:
    """Secret files, then overlays over them, by path."""
    extra: dict[bytes, Entry] = {}
    with SourceFolder(root) as folder:
        for path in secret_paths(folder, spec.secrets):
            try:
                mode, data = folder.read(path)
            except OSError as error:
                raise BundleError(f"Cannot read the secret file {os.fsdecode(path)}: {error.strerror}.") from error
            extra[path] = Entry(path, mode, b"", root, data=data)
    for item in spec.overlay:
        name = os.path.normpath(item.path)
        if os.path.isabs(name) or name.split("/")[0] == ".." or name == "." or item.path.endswith("/"):
            raise BundleError(f"The overlay path {item.path} is not a file inside the bundle.")
        path = os.fsencode(name)
        if not shipped(path):
            raise BundleError(f"The overlay path {item.path} is in a folder that is never shipped.")
        extra[path] = Entry(path, 0o100000 | (item.mode & 0o777), b"", root, data=item.content)
    return extra


def _merge(entries: list[Entry], extra: dict[bytes, Entry]) -> list[Entry]:
    if extra:
        entries = [entry for entry in entries if entry.path not in extra] + list(extra.values())
    entries.sort(key=lambda entry: entry.path)
    paths = [entry.path for entry in entries]
    for path in extra:
        below = bisect_left(paths, path + b"/")
        if below < len(paths) and paths[below].startswith(path + b"/"):
            raise BundleError(f"{os.fsdecode(path)} is a file of the overlay and a folder in the source.")
        parts = path.split(b"/")
        for depth in range(1, len(parts)):
            parent = b"/".join(parts[:depth])
            at = bisect_left(paths, parent)
            if at < len(paths) and paths[at] == parent:
                raise BundleError(f"{os.fsdecode(parent)} is a file in the source and a folder of the overlay.")
    return entries


def _extra_signature(extra: dict[bytes, Entry]) -> str:
    digest = hashlib.sha256()
    for path, entry in sorted(extra.items()):
        digest.update(b"%d %o " % (len(path), entry.mode) + path + hashlib.sha256(entry.data or b"").digest())
    return digest.hexdigest()


def _warnings(source: Source, extra: dict[bytes, Entry]) -> list[str]:
    spec = source.spec
    warnings = []
    left_out = [path for path in source.dirty() if path not in extra and path] if spec.source == "ref" else []
    if source.untold:
        warnings.append(f"Whether files in {spec.path} differ from {spec.ref} is not known: {source.untold}")
    if left_out:
        warnings.append(
            f"{len(left_out)} changed or new file(s) in {spec.path} are left out of the bundle, which holds {spec.ref} "
            "as it was committed; use from: index or from: work_tree to ship them."
        )
    if spec.secrets and source.repo is not None:
        secrets = [path for path, entry in extra.items() if entry.data is not None and path not in _overlay(spec)]
        listing = ("--literal-pathspecs", "ls-files", "-z", "--")
        tracked = git(source.root, *listing, *secrets) if secrets else b""
        if tracked:
            names = ", ".join(os.fsdecode(name) for name in tracked.split(b"\0")[:-1])
            warnings.append(f"Secret file(s) tracked by git: {names}. Remove them from the repository's history.")
    return warnings


def _overlay(spec: SourceSpec) -> set[bytes]:
    return {os.fsencode(os.path.normpath(item.path)) for item in spec.overlay}


def make_bundle(spec: SourceSpec, check_mode: bool = False, diff_mode: bool = False) -> BundleResult:
    """Make the source bundle that `spec` describes, or recognise that it is there already.

    In check mode nothing is written except an empty repository in the cache folder, where rules need git to match them.
    In diff mode its contents are noted beside it, so that they can be compared with those of another version.
    Raises BundleError with one sentence for the user.
    """
    started = time.time()
    cache_dir = os.path.abspath(os.path.expanduser(spec.cache_dir or cache.default_cache_dir()))
    prefix = spec.label_prefix or default_label_prefix(spec.path)
    check_version_label(prefix + "-" + "0" * 16)
    cache.prepare_cache(cache_dir)
    try:
        if not check_mode:
            cache.remove_abandoned(cache_dir)
        source = Source(spec, cache_dir)
        try:
            made, marks = _make(source, prefix, cache_dir, check_mode, started)
            _note_contents(source, made.bundle.path, marks, diff_mode)
            return made
        finally:
            source.close()
    except OSError as error:
        # What the source itself refuses has a sentence of its own.
        raise BundleError(f"The bundle cannot be made in {cache_dir}: {error.strerror or error}.") from error


def _note_contents(source: Source, path: str, marks: contents.Marks | None, diff_mode: bool) -> None:
    """Note what the bundle consists of, where somebody wants to see what changed and contents were packed."""
    if not diff_mode:
        contents.forget(path)
        return
    if marks is None and os.path.exists(path):
        marks = contents.marks_in(path)
    if marks is not None:
        overlay = {os.fsencode(os.path.normpath(item.path)): item.mode for item in source.spec.overlay}
        extra = _extra_entries(source.spec, source.root)
        secrets = {os.fsdecode(name) for name in extra if name not in overlay or is_confidential(overlay[name])}
        contents.note(path, marks, secrets)


def _make(
    source: Source, prefix: str, cache_dir: str, check_mode: bool, started: float
) -> tuple[BundleResult, contents.Marks | None]:
    """The bundle, and the marks of what was packed; None for one that is there already."""
    spec = source.spec
    extra = _extra_entries(spec, source.root)
    state, newest = source.signature()
    rules = f"{spec.platform} {sorted(spec.skip_rules)}"
    signature = f"{state} {_extra_signature(extra)} {source.commit} {rules}"
    record_path = cache.record_path(spec, source.root, cache_dir)
    known = cache.recall(record_path, signature)
    if known is not None:
        os.utime(record_path)
        return BundleResult(Bundle(**known["bundle"]), False, _warnings(source, extra) + known["remarks"]), None
    bundle, changed, remarks, marks = _build(source, extra, prefix, cache_dir, check_mode)
    # A file changed in the same instant as it was read could change again without a new time stamp.
    if not (check_mode or bundle.has_secrets) and newest < started - _RACY_SECONDS:
        record = {
            "signature": signature,
            "bundle": bundle.as_dict(),
            "file": cache.file_key(bundle.path),
            "remarks": remarks,
        }
        cache.replace_file(record_path, sealed(json.dumps(record)).encode())
    return BundleResult(bundle, changed, _warnings(source, extra) + remarks), marks


def _build(
    source: Source, extra: dict[bytes, Entry], prefix: str, cache_dir: str, check_mode: bool
) -> tuple[Bundle, bool, list[str], contents.Marks | None]:
    spec = source.spec
    listed = source.entries()
    entries = _merge(listed, extra)
    if not entries:
        raise BundleError(f"The application source {spec.path} has no file to bundle.")
    write = not check_mode or bool(spec.platform)
    handle, packed = pack(entries, source.root, source.date(listed), cache_dir, write)
    digest = content_digest(packed)
    label = f"{prefix}-{digest[:16]}"
    has_secrets = bool(spec.secrets) or any(is_confidential(item.mode) for item in spec.overlay)
    # Bundles with secrets are removed by whoever uploads them, so that each run needs one of its own.
    suffix = f"-{os.urandom(4).hex()}{cache.CONFIDENTIAL}" if has_secrets else ".zip"
    path = os.path.join(cache_dir, label + suffix)
    zip_digest, size, remarks = None, None, []  # type: str | None, int | None, list[str]
    existed = os.path.exists(os.path.join(cache_dir, label + ".json") if has_secrets else path)
    if handle is not None:
        try:
            zip_digest = cache.zip_digest(handle)
            size = os.fstat(handle).st_size
            remarks = _inspect(handle, spec)
            if not check_mode and (not os.path.exists(path) or cache.file_digest(path) != zip_digest):
                if has_secrets:
                    cache.reserve(path)
                cache.publish(handle, path)
        finally:
            os.close(handle)
    if not check_mode:
        cache.prune(cache_dir, path)
        if has_secrets:
            cache.note_label(cache_dir, label)
    bundle = Bundle(
        path, label, zip_digest, digest, size, len(packed), source.description(), source.commit, has_secrets
    )
    # What was only hashed has no checksums of a zip.
    return bundle, not existed, remarks, contents.marks_of(packed) if write else None


def _inspect(handle: int, spec: SourceSpec) -> list[str]:
    """Look at the zip while it has no name yet; BundleError for errors, the warnings otherwise."""
    if not spec.platform:
        return []
    try:
        report = lint_bundle(f"/dev/fd/{handle}", spec.platform, spec.skip_rules)
    except ValueError as error:
        raise BundleError(str(error)) from error
    errors = report.errors()
    if errors:
        raise BundleError("\n".join(["Elastic Beanstalk would not run this bundle as it is meant:", *errors]))
    return report.warnings()


def source_spec(params: dict[str, Any]) -> SourceSpec:
    """The module's parameters as a SourceSpec; BundleError for a mode that is no octal number."""
    overlay = []
    for item in params["overlay"]:
        if not re.fullmatch(r"0?[0-7]{3}", item["mode"]):
            raise BundleError(f"The mode {item['mode']!r} of {item['path']} is not an octal number such as '0644'.")
        overlay.append(Overlay(item["path"], item["content"].encode(), int(item["mode"], 8)))
    return SourceSpec(
        params["path"],
        params["from"],
        params["ref"],
        tuple(overlay),
        tuple(params["secrets"]),
        params["label_prefix"] or "",
        params["cache_dir"] or "",
        params["platform"] or "",
        tuple(params["skip_rules"]),
    )
