# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of .platform: hooks that EB executes, and files that it never looks at."""

from __future__ import annotations

import re

from .bundle import Bundle
from .findings import WARNING, Finding, finding
from .options import suggest
from .platforms import Platform
from .shell import lint_shell

KINDS = ("hooks", "confighooks")
STAGES = ("prebuild", "predeploy", "postdeploy")
BACKUP = re.compile(r"(\.bak|\.orig|\.rej|\.old|\.save|\.sw[op]|~)$", re.IGNORECASE)


def lint_hooks(bundle: Bundle, platform: Platform) -> list[Finding]:
    """Look at every file below .platform."""
    found: list[Finding] = []
    for name in bundle.below(".platform"):
        found += _lint_file(bundle, platform, name)
    return found


def _lint_file(bundle: Bundle, platform: Platform, name: str) -> list[Finding]:
    parts = name.split("/")
    kind = parts[1]
    if kind not in KINDS:
        hint = suggest(kind, KINDS) if len(parts) > 2 else ""
        return [finding("hook-ignored", name, 0, f".platform/{kind} is no folder of hooks{hint}")] if hint else []
    if platform.is_legacy:
        return [finding("platform-hook-on-legacy", name, 0, "the Amazon Linux AMI has no platform hooks")]
    if len(parts) == 3:
        return [finding("hook-ignored", name, 0, f"the file is in {kind}, not in one of its stages")]
    if parts[2] not in STAGES:
        return [finding("hook-ignored", name, 0, f"{parts[2]} is no stage of {kind}{suggest(parts[2], STAGES)}")]
    if len(parts) > 4:
        return [finding("hook-ignored", name, 0, f"the file is in a folder below {parts[2]}", WARNING)]
    if BACKUP.search(name):
        return [finding("backup-hook", name, 0, "this looks like a copy that an editor left")]
    return _lint_hook(bundle, name)


def _lint_hook(bundle: Bundle, name: str) -> list[Finding]:
    content = bundle.content(name)
    found = []
    if bundle.is_executable(name) is False:
        found.append(finding("hook-not-executable", name, 0, "the hook has no execute bit"))
    if b"\0" in content or not bundle.is_read(name):  # a program
        return found
    first, _end, _rest = content.partition(b"\n")
    if not first.startswith(b"#!"):
        # Placeholders as .gitkeep would be executed too, but whether that fails is not known.
        severity = WARNING if name.rpartition("/")[2].startswith(".") else ""
        found.append(finding("hook-no-shebang", name, 1, "the hook does not begin with #!", severity))
    elif b"\r\n" in content:
        line = content[: content.index(b"\r\n")].count(b"\n") + 1
        found.append(finding("hook-crlf", name, line, "the hook has Windows line ends"))
    return found + lint_shell(name, 1, content.decode("utf-8", "replace"))
