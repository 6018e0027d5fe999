# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""All rules over one bundle."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from ..platform.generation import Platform, recognise
from . import cron
from .bundle import MISSPELT, Bundle, open_bundle
from .commands import lint_retired_options
from .django import lint_django
from .docker import COMPOSE, DOCKERFILE, DOCKERRUN, lint_docker
from .document import MAPPING, DocumentError, Node, parse
from .ebextensions import LEGACY_HOOKS, SECTIONS, ConfigLinter
from .external import NAME, lint_external
from .findings import ERROR, RULES, WARNING, Finding, finding
from .hooks import BACKUP, lint_hooks
from .options import OptionLinter, suggest
from .shell import lint_shell

# Files at the top that EB itself reads as YAML.
_MANIFESTS = ("env.yaml", "cron.yaml")
# Endings by which people switch a configuration file off on purpose.
_SWITCHED_OFF = (".disabled", ".off", ".example", ".sample", ".template", ".j2", ".erb", ".dist", ".txt", ".md")
# Folders whose name says that nobody expects EB to read them, as in AWS's own eb-tomcat-snakes.
_SET_ASIDE = re.compile(
    r"/(inactive|disabled|unused|off|old|archived?|backups?|examples?|samples?|templates?)/", re.IGNORECASE
)
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md: three lines, of which only the size's number varies.
_LFS_START = b"version https://git-lfs.github.com/spec/v1\noid sha256:"
_LFS_SIZES = range(126, 146)


@dataclass(frozen=True)
class Report:
    """The findings, sorted by file and line, and the number of files that were looked at."""

    findings: list[Finding]
    files: int

    def count(self, severity: str) -> int:
        """Return the number of findings of that severity."""
        return sum(item.severity == severity for item in self.findings)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as the module's return value."""
        return {
            "findings": [item.as_dict() for item in self.findings],
            "error_count": self.count(ERROR),
            "warning_count": self.count(WARNING),
            "file_count": self.files,
        }

    def warnings(self) -> list[str]:
        """Return the warnings, one line each."""
        return [str(item) for item in self.findings if item.severity == WARNING]

    def errors(self) -> list[str]:
        """Return the errors, one line each, with what Elastic Beanstalk would do and how to mend it."""
        return [f"{item} {item.effect} {item.mend}" for item in self.findings if item.severity == ERROR]

    def fails(self, fail_on: str) -> bool:
        """Tell whether a run with `fail_on` error, warning or never should fail."""
        return bool({"error": self.count(ERROR), "warning": len(self.findings), "never": 0}[fail_on])

    def sentence(self) -> str:
        """Say in one sentence what was found, with the first finding."""
        errors, warnings = self.count(ERROR), self.count(WARNING)
        counts = f"{errors} error{'s' * (errors != 1)} and {warnings} warning{'s' * (warnings != 1)}"
        if not self.findings:
            return f"Looked at {self.files} files and found nothing wrong."
        first = next((item for item in self.findings if item.severity == ERROR), self.findings[0])
        return f"Found {counts} in the bundle, first {first}."


def lint_bundle(
    path: str,
    platform: str | None = None,
    skip: Collection[str] = (),
    overlay: Mapping[str, str] | None = None,
    programs: bool = False,
) -> Report:
    """Look at a folder or zip; ``overlay`` are files that the bundle has in place of a folder's own, ``programs``
    whether shellcheck and hadolint are asked where they are installed.

    `platform` is whatever name the user has for it (see platforms.recognise); rules that depend on it stay silent or
    mild without it. `skip` names rules to leave out. Raises UnreadableBundleError, and ValueError for a rule that does
    not exist.
    """
    unknown = sorted(rule for rule in set(skip) - set(RULES) if not NAME.fullmatch(rule))
    if unknown:
        raise ValueError(f"There is no rule {unknown[0]}{suggest(unknown[0], list(RULES))}.")
    with closing(open_bundle(path, overlay)) as bundle:
        wrapper = bundle.wrapper()
        if wrapper:
            message = f"everything is inside {wrapper}/"
            found, files = [finding("nested-bundle", wrapper, 0, message)], 1
        else:
            linter = BundleLinter(bundle, recognise(platform))
            found, files = linter.lint(), linter.files
            found += lint_external(bundle) if programs else []
    return Report(sorted({item for item in found if item.rule not in skip}), files)


class BundleLinter:
    """Applies the rules to one open bundle."""

    def __init__(self, bundle: Bundle, platform: Platform) -> None:
        self.bundle = bundle
        self.platform = platform
        self.findings: list[Finding] = []
        self.options = OptionLinter()
        self.legacy_hooks: list[tuple[str, Node]] = []
        self.files = 0

    def _add(self, rule: str, file: str, line: int, message: str, severity: str = "") -> None:
        self.findings.append(finding(rule, file, line, message, severity))

    def lint(self) -> list[Finding]:
        """Return all findings, unsorted."""
        for name in self.bundle.below(".ebextensions"):
            self.files += 1
            self._ebextension(name)
        self.findings += self.options.finish()
        self._legacy_hooks()
        hooks = self.bundle.below(".platform")
        self.files += len(hooks)
        self.findings += lint_hooks(self.bundle, self.platform)
        self.findings += lint_docker(self.bundle, self.platform)
        self.files += sum(map(self.bundle.has, (DOCKERFILE, COMPOSE, DOCKERRUN)))
        self._manifests()
        self.findings += lint_retired_options(self.options.settings, self.platform, self.bundle.has("Procfile"))
        self.findings += lint_django(self.bundle, {setting.namespace for setting in self.options.settings})
        self._lfs_pointers()
        for folder in MISSPELT:
            if self.bundle.below(folder):
                right = ".platform" if folder.startswith(".p") else ".ebextensions"
                self._add("misspelt-folder", folder, 0, f"{folder} is not {right}")
        return self.findings

    def _lfs_pointers(self) -> None:
        for name in self.bundle.names:
            if self.bundle.size(name) in _LFS_SIZES and self.bundle.content(name).startswith(_LFS_START):
                self._add("lfs-pointer", name, 1, "this is a pointer of Git LFS, not the file itself")

    def _text(self, name: str) -> str:
        try:
            return self.bundle.text(name)
        except UnicodeDecodeError as error:
            line = self.bundle.content(name)[: error.start].count(b"\n") + 1
            self._add("yaml-syntax", name, line, "the file is not UTF-8")
            return ""

    def _ebextension(self, name: str) -> None:
        base = name.rpartition("/")[2]
        top = name.count("/") == 1
        if BACKUP.search(base):
            self._add("backup-leftover", name, 0, "this looks like a copy that an editor left")
        elif base.endswith(".config") and top and not self.bundle.is_read(name):
            self._add("not-checked", name, 0, f"the file has {self.bundle.size(name)} bytes and was not looked at")
        elif base.endswith(".config") and top:
            linter = ConfigLinter(name, self.platform, self.options)
            self.findings += linter.lint(self._text(name))
            self.legacy_hooks += [(name, hook) for hook in linter.legacy_hooks]
        elif base.endswith(".config") and not _SET_ASIDE.search(name):
            self._add("ebextensions-ignored-file", name, 0, "the file is in a folder below .ebextensions")
        elif base.endswith((".sh", ".bash")):
            self.findings += lint_shell(name, 1, self.bundle.content(name).decode("utf-8", "replace"))
        elif top and not base.endswith(_SWITCHED_OFF) and self._is_config(name):
            self._add("ebextensions-ignored-file", name, 0, "the name does not end in .config")

    def _is_config(self, name: str) -> bool:
        """Tell whether a file of another name has the sections of a configuration file."""
        if not name.endswith((".yml", ".yaml", ".json", ".conf")) and ".config" not in name:
            return False
        try:
            root = parse(self.bundle.text(name))
        except (DocumentError, UnicodeDecodeError):
            return False
        lower = [section for section in SECTIONS if section[0].islower()]
        return root.kind == MAPPING and any(key.text in lower for key, _value in root.pairs)

    def _legacy_hooks(self) -> None:
        # Without the platform's name, platform hooks in the same bundle say that it means Amazon Linux 2 or later.
        hooked = any(name.startswith((".platform/hooks/", ".platform/confighooks/")) for name in self.bundle.names)
        unsure = not self.platform.generation and hooked
        if self.platform.is_modern or unsure:
            for file, hook in self.legacy_hooks:
                message = f"{hook.text} is a hook of the retired Amazon Linux AMI"
                self._add("legacy-path-on-modern", file, hook.line, message, WARNING if unsure else "")
        elif self.platform.is_legacy and self.legacy_hooks and not self._removes_backups():
            file, hook = self.legacy_hooks[0]
            self._add(
                "bak-left-behind", file, hook.line, f"nothing removes the .bak that files: leaves in {LEGACY_HOOKS}"
            )

    def _removes_backups(self) -> bool:
        files = self.bundle.below(".ebextensions")
        return any(b".bak" in self.bundle.content(name) for name in files)

    def _manifests(self) -> None:
        for name in _MANIFESTS:
            if not self.bundle.has(name):
                continue
            self.files += 1
            try:
                root = parse(self._text(name))
                if name == cron.FILE:
                    self.findings += cron.lint_cron(root)
            except DocumentError as error:
                self._add(error.rule, name, error.line, error.message)
