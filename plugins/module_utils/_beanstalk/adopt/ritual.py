# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The old ritual in .ebextensions: markers that container commands touch, and hook scripts that `files:` writes.

A container command touches /tmp/<marker>, on the leader or everywhere; a script in the Amazon Linux AMI's
/opt/elasticbeanstalk/hooks/appdeploy/post finds the marker, removes it and calls `docker exec`. Everybody's scripts
begin with their own prefix, and the last one, <prefix>_9999_..., removes them.
"""

from __future__ import annotations

import re
import shlex
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..lint.document import DocumentError, Node, dump_plain, parse
from ..lint.options import OptionLinter
from ..lint.project_files import is_inside
from .notes import Notes, literal

HOOKS = "/opt/elasticbeanstalk/hooks/"
_POST = HOOKS + "appdeploy/post/"
_SCRIPT = re.compile(r"(?P<prefix>[A-Za-z][A-Za-z0-9]*)[_-](?P<order>\d+)[_-](?P<name>.+?)(?:\.sh)?")
_TOUCH = re.compile(r"(?:sudo\s+)?touch\s+[\"']?(/tmp/[\w.-]+)[\"']?")
_REMOVES = re.compile(rf"(?:sudo\s+)?rm\s+(?:-\w+\s+)*[\"']?{re.escape(HOOKS)}\S*")
_GUARD = re.compile(r"if\s+(?:\[\[?|test)\s+-[fe]\s+[\"']?(/tmp/[\w.-]+?)[\"']?\s*(?:\]\]?|;|$)")
_EXEC = re.compile(r"(?:sudo\s+)?docker\s+exec\s+(?P<rest>.+)", re.DOTALL)
# Any way to say "the container of the application": all of docker ps, the newest, or by EB's image.
_CONTAINER = re.compile(
    r"[\"']?(?:`(?:sudo )?docker ps [^`]*`|\$\((?:sudo )?docker ps [^)]*\))[\"']?\s+(?P<command>.+)", re.DOTALL
)


@dataclass
class _Marker:
    file: str
    line: int
    entry: str
    leader_only: bool
    used: bool = False


@dataclass
class _Script:
    file: str
    line: int
    path: str
    prefix: str
    order: int
    name: str
    text: str


@dataclass
class Ritual:
    """The hooks as `eb_hooks` wants them, their owner, the files that the bundle must carry in another form, and the
    options that the project sets by itself."""

    prefix: str = ""
    hooks: list[dict[str, Any]] = field(default_factory=list)
    overlay: list[dict[str, str]] = field(default_factory=list)
    options: set[str] = field(default_factory=set)


def read_ritual(root: Path, notes: Notes) -> Ritual:
    """Read .ebextensions of the project; whatever is not part of the ritual stays in the bundle as it is."""
    reader = _Reader(root, notes)
    for path in sorted(root.glob(".ebextensions/*.config")):
        reader.read_file(path)
    return reader.finish()


class _Reader:
    def __init__(self, root: Path, notes: Notes) -> None:
        self.root = root
        self.notes = notes
        self.markers: dict[str, _Marker] = {}
        self.scripts: list[_Script] = []
        self.removers: list[_Script] = []
        self.taken: dict[str, list[tuple[str, str]]] = {}
        self.options: set[str] = set()

    def read_file(self, path: Path) -> None:
        name = path.relative_to(self.root).as_posix()
        if not is_inside(self.root, path):
            what = "a link that leads out of it, a FIFO, or more than 2 MiB"
            self.notes.ask(name, 0, f"It is no file of the project ({what}): it was not read.")
            return
        try:
            root = parse(path.read_text(encoding="utf-8"))
        except (DocumentError, UnicodeDecodeError) as error:
            line = error.line if isinstance(error, DocumentError) else 1
            self.notes.ask(name, line, f"The file could not be read ({error}); it stays in the bundle as it is.")
            return
        for section, entries in root.pairs:
            if section.text == "option_settings":
                self._option_settings(name, section, entries)
                continue
            for key, entry in entries.pairs:
                if not self._entry(name, section.text, key, entry):
                    self._keep(name, section.text, key)

    def _option_settings(self, file: str, key: Node, entries: Node) -> None:
        options = OptionLinter()
        options.read(file, entries)
        self.options |= {setting.option for setting in options.settings}
        text = "The option settings stay in the bundle, where Elastic Beanstalk reads them."
        self.notes.learn(file, key.line, text)

    def _entry(self, file: str, section: str, key: Node, entry: Node) -> bool:
        """Take an entry that belongs to the ritual; return False for anything else."""
        command = entry.get("command")
        text = command.text.strip() if command is not None and command.is_scalar else ""
        if section == "container_commands" and _TOUCH.fullmatch(text) and entry.get("test") is None:
            leader = entry.get("leader_only")
            marker = _TOUCH.fullmatch(text)
            path = marker.group(1) if marker else ""
            is_leader = leader is not None and leader.text.lower() in ("true", "yes")
            self.markers[path] = _Marker(file, key.line, key.text, is_leader)
        elif section in ("commands", "container_commands") and text and _only_removes(text):
            self.notes.learn(file, key.line, f"{key.text} clears old hook scripts; the role hooks cleans up by itself.")
        elif section == "files" and key.text.startswith(HOOKS):
            return self._script(file, key, entry)
        else:
            return False
        self.taken.setdefault(file, []).append((section, key.text))
        return True

    def _script(self, file: str, key: Node, entry: Node) -> bool:
        content = entry.get("content")
        named = _SCRIPT.fullmatch(key.text.rpartition("/")[2])
        if not key.text.startswith(_POST) or content is None or not content.is_scalar or not named:
            return False
        script = _Script(
            file, key.line, key.text, named["prefix"], int(named["order"]), _hook_name(named["name"]), content.text
        )
        is_remover = _only_removes(content.text)
        (self.removers if is_remover else self.scripts).append(script)
        self.taken.setdefault(file, []).append(("files", key.text))
        return True

    def _keep(self, file: str, section: str, key: Node) -> None:
        if section == "files" and key.text.startswith(HOOKS):
            self.notes.ask(
                file, key.line, f"{key.text} is no hook of the ritual, and only the retired Amazon Linux AMI runs it."
            )
        else:
            self.notes.ask(
                file, key.line, f"{section}: {key.text} stays in the bundle as it is; check that it still fits."
            )

    def finish(self) -> Ritual:
        ritual = Ritual(prefix=self._prefix(), options=self.options)
        for script in sorted(self.scripts, key=lambda item: item.order):
            ritual.hooks += self._hook(script)
        for script in self.removers:
            text = "removes the scripts at the end; the role hooks cleans up by itself."
            self.notes.learn(script.file, script.line, f"{script.path} {text}")
        for path, marker in self.markers.items():
            if not marker.used:
                self.notes.ask(
                    marker.file, marker.line, f"{marker.entry} touches {path}, and no hook script looks for it."
                )
        _number_equal_names(ritual.hooks)
        ritual.overlay = [self._replacement(file, entries) for file, entries in sorted(self.taken.items())]
        return ritual

    def _prefix(self) -> str:
        owners = Counter(script.prefix.lower() for script in self.scripts + self.removers)
        if not owners:
            return ""
        prefix = owners.most_common(1)[0][0]
        first = (self.scripts + self.removers)[0]
        self.notes.learn(first.file, first.line, f"The hook scripts belong to the prefix {prefix}.")
        if len(owners) > 1:
            others = ", ".join(sorted(set(owners) - {prefix}))
            self.notes.ask(
                first.file, first.line, f"There are scripts of other owners too ({others}); all became {prefix}'s."
            )
        return prefix

    def _hook(self, script: _Script) -> list[dict[str, Any]]:
        marker_path, body = _body(script.text)
        leader_only = False
        if marker_path:
            marker = self.markers.get(marker_path)
            if marker is None:
                text = f"{script.path} waits for {marker_path}, which nothing touches: it never ran, and was left out."
                self.notes.ask(script.file, script.line, text)
                return []
            marker.used = True
            leader_only = marker.leader_only
        hook: dict[str, Any] = {"name": script.name, **_command(body), "leader_only": leader_only}
        if not hook["command"]:
            self.notes.ask(script.file, script.line, f"{script.path} does nothing; it was left out.")
            return []
        who = "the leader" if leader_only else "every instance"
        where = "in the container" if hook["where"] == "container" else "on the instance"
        self.notes.learn(script.file, script.line, f"The hook {script.name} runs on {who}, {where}.")
        if hook["where"] == "host" and "docker" in hook["command"]:
            text = (
                f"The hook {script.name} mixes docker and other commands, so it runs on the instance as it was written."
            )
            self.notes.ask(script.file, script.line, text)
        return [hook]

    def _replacement(self, file: str, entries: list[tuple[str, str]]) -> dict[str, str]:
        """Return the file for the bundle without the entries that `eb_hooks` replaces: both would run otherwise."""
        rest = parse((self.root / file).read_text(encoding="utf-8")).plain()
        for section, key in entries:
            del rest[section][key]
        rest = {section: value for section, value in rest.items() if value}
        text = "# The hooks of this file come from eb_hooks in the inventory.\n"
        if rest:
            text += dump_plain(rest)
        return {"path": file, "content": literal(text), "mode": "0644"}


def _only_removes(text: str) -> bool:
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    return bool(lines) and all(_REMOVES.fullmatch(line) for line in lines)


def _hook_name(name: str) -> str:
    return re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_") or "task"


def _number_equal_names(hooks: list[dict[str, Any]]) -> None:
    seen: Counter[str] = Counter()
    for hook in hooks:
        seen[hook["name"]] += 1
        if seen[hook["name"]] > 1:
            hook["name"] = f"{hook['name']}_{seen[hook['name']]}"


def _body(text: str) -> tuple[str, list[str]]:
    """Return (marker, the commands behind it); the marker is "" for a script that always runs."""
    text = re.sub(r"[ \t]*\\\n\s*", " ", text)
    marker, lines = "", []
    for raw in text.splitlines():
        line = raw.strip()
        guard = _GUARD.match(line)
        if guard and not marker:
            marker = guard.group(1)
            continue
        noise = ("#", "set -", "export PATH")
        if not line or line.startswith(noise) or (marker and line in ("then", "fi", "; then")):
            continue
        if marker and re.fullmatch(rf"(?:sudo\s+)?rm\s+(?:-\w+\s+)*[\"']?{re.escape(marker)}[\"']?", line):
            continue
        lines.append(line)
    return marker, lines


def _command(lines: list[str]) -> dict[str, Any]:
    """Return command and place: in the container when every line is a plain `docker exec`, else on the instance."""
    inside: list[str] = []
    extra: dict[str, Any] = {}
    for line in lines:
        call = _EXEC.fullmatch(line)
        parsed = _container_call(call["rest"]) if call else None
        if parsed is None:
            return {"command": literal("\n".join(lines)), "where": "host"}
        command, options = parsed
        if inside and options != extra:
            return {"command": literal("\n".join(lines)), "where": "host"}
        inside.append(command)
        extra = options
    return {"command": literal("\n".join(inside)), "where": "container", **extra}


def _container_call(rest: str) -> tuple[str, dict[str, Any]] | None:
    """Split what follows `docker exec` into command and hook options; None when the container is not EB's own."""
    options: dict[str, Any] = {}
    while rest.startswith("-"):
        word, _space, rest = rest.partition(" ")
        key = {"-u": "user", "--user": "user", "-w": "workdir", "--workdir": "workdir", "-e": "environment"}.get(word)
        if key:
            value, _space, rest = rest.lstrip().partition(" ")
            if key == "environment":
                name, _equals, text = value.partition("=")
                options.setdefault(key, {})[name] = " ".join(shlex.split(text))
            else:
                options[key] = value
        elif not re.fullmatch(r"-[it]+|--tty|--interactive", word):  # hooks have no terminal, whatever was asked for
            return None
        rest = rest.lstrip()
    found = _CONTAINER.fullmatch(rest)
    return (found["command"].strip(), options) if found else None
