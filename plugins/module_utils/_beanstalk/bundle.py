# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Source bundles: which files, which label, and whether anything changed since the last time."""

# Paths are bytes here, as the kernel and git have them; pathlib knows only text.
# ruff: noqa: PTH100, PTH110, PTH111, PTH112, PTH113, PTH117, PTH118, PTH119, PTH123, PTH207

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
import subprocess
import time
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

from . import bundle_cache, bundle_git, bundle_repository, bundle_zip
from .bundle_types import Bundle, BundleError, Entry, Overlay, SourceSpec, is_confidential
from .lint.runner import lint_bundle
from .naming import check_version_label

_RACY_SECONDS = 2.0
_FORMAT = 3


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


class _Source:
    """One source, opened: knows its listing, its signature and what to warn about."""

    def __init__(self, spec: SourceSpec, cache_dir: str) -> None:
        self.spec = spec
        self.root = os.fsencode(os.path.abspath(os.path.expanduser(spec.path)))
        self.commit: str | None = None
        self._tree = ""
        self._index = b""
        self._status: subprocess.Popen[bytes] | None = None
        self._dirty: list[bytes] = []
        self.empty_git = os.fsencode(os.path.join(cache_dir, "empty.git"))
        if not os.path.isdir(self.root):
            raise BundleError(f"The application source {spec.path} is not a folder; give the path of the application.")
        bundle_repository.require_git()
        ignore = os.path.join(self.root, b".ebignore")
        self.ignore_file = ignore if os.path.isfile(ignore) else None
        self.repo = bundle_repository.open_repository(self.root)
        if self.repo is None and spec.source != "work_tree":
            raise BundleError(f"{spec.path} is not in a git repository: use from: work_tree, or run git init.")
        if self.repo is not None:
            self._open(self.repo)

    def _open(self, repo: bundle_repository.Repository) -> None:
        if self.spec.source == "ref":
            self.commit, self._tree = bundle_repository.resolve(repo, self.spec.ref)
        else:
            head = bundle_repository.git(repo.root, "rev-parse", "--verify", "--quiet", "HEAD", ok=(0, 1, 128))
            self.commit = head.decode().strip() or None
        if self.spec.source == "index" or (self.spec.source == "work_tree" and self.ignore_file is None):
            self._index = bundle_git.read_index(repo)
        if self.spec.source == "ref" or (self.spec.source == "work_tree" and self.ignore_file is None):
            # Runs beside the rest: it takes longer than anything else here on a large tree.
            self._status = subprocess.Popen(
                ["git", "-C", self.root, "status", "--porcelain=v1", "-z", "--no-renames", *self._status_scope()],
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=bundle_repository.git_environment(),
            )

    def _status_scope(self) -> list[str]:
        untracked = "all" if self.spec.source == "work_tree" else "normal"
        return [f"--untracked-files={untracked}", "--", "."]

    def dirty(self) -> list[bytes]:
        """Names (below the source folder) that differ from HEAD, untracked ones included."""
        if self._status is not None and self.repo is not None:
            out = self._status.communicate()[0]
            self._status = None
            skip = 3 + len(self.repo.prefix)
            self._dirty = [line[skip:] for line in out.split(b"\0")[:-1]]
        return self._dirty

    def close(self) -> None:
        """End the git that may still run."""
        if self._status is not None:
            self._status.kill()
            self._status.communicate()
            self._status = None

    def signature(self) -> tuple[str, float]:
        """A value that stays equal while no file changes, and the newest change time that it relies on."""
        digest = hashlib.sha256(f"{_FORMAT} {self.spec.source} ".encode())
        newest = 0.0
        if self.ignore_file is not None:
            with open(self.ignore_file, "rb") as file:
                digest.update(b"rules " + hashlib.sha256(file.read()).digest())
        if self.spec.source == "ref":
            digest.update(self._tree.encode())
            return digest.hexdigest(), newest
        if self.spec.source == "index":
            digest.update(self._index)
            return digest.hexdigest(), newest
        # git compares tracked files with its index by stat and, where that is not sure, by content.
        digest.update(self._index)
        paths = self.dirty() if self._index_counts() else [entry.path for entry in self.entries()]
        for path in paths:
            line, changed = _stat_line(os.path.join(self.root, path))
            digest.update(path + line)
            newest = max(newest, changed)
        return digest.hexdigest(), newest

    def _index_counts(self) -> bool:
        return self.repo is not None and self.ignore_file is None

    def entries(self) -> list[Entry]:
        """The files of the tree, without overlays and secrets."""
        if self.spec.source == "work_tree" or self.repo is None:
            return bundle_git.list_work_tree(self.root, self.repo, self.ignore_file, self.empty_git)
        attributes = None if self.ignore_file is not None else self.empty_git
        if self.spec.source == "ref":
            entries = bundle_git.list_tree(self.repo, self._tree, attributes)
        else:
            entries = bundle_git.list_index(self.repo, self._index, attributes)
        entries = [entry for entry in entries if bundle_git.shipped(entry.path)]
        if self.ignore_file is not None:
            entries = bundle_git.filter_ignored(entries, self.ignore_file, self.empty_git)
        return entries

    def description(self) -> str:
        """Last commit's subject, shortened as the EB CLI does."""
        if self.commit is None:
            return "Deployed by jack.beanstalk"
        text = bundle_repository.subject(self.root, self.commit)
        return text if len(text) <= 195 else text[:195] + "..."


def _stat_line(path: bytes) -> tuple[bytes, float]:
    try:
        info = os.lstat(path)
    except OSError:
        return b" gone\n", 0.0
    fields = (info.st_mode, info.st_size, info.st_mtime_ns, info.st_ctime_ns, info.st_ino)
    return b" %d %d %d %d %d\n" % fields, max(info.st_mtime, info.st_ctime)


def _secret_paths(root: str, patterns: Iterable[str]) -> list[str]:
    """Files below `root` that the patterns name; a pattern that names nothing is an error."""
    found: set[str] = set()
    for pattern in patterns:
        if os.path.isabs(pattern) or ".." in pattern.split("/"):
            raise BundleError(f"The secrets pattern {pattern} leaves the application source.")
        matches = glob.glob(os.path.join(glob.escape(root), pattern), recursive=True)
        files: set[str] = set()
        for match in matches:
            if os.path.isdir(match):
                files.update(os.path.join(base, name) for base, _dirs, names in os.walk(match) for name in names)
            else:
                files.add(match)
        if not files:
            raise BundleError(f"No file in {root} matches the secrets pattern {pattern}.")
        found.update(os.path.relpath(path, root) for path in files)
    return sorted(path for path in found if bundle_git.shipped(os.fsencode(path)))


def _extra_entries(spec: SourceSpec, root: bytes) -> dict[bytes, Entry]:
    """Secret files, then overlays over them, by path."""
    extra: dict[bytes, Entry] = {}
    for secret in _secret_paths(os.fsdecode(root), spec.secrets):
        path = os.fsencode(secret)
        try:
            with open(os.path.join(root, path), "rb") as file:
                data = file.read()
                mode = os.fstat(file.fileno()).st_mode
        except OSError as error:
            raise BundleError(f"Cannot read the secret file {secret}: {error.strerror}.") from error
        extra[path] = Entry(path, mode, b"", root, data=data)
    for item in spec.overlay:
        name = os.path.normpath(item.path)
        if os.path.isabs(name) or name.split("/")[0] == ".." or name == "." or item.path.endswith("/"):
            raise BundleError(f"The overlay path {item.path} is not a file inside the bundle.")
        path = os.fsencode(name)
        if not bundle_git.shipped(path):
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


def _warnings(source: _Source, extra: dict[bytes, Entry]) -> list[str]:
    spec = source.spec
    warnings = []
    left_out = [path for path in source.dirty() if path not in extra and path]
    if spec.source == "ref" and left_out:
        warnings.append(
            f"{len(left_out)} changed or new file(s) in {spec.path} are left out of the bundle, which holds {spec.ref} "
            "as it was committed; use from: index or from: work_tree to ship them."
        )
    if spec.secrets and source.repo is not None:
        secrets = [path for path, entry in extra.items() if entry.data is not None and path not in _overlay(spec)]
        listing = ("--literal-pathspecs", "ls-files", "-z", "--")
        tracked = bundle_repository.git(source.root, *listing, *secrets) if secrets else b""
        if tracked:
            names = ", ".join(os.fsdecode(name) for name in tracked.split(b"\0")[:-1])
            warnings.append(f"Secret file(s) tracked by git: {names}. Remove them from the repository's history.")
    return warnings


def _overlay(spec: SourceSpec) -> set[bytes]:
    return {os.fsencode(os.path.normpath(item.path)) for item in spec.overlay}


def make_bundle(spec: SourceSpec, check_mode: bool = False) -> BundleResult:
    """Make the source bundle that `spec` describes, or recognise that it is there already.

    In check mode nothing is written except an empty repository in the cache folder, where rules need git to match them.
    Raises BundleError with one sentence for the user.
    """
    started = time.time()
    cache_dir = os.path.abspath(os.path.expanduser(spec.cache_dir or bundle_cache.default_cache_dir()))
    prefix = spec.label_prefix or default_label_prefix(spec.path)
    check_version_label(prefix + "-" + "0" * 16)
    bundle_cache.prepare_cache(cache_dir)
    source = _Source(spec, cache_dir)
    try:
        return _make(source, prefix, cache_dir, check_mode, started)
    finally:
        source.close()


def _make(source: _Source, prefix: str, cache_dir: str, check_mode: bool, started: float) -> BundleResult:
    spec = source.spec
    extra = _extra_entries(spec, source.root)
    state, newest = source.signature()
    rules = f"{spec.platform} {sorted(spec.skip_rules)}"
    signature = f"{state} {_extra_signature(extra)} {source.commit} {rules}"
    record_path = bundle_cache.record_path(spec, source.root, cache_dir)
    known = bundle_cache.recall(record_path, signature)
    if known is not None:
        os.utime(record_path)
        return BundleResult(Bundle(**known["bundle"]), False, _warnings(source, extra) + known["remarks"])
    bundle, changed, remarks = _build(source, extra, prefix, cache_dir, check_mode)
    # A file changed in the same instant as it was read could change again without a new time stamp.
    if not (check_mode or bundle.has_secrets) and newest < started - _RACY_SECONDS:
        record = {
            "signature": signature,
            "bundle": bundle.as_dict(),
            "file": bundle_cache.file_key(bundle.path),
            "remarks": remarks,
        }
        bundle_cache.replace_file(record_path, json.dumps(record).encode())
    return BundleResult(bundle, changed, _warnings(source, extra) + remarks)


def _build(
    source: _Source, extra: dict[bytes, Entry], prefix: str, cache_dir: str, check_mode: bool
) -> tuple[Bundle, bool, list[str]]:
    spec = source.spec
    entries = _merge(source.entries(), extra)
    if not entries:
        raise BundleError(f"The application source {spec.path} has no file to bundle.")
    handle, packed = bundle_zip.pack(entries, cache_dir, write=not check_mode or bool(spec.platform))
    digest = bundle_zip.content_digest(packed)
    label = f"{prefix}-{digest[:16]}"
    has_secrets = bool(spec.secrets) or any(is_confidential(item.mode) for item in spec.overlay)
    # Bundles with secrets are removed by whoever uploads them, so that each run needs one of its own.
    suffix = f"-{os.urandom(4).hex()}{bundle_cache.CONFIDENTIAL}" if has_secrets else ".zip"
    path = os.path.join(cache_dir, label + suffix)
    zip_digest, size, remarks = None, None, []  # type: str | None, int | None, list[str]
    existed = os.path.exists(os.path.join(cache_dir, label + ".json") if has_secrets else path)
    if handle is not None:
        try:
            zip_digest = bundle_cache.zip_digest(handle)
            size = os.fstat(handle).st_size
            remarks = _inspect(handle, spec)
            if not check_mode and (not os.path.exists(path) or bundle_cache.file_digest(path) != zip_digest):
                bundle_cache.publish(handle, path)
        finally:
            os.close(handle)
    if not check_mode:
        bundle_cache.prune(cache_dir, path)
        if has_secrets:
            bundle_cache.note_label(cache_dir, label)
    bundle = Bundle(
        path, label, zip_digest, digest, size, len(packed), source.description(), source.commit, has_secrets
    )
    return bundle, not existed, remarks


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
