# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The structure of .ebextensions/*.config: sections, their keys, and the types of the values.

Source: "Customizing software on Linux servers" and "... on Windows servers" of the AWS Elastic Beanstalk Developer
Guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..platform.generation import Platform
from .commands import lint_command, lint_path
from .document import BOOLEAN, MAPPING, NULL, SEQUENCE, DocumentError, Node, duplicate_keys, parse, tagged
from .findings import Finding, finding
from .options import OptionLinter, is_function, suggest
from .shell import lint_shell

LEGACY_HOOKS = "/opt/elasticbeanstalk/hooks/"
_LEGACY_HOOK = re.compile(
    LEGACY_HOOKS + r"(?:(?:appdeploy|configdeploy|restartappserver)/(?:pre|enact|post)|preinit|postinit)/[^/]+"
)
# Places whose scripts nobody starts from a terminal.
_UNATTENDED = (LEGACY_HOOKS, "/etc/cron", "/opt/elasticbeanstalk/tasks/")

# A form takes a node and returns what the value should be, or "".
Form = Callable[[Node], str]


def _text(node: Node) -> str:
    return "" if node.is_scalar else "text"


def _function_or_text(node: Node) -> str:
    return "" if node.is_scalar or is_function(node) else "text"


def _text_or_mapping(node: Node) -> str:
    return "" if node.is_scalar or node.kind == MAPPING else "text"


def _switch(node: Node) -> str:
    right = node.kind in (BOOLEAN, NULL) or node.text.lower() in ("true", "false", "yes", "no")
    return "" if node.is_scalar and right else "true or false"


def _list(node: Node) -> str:
    return "" if node.kind in (SEQUENCE, NULL) else "a list"


def _text_or_list(node: Node) -> str:
    if node.kind == SEQUENCE:
        return "" if all(_function_or_text(item) == "" for item in node.items) else "text or a list of texts"
    return "" if node.is_scalar or is_function(node) else "text or a list of texts"


def _mapping(node: Node) -> str:
    return "" if node.kind in (MAPPING, NULL) else "a mapping"


def _mode(node: Node) -> str:
    # "000755" with quotes: without them YAML reads an octal number, and EB gets 493.
    digits = node.text
    if node.is_scalar and 3 <= len(digits) <= 6 and set(digits) <= set("01234567"):
        return ""
    return 'six octal digits in quotes, as "000755"'


_COMMAND: dict[str, Form] = {
    "command": _text_or_list,
    "cwd": _text,
    "env": _mapping,
    "test": _text_or_list,
    "ignoreErrors": _switch,
    "waitAfterCompletion": _text,
}
_ENTRIES: dict[str, dict[str, Form]] = {
    "commands": _COMMAND,
    "container_commands": {**_COMMAND, "leader_only": _switch},
    "files": {
        "mode": _mode,
        "owner": _text,
        "group": _text,
        "content": _text_or_mapping,
        "source": _function_or_text,
        "encoding": _text,
        "authentication": _text,
        "context": _mapping,
    },
    "users": {"groups": _list, "uid": _text, "homeDir": _text},
    "groups": {"gid": _text},
}
_SERVICE: dict[str, Form] = {
    "enabled": _switch,
    "ensureRunning": _switch,
    "files": _list,
    "sources": _list,
    "packages": _mapping,
    "commands": _list,
}
_MANAGERS = ("yum", "rpm", "rubygems", "python", "apt", "msi")
_SERVICE_MANAGERS = ("sysvinit", "systemd", "windows")
_TEMPLATE = ("Resources", "Outputs", "Parameters", "Mappings", "Conditions")
_RESOURCE = (
    *("Type", "Properties", "Metadata", "DependsOn", "Condition", "CreationPolicy", "DeletionPolicy"),
    *("UpdatePolicy", "UpdateReplacePolicy"),
)
SECTIONS = ("option_settings", "packages", "services", "sources", *_ENTRIES, *_TEMPLATE)


class ConfigLinter:
    """Looks at one configuration file."""

    def __init__(self, file: str, platform: Platform, options: OptionLinter) -> None:
        self.file = file
        self.platform = platform
        self.options = options
        self.findings: list[Finding] = []
        self.legacy_hooks: list[Node] = []

    def _add(self, rule: str, node: Node, message: str, severity: str = "") -> None:
        self.findings.append(finding(rule, self.file, node.line, message, severity))

    def lint(self, text: str) -> list[Finding]:
        """Return the findings of the file; its option settings go to the option linter."""
        try:
            root = parse(text)
        except DocumentError as error:
            return [finding(error.rule, self.file, error.line, error.message)]
        if root.kind == NULL:  # all commented out, as in several of AWS's own samples
            return []
        if root.kind != MAPPING:
            return [finding("wrong-type", self.file, root.line, "the file takes sections as option_settings or files")]
        for node in tagged(root):
            self._add("short-tag", node, f"{node.tag} is CloudFormation's short form, and not YAML's own")
        for first, second in duplicate_keys(root):
            self._add("duplicate-key", second, f"{second.text} stands here again; it is already in line {first.line}")
        for key, section in root.pairs:
            self._section(key, section)
        return self.findings

    def _section(self, key: Node, section: Node) -> None:
        name = key.text
        if name not in SECTIONS:
            self._add("unknown-key", key, f"{name} is no section{suggest(name, SECTIONS)}")
        elif name == "option_settings":
            self.options.read(self.file, section)
        elif section.kind == NULL:
            return
        elif section.kind != MAPPING:
            self._add("wrong-type", section, f"{name} takes a mapping of names")
        elif name in _ENTRIES:
            for entry_key, entry in section.pairs:
                self._entry(name, entry_key, entry)
        else:
            special = {"packages": self._packages, "services": self._services, "sources": self._sources}
            special.get(name, self._template)(key, section)

    def _keys(self, where: str, entry: Node, forms: dict[str, Form]) -> None:
        for key, value in entry.pairs:
            form = forms.get(key.text)
            if form is None:
                rule = "leader-only-misplaced" if key.text == "leader_only" else "unknown-key"
                self._add(rule, key, f"{key.text} is no key of {where}{suggest(key.text, list(forms))}")
                continue
            wanted = form(value)
            if wanted:
                self._add("wrong-type", key, f"{key.text} of {where} takes {wanted}")

    def _entry(self, section: str, key: Node, entry: Node) -> None:
        where = f"{section}: {key.text}"
        if entry.kind not in (MAPPING, NULL):
            self._add("wrong-type", key, f"{where} takes keys as {', '.join(list(_ENTRIES[section])[:3])}")
            return
        self._keys(where, entry, _ENTRIES[section])
        if section == "files":
            self._file(key, entry)
        elif section in ("commands", "container_commands"):
            self._command(where, key, entry)

    def _command(self, where: str, key: Node, entry: Node) -> None:
        command = entry.get("command")
        if command is None or command.kind == NULL:
            self._add("missing-key", key, f"{where} has no command")
            return
        leader, test = entry.get("leader_only"), entry.get("test")
        if leader is not None and test is not None and leader.text.lower() in ("true", "yes"):
            self._add("leader-only-with-test", test, f"{where} has leader_only and a test")
        if command.is_scalar:
            self.findings += lint_shell(self.file, command.text_line, command.text)
        self.findings += lint_command(self.file, where, entry, command, self.platform)

    def _file(self, key: Node, entry: Node) -> None:
        path, content = key.text, entry.get("content")
        if not path.startswith("/") and path[1:3] != ":\\" and path[1:3] != ":/":
            self._add("wrong-type", key, f"files: {path} is no absolute path")
        if content is not None and entry.get("source") is not None:
            self._add("unknown-key", key, f"files: {path} has content and source; EB takes one of them")
        if content is not None and content.is_scalar:
            unattended = path.startswith(_UNATTENDED)
            self.findings += lint_shell(self.file, content.text_line, content.text, unattended)
        if _LEGACY_HOOK.fullmatch(path):
            self._legacy_hook(key, entry)
        elif self.platform.is_modern:
            self.findings += lint_path(self.file, key.line, path)

    def _legacy_hook(self, key: Node, entry: Node) -> None:
        self.legacy_hooks.append(key)
        content, mode = entry.get("content"), entry.get("mode")
        if content is not None and content.is_scalar and not content.text.startswith("#!"):
            self._add("hook-no-shebang", key, f"{key.text} does not begin with #!")
        # Without a mode cfn-init writes 0644.
        if mode is None or not {"1", "3", "5", "7"} & set(mode.text[-3:]):
            self._add("hook-not-executable", key, f"{key.text} is written without the execute bit")

    def _packages(self, key: Node, section: Node) -> None:
        for manager, packages in section.pairs:
            if manager.text not in _MANAGERS:
                self._add(
                    "unknown-key", manager, f"{manager.text} is no package manager{suggest(manager.text, _MANAGERS)}"
                )
            elif packages.kind not in (MAPPING, NULL):
                self._add("wrong-type", manager, f"{key.text}: {manager.text} takes NAME: [], not a list of names")
            else:
                for name, versions in packages.pairs:
                    if _text_or_list(versions):
                        self._add("wrong-type", name, f"{name.text} takes a version or a list of versions")

    def _services(self, key: Node, section: Node) -> None:
        for manager, services in section.pairs:
            if manager.text not in _SERVICE_MANAGERS:
                hint = suggest(manager.text, _SERVICE_MANAGERS)
                self._add("unknown-key", manager, f"{manager.text} is no service manager{hint}")
                continue
            for name, service in services.pairs:
                if service.kind == MAPPING:
                    self._keys(f"{key.text}: {name.text}", service, _SERVICE)

    def _sources(self, key: Node, section: Node) -> None:
        for folder, address in section.pairs:
            if _function_or_text(address):
                self._add("wrong-type", folder, f"{key.text}: {folder.text} takes the address of an archive")

    def _template(self, key: Node, section: Node) -> None:
        if key.text != "Resources":
            return
        for name, resource in section.pairs:
            if resource.kind != MAPPING:
                self._add("wrong-type", name, f"Resources: {name.text} takes Type and Properties")
                continue
            for part, _value in resource.pairs:
                hint = suggest(part.text, _RESOURCE)
                if part.text not in _RESOURCE and hint:
                    self._add("unknown-key", part, f"{part.text} is no key of Resources: {name.text}{hint}")
