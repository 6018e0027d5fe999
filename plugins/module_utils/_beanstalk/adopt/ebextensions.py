# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What .ebextensions says: option settings, marker files, hook scripts, and commands of Python platforms."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ..lint.document import MAPPING, DocumentError, Node, dump_plain, parse, tagged
from ..lint.options import OptionLinter
from ..platform.generation import Platform
from .hooks import LEGACY_HOOKS, HookScript, Marker, markers_of
from .notes import Notes
from .shell import NotUnderstoodError, split_words
from .source import Source

_LEGACY_STAGE = re.compile(re.escape(LEGACY_HOOKS) + r"(?P<kind>appdeploy|configdeploy)/(?P<stage>pre|post)/[^/]+")
_PHASES = {"pre": "predeploy", "post": "postdeploy"}
_PREPARES = re.compile(rf"(?:sudo\s+)?(?:mkdir|chmod|chown)\s+.*{re.escape(LEGACY_HOOKS)}.*")
_COPIES = re.compile(
    r"(?:sudo\s+)?(?:cp|mv|install)\s+(?:-\S+\s+)*[\"']?(?P<source>[\w./*-]+)[\"']?\s+"
    rf"[\"']?(?P<target>{re.escape(LEGACY_HOOKS)}[\w./-]*)[\"']?"
)
_RUNS = re.compile(r"(?:sudo\s+)?(?:(?:ba)?sh\s+)?(?:\./)?(?P<file>[\w./-]+\.sh)")
_DECISIONS = {"secret-in-property", "rds-deletion-policy"}
_DATABASE = "aws:rds:dbinstance"
_LONGEST_COMMAND = 64 * 1024
_TEMPORARY = ("/tmp/", "/var/tmp/")  # noqa: S108 -- where people's markers are
_TRUE = ("true", "yes", "on")


@dataclass
class Extensions:
    """What the files say. ``options`` are (namespace, option) with their values; ``taken`` are entries that hooks and
    the role's own cleaning replace, by file."""

    options: dict[tuple[str, str], str] = field(default_factory=dict)
    scripts: list[HookScript] = field(default_factory=list)
    markers: dict[str, Marker] = field(default_factory=dict)
    marker_entries: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    taken: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    tagged: set[str] = field(default_factory=set)


def read_extensions(source: Source, platform: Platform) -> Extensions:
    """Read the configuration files of the project."""
    reader = _Reader(source, platform)
    for name in source.below(".ebextensions"):
        if name.count("/") == 1 and name.endswith(".config"):
            reader.read_file(name)
    reader.finish()
    return reader.found


def rewritten(source: Source, file: str, entries: list[tuple[str, str]]) -> dict[str, str]:
    """The file for the bundle without the entries that the inventory replaces: both would run otherwise."""
    rest = parse(source.text(file) or "").plain()
    for section, key in entries:
        rest.get(section, {}).pop(key, None)
    rest = {section: value for section, value in rest.items() if value}
    text = "# The hooks of this file come from eb_hooks in the inventory.\n"
    if rest:
        text += dump_plain(rest)
    return {"path": file, "content": text, "mode": "0644"}


class _Reader:
    def __init__(self, source: Source, platform: Platform) -> None:
        self.source = source
        self.notes: Notes = source.notes
        self.platform = platform
        self.found = Extensions()
        self.linter = OptionLinter()
        self.configured: dict[str, HookScript] = {}
        self.is_python = platform.docker == "none" and "python" in platform.name.lower()

    def read_file(self, name: str) -> None:
        text = self.source.text(name)
        if text is None:
            return
        try:
            root = parse(text)
        except DocumentError as error:
            self.notes.ask(name, error.line, f"The file could not be read ({error}); it stays in the bundle as it is.")
            return
        if tagged(root):
            self.found.tagged.add(name)
        for section, entries in root.pairs:
            if section.text == "option_settings":
                self.linter.read(name, entries)
                self.notes.keep(
                    name, section.line, "The option settings stay in the bundle, where Elastic Beanstalk reads them."
                )
            elif entries.kind == MAPPING:
                for key, entry in entries.pairs:
                    self._entry(name, section.text, key, entry)
            else:
                self.notes.keep(name, section.line, f"{section.text} stays in the bundle as it is.")

    def finish(self) -> None:
        for setting in self.linter.settings:
            self.found.options[setting.namespace, setting.option] = setting.value.text
        for item in self.linter.finish():
            if item.rule in _DECISIONS:
                self.notes.ask(item.file, item.line, f"{item.message}. {item.effect} {item.mend}", urgent=True)
        self._database()
        for name, script in self.configured.items():
            # The same script for deployments of a configuration: one hook for both.
            twin = next(
                (one for one in self.found.scripts if one.path.endswith("/" + name) and one.text == script.text), None
            )
            if twin is None:
                self.notes.ask(
                    script.file,
                    script.line,
                    f"{script.path} runs at configuration deployments only, which no hook does; it stays.",
                )
            else:
                self.found.scripts[self.found.scripts.index(twin)] = HookScript(
                    **{**vars(twin), "on_config_deploy": True, "twin": script.source[1]}
                )

    def _database(self) -> None:
        settings = [setting for setting in self.linter.settings if setting.namespace == _DATABASE]
        if settings and not any(setting.option == "DBDeletionPolicy" for setting in settings):
            first = settings[0]
            text = (
                "The database belongs to the environment and has no DBDeletionPolicy, so it is deleted with it, "
                "without a snapshot. "
                "Set DBDeletionPolicy to Snapshot or Retain, or keep the database outside the environment."
            )
            self.notes.ask(first.file, first.name_node.line, text, urgent=True)

    def _entry(self, file: str, section: str, key: Node, entry: Node) -> None:
        taken = False
        if section in ("commands", "container_commands"):
            taken = self._command(file, section, key, entry)
        elif section == "files":
            taken = self._file(file, key, entry)
        if not taken:
            if section == "Resources" and (kind := entry.get("Type")) and kind.text == "AWS::RDS::DBInstance":
                text = (
                    f"{key.text} is a database that is made and deleted with the environment: keep it outside, "
                    "or give it a DeletionPolicy."
                )
                self.notes.ask(file, key.line, text, urgent=True)
            else:
                self.notes.keep(file, key.line, f"{section}: {key.text} stays in the bundle as it is.")

    def _command(self, file: str, section: str, key: Node, entry: Node) -> bool:
        """Take an entry of commands or container_commands; False for one that stays."""
        command = entry.get("command")
        text = command.text.strip() if command is not None and command.is_scalar else ""
        leader = section == "container_commands" and _is_true(entry.get("leader_only"))
        if not text or command is None or len(text) > _LONGEST_COMMAND:
            return False
        if entry.get("test") is None and (paths := self._marks(text)):
            for path in paths:
                self._mark(path, Marker(file, key.line, key.text, leader), (file, section, key.text))
            return True
        lines = [line.strip() for line in re.split(r"&&|;|\n", text) if line.strip()]
        if all(_removes(line) or _PREPARES.fullmatch(line) for line in lines):
            what = "clears or prepares the folder of old hook scripts; the role hooks does what is needed"
            self.notes.learn(file, key.line, f"{key.text} {what}.")
            self._take(file, section, key.text)
            return True
        if (copied := _COPIES.fullmatch(text)) and self._copied(file, section, key, copied["source"], copied["target"]):
            return True
        if section == "container_commands" and self.is_python and entry.get("test") is None:
            return self._python_command(file, key, entry, command, leader)
        return False

    def _marks(self, text: str) -> list[str]:
        """The markers that a command makes, itself or by a script of the project that does nothing else."""
        if paths := markers_of(text):
            return paths
        called = _RUNS.fullmatch(text)
        content = self.source.text(called["file"]) if called and self.source.has(called["file"]) else None
        if called is None or content is None:
            return []
        lines = [
            line
            for line in content.splitlines()
            if line.strip() and not line.lstrip().startswith(("#", "set ", "echo "))
        ]
        paths = markers_of("\n".join(lines))
        if paths:
            self.notes.learn(called["file"], 0, f"The script makes the markers {', '.join(paths)}.")
        return paths

    def _mark(self, path: str, marker: Marker, entry: tuple[str, str, str]) -> None:
        known = self.found.markers.get(path)
        if known is not None:  # made twice: the leader alone only when both say so
            known.leader_only = known.leader_only and marker.leader_only
            self.found.marker_entries[id(marker)] = entry
            return
        self.found.markers[path] = marker
        self.found.marker_entries[id(marker)] = entry

    def _file(self, file: str, key: Node, entry: Node) -> bool:
        content = entry.get("content")
        if not key.text.startswith(LEGACY_HOOKS):
            if content is not None and content.is_scalar and len(content.text) < 20 and key.text.startswith(_TEMPORARY):
                self._mark(key.text, Marker(file, key.line, key.text, leader_only=False), (file, "files", key.text))
                return True
            return False
        if content is None or not content.is_scalar:
            self.notes.ask(file, key.line, f"{key.text} is fetched from elsewhere, so it was not read.{self._dead()}")
            return True
        return self._script(file, key.line, content.text_line, key.text, content.text, ("files", key.text))

    def _script(
        self, file: str, line: int, first: int, path: str, text: str, source: tuple[str, str], text_file: str = ""
    ) -> bool:
        stage = _LEGACY_STAGE.fullmatch(path)
        if not stage:
            self.notes.ask(file, line, f"{path} replaces a script of Elastic Beanstalk's own.{self._dead()}")
            return True
        lines = [row.strip() for row in text.splitlines() if row.strip() and not row.lstrip().startswith("#")]
        if lines and all(_removes(row) for row in lines):
            self.notes.learn(file, line, f"{path} removes the scripts at the end; the role hooks cleans up by itself.")
            if source[0]:
                self._take(file, *source)
            return True
        script = HookScript(
            file, line, first, path, text, _PHASES[stage["stage"]], source=source, text_file=text_file or file
        )
        if stage["kind"] == "configdeploy":
            self.configured[path.rpartition("/")[2]] = script
        else:
            self.found.scripts.append(script)
        return True

    def _dead(self) -> str:
        if not self.platform.is_modern:
            return ""
        return " Only the retired Amazon Linux AMI runs it: on the platform of the inventory it does nothing."

    def _copied(self, file: str, section: str, key: Node, source: str, target: str) -> bool:
        """A hook script that is a file of the project, and that a command puts into its place."""
        name = source.removeprefix("./").removeprefix("/var/app/ondeck/").removeprefix("/var/app/staging/")
        text = self.source.text(name) if self.source.has(name) else None
        if text is None:
            return False
        path = (
            target
            if not target.endswith("/") and "." in target.rpartition("/")[2]
            else f"{target.rstrip('/')}/{name.rpartition('/')[2]}"
        )
        self.notes.learn(name, 0, f"{key.text} of {file} makes it the hook {path}.")
        return self._script(file, key.line, 1, path, text, (section, key.text), name)

    def _python_command(self, file: str, key: Node, entry: Node, command: Node, leader: bool) -> bool:
        """A container command of a Python platform, which runs in the folder of the new version before it goes live."""
        text = command.text
        try:
            words = split_words(text)
        except NotUnderstoodError:
            return False
        if not {"manage.py", "django-admin", "python", "python3", "flask", "alembic"} & {
            word.rpartition("/")[2] for word in words
        }:
            return False
        settings: dict[str, Any] = {}
        cwd, env = entry.get("cwd"), entry.get("env")
        if cwd is not None:
            text = f"cd {cwd.text}\n{text}"
        if env is not None:
            settings["environment"] = {name.text: value.text for name, value in env.pairs}
        if _is_true(entry.get("ignoreErrors")):
            settings["on_failure"] = "warn"
        self.found.scripts.append(
            HookScript(
                file,
                key.line,
                command.text_line,
                key.text,
                text,
                "predeploy",
                leader,
                settings=tuple(settings.items()),
                source=("container_commands", key.text),
            )
        )
        return True

    def _take(self, file: str, section: str, key: str) -> None:
        self.found.taken.setdefault(file, []).append((section, key))


def _removes(line: str) -> bool:
    """Whether a command clears the folders of old hook scripts, and does nothing else."""
    words = [word.strip("\"'") for word in line.removeprefix("sudo ").split()]
    paths = [word for word in words[1:] if not word.startswith("-")]
    return words[:1] == ["rm"] and bool(paths) and all(path.startswith(LEGACY_HOOKS) for path in paths)


def _is_true(node: Node | None) -> bool:
    return node is not None and node.text.lower() in _TRUE
