# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a hook script does: tasks, each with who runs it and where.

A script is taken over whole or not at all. Understood are the leader's tests (EB_IS_COMMAND_LEADER, leader-test.sh, a
marker file), `docker exec` and `docker compose exec`, an activated virtual environment, and plain commands.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ..platform.generation import Platform
from .container import Call, container_call, listed_container, without_log
from .shell import NotUnderstoodError, Statement, statements

_LEADER = re.compile(
    r"(?P<no>!\s*)?(?:\[\[?|test)\s+[\"']?\$\{?EB_IS_COMMAND_LEADER(?::?-\w*)?\}?[\"']?\s*(?P<how>==?|!=|-eq)\s*[\"']?"
    r"(?P<value>true|false)[\"']?\s*(?:\]\]?)?"
)
_LEADER_TEST = re.compile(r"(?P<no>!\s*)?(?:sudo\s+)?(?:\S*/)?leader-test\.sh(?:\s*>\s*/dev/null)?")
_MARKER = re.compile(r"(?P<no>!\s*)?(?:\[\[?|test)\s+(?P<not>!\s+)?-[fe]\s+[\"']?(?P<path>[\w./-]+)[\"']?\s*(?:\]\]?)?")
_EMPTY = re.compile(r"(?:\[\[?|test)\s+-z\s+[\"']?\$\{?(\w+)(?::-)?\}?[\"']?\s*(?:\]\]?)?")
_HAS_VENV = re.compile(
    r"(?:ls|compgen -G|\[\[?\s+-[fde]|test -[fde])\s+[\"']?(?:/var/app/venv|/opt/python/run)\S*[\"']?"
    r"\s*(?:\]\]?)?(?:\s*[12&]?>{1,2}\s*[^\s>]+)*"
)
_ACTIVATES = re.compile(
    r"(?:source|\.)\s+[\"']?(?:\$\{?PYTHONPATH\}?|/(?:var/app/venv|opt/python/run)/\S*?)/(?:bin/)?activate[\"']?"
)
_LOADS_PROPERTIES = re.compile(
    r"(?:source|\.)\s+\S*(?:deployment/env|/opt/python/current/env|sh\.local|profile)\S*|set\s+[-+]a"
    r"|export\s+(?:\w+=)?[\"']?\$\(.*(?:deployment/env|get-config environment).*\)[\"']?"
    r"|eval\s+.*get-config environment.*"
)
_SILENT = re.compile(
    r"set\s+[-+]\w+(?:\s+\w+)*|echo\b[^>|]*|printf\b[^>|]*|:|true|sleep\s+[\d.]+\w?|date|whoami|pwd|id|shopt\b.*"
    r"|(?:sudo\s+)?docker\s+(?:ps|images)[^|>]*|export\s+PATH=.*|exec\s+[12&]?>.*|[\w]+=\$\(date[^)]*\)|deactivate"
    r"|export\s+LC_ALL=.*|export\s+LANG=.*|umask\s+\d+"
)
_ASSIGNS = re.compile(r"(?:export\s+)?(?P<name>\w+)=(?P<value>.*)", re.DOTALL)
_CD = re.compile(r"(?:cd|pushd)\s+[\"']?(?P<folder>[\w./*-]+?)/?[\"']?")
_BASES = (
    "/var/app/current",
    "/var/app/staging",
    "/opt/python/current/app",
    "/opt/python/ondeck/app",
    "/opt/python/bundle/*/app",
)
_EXITS = re.compile(r"(?:exit|return)(?:\s+(?P<code>\d+))?")


@dataclass(frozen=True)
class Surroundings:
    """What decides where a command of a hook runs: the platform, and the services that a compose file starts."""

    platform: Platform
    services: tuple[str, ...] = ()


@dataclass(frozen=True)
class Task:
    """A command, its line in the script, and for whom: ``leader`` by EB's own test, ``markers`` by files."""

    line: int
    command: str
    where: str
    leader: bool = False
    markers: tuple[str, ...] = ()
    options: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True)
class _Condition:
    kind: str  # leader, marker, silent (only what says something or ends), or any
    value: str = ""
    holds: bool = True

    def negated(self) -> _Condition:
        return _Condition(self.kind, self.value, not self.holds)


_ANY = _Condition("any")


@dataclass
class _Frame:
    conditions: list[_Condition]
    closes: str  # fi or }


def tasks_of(text: str, around: Surroundings, first_line: int = 1) -> list[Task]:
    """The tasks of a script, one for each run of commands that have the same whom and where.

    Lines count from ``first_line``. Raises NotUnderstoodError.
    """
    try:
        return _Interpreter(around).read(statements(text), first_line)
    except NotUnderstoodError as error:
        raise NotUnderstoodError(error.line + first_line - 1, error.reason) from None


@dataclass
class _Interpreter:
    around: Surroundings
    frames: list[_Frame] = field(default_factory=list)
    for_the_rest: list[_Condition] = field(default_factory=list)
    inline: list[_Condition] = field(default_factory=list)
    containers: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    folder: str = ""
    venv: bool = False
    stops: bool = False
    tasks: list[Task] = field(default_factory=list)

    def read(self, script: list[Statement], first_line: int) -> list[Task]:
        waiting = iter(script)
        for statement in waiting:
            if not self._take(statement, waiting):
                break
        if self.frames:
            raise NotUnderstoodError(script[-1].line, f"no {self.frames[-1].closes} at the end")
        return list(_moved(self.tasks, first_line - 1))

    def _take(self, statement: Statement, waiting: Iterator[Statement]) -> bool:
        """Take a statement; False when the script ends there."""
        text, joined = statement.text, statement.joined
        if joined != "&&":
            ended, self.inline = self.inline, []
            if joined == "||" and ended and _EXITS.fullmatch(text):  # TEST || exit
                self.for_the_rest += ended
                return True
        word = text.split()[0]
        if word == "if":
            self._open_if(Statement(statement.line, text[2:].strip(), joined), waiting)
        elif word == "{":
            # TEST && { … }, or COMMAND || { say it; exit; }
            self.frames.append(_Frame([_Condition("silent")] if joined == "||" else [*self.inline], "}"))
        elif word == "else":
            self._turn(statement)
        elif word in ("fi", "}"):
            self._close(statement)
        elif word in ("elif", "then", "do", "done", "!") or text.startswith("("):
            raise NotUnderstoodError(statement.line, f"{word.strip('(') or 'a subshell'} in a form that is not known")
        elif condition := self._condition(text):
            self.inline.append(condition)
        elif found := _EXITS.fullmatch(text):
            return self._exit(statement, found["code"] or "0")
        else:
            self._command(statement)
        return True

    def _open_if(self, first: Statement, waiting: Iterator[Statement]) -> None:
        heads = [first]
        for statement in waiting:
            if statement.text == "then":
                break
            heads.append(statement)
        conditions = []
        for head in heads:
            condition = self._condition(head.text)
            if condition is None or head.joined == "||":
                raise NotUnderstoodError(head.line, f"if {head.text}")
            conditions.append(condition)
        self.frames.append(_Frame([*self.inline, *conditions], "fi"))
        self.inline = []

    def _turn(self, statement: Statement) -> None:
        if not self.frames or self.frames[-1].closes != "fi":
            raise NotUnderstoodError(statement.line, "an else without its if")
        self.frames[-1].conditions = [condition.negated() for condition in self.frames[-1].conditions]

    def _close(self, statement: Statement) -> None:
        if not self.frames or self.frames.pop().closes != statement.text.split()[0]:
            raise NotUnderstoodError(statement.line, f"a {statement.text} without its beginning")

    def _condition(self, text: str) -> _Condition | None:
        text = text.strip()
        if found := _LEADER.fullmatch(text):
            wanted = (found["value"] == "true") == (found["how"] != "!=")
            return _Condition("leader", holds=wanted != bool(found["no"]))
        if found := _LEADER_TEST.fullmatch(text):
            return _Condition("leader", holds=not found["no"])
        if _HAS_VENV.fullmatch(text):
            return _ANY
        if found := _MARKER.fullmatch(text):
            return _Condition("marker", found["path"], holds=not (found["no"] or found["not"]))
        if (found := _EMPTY.fullmatch(text)) and found[1] in self.containers:
            return _Condition("silent")
        # Properties that are loaded when they are missing.
        return _Condition("silent") if found and found[1].isupper() else None

    def _conditions(self) -> list[_Condition]:
        return [*(each for frame in self.frames for each in frame.conditions), *self.for_the_rest, *self.inline]

    def _exit(self, statement: Statement, code: str) -> bool:
        """An exit: the end of the script, or a condition for the rest of it. False when nothing follows."""
        if self.frames and statement.joined != "||":
            mine = self.frames[-1].conditions
            if any(condition.kind == "silent" for condition in mine):
                return True
            if len(mine) == 1 and len(self.frames) == 1 and mine[0].kind in ("leader", "marker"):
                if not mine[0].holds:  # NOT the leader: exit
                    self.for_the_rest.append(mine[0].negated())
                return True
            if mine and all(condition.kind == "any" for condition in mine):
                return True
        if statement.joined == "||":
            if self.tasks:
                self.tasks[-1] = _with(self.tasks[-1], f" || {statement.text}")
            return True
        if self.frames:
            raise NotUnderstoodError(statement.line, statement.text)
        return False

    def _command(self, statement: Statement) -> None:
        text = statement.text
        if self._is_preparation(text, statement):
            return
        if statement.joined == "||" and self.tasks and _SILENT.fullmatch(text):
            if text == "true" or text == ":" or text.startswith("echo"):
                self.tasks[-1] = _with(self.tasks[-1], f" || {text}")
            return
        if _SILENT.fullmatch(text):
            self.stops = self.stops or bool(re.match(r"set\s+-\w*e", text))
            return
        conditions = self._conditions()
        for condition in conditions:
            if condition.kind == "silent":
                raise NotUnderstoodError(statement.line, f"{text} where the container is missing")
            if not condition.holds:
                who = "all but the leader" if condition.kind == "leader" else "where a file is missing"
                raise NotUnderstoodError(statement.line, f"{text}, which runs on {who}")
        markers = tuple(dict.fromkeys(each.value for each in conditions if each.kind == "marker"))
        if _removes(text, markers):
            return
        leader = any(each.kind == "leader" for each in conditions)
        task = self._task(statement, leader, markers)
        if statement.joined == "||":
            raise NotUnderstoodError(statement.line, f"|| {text}")
        self._add(task, statement.joined)

    def _is_preparation(self, text: str, statement: Statement) -> bool:
        """Whether it only says where the next commands run, which is noted then."""
        if _LOADS_PROPERTIES.fullmatch(text):
            return True
        if _ACTIVATES.fullmatch(text):
            self.venv = True
            return True
        if found := _CD.fullmatch(text):
            self.folder = self._inside(found["folder"], statement)
            return True
        if found := _ASSIGNS.fullmatch(text):
            container = listed_container(found["value"])
            if container is not None:
                self.containers[found["name"]] = container
            elif _SILENT.fullmatch(text):
                pass
            elif found["name"] == "PYTHONPATH" or not re.search(r"[$`\s]", found["value"].strip("\"'")):
                self.environment[found["name"]] = found["value"].strip("\"'")
            else:
                raise NotUnderstoodError(
                    statement.line, f"the variable {found['name']}, whose value the instance works out"
                )
            return True
        return False

    def _inside(self, folder: str, statement: Statement) -> str:
        for base in _BASES:
            if folder == base or folder.startswith(base + "/"):
                return folder[len(base) + 1 :]
        if folder.startswith(("/", "..", "~")):
            raise NotUnderstoodError(statement.line, f"cd {folder}, which is no folder of the application")
        return f"{self.folder}/{folder}".strip("/")

    def _task(self, statement: Statement, leader: bool, markers: tuple[str, ...]) -> Task:
        text = without_log(statement.text)
        call = container_call(text, self.containers)
        if call is not None:
            command, options = call.command, dict(call.options)
            options.update(_service(call, self.around, statement))
            return Task(statement.line, command, "container", leader, markers, _frozen(options))
        execs = re.search(r"\bdocker\s+(?:container\s+)?exec\b|\bdocker[ -]compose\b.*\bexec\b", text)
        if execs and self.around.platform.docker != "ecs":
            raise NotUnderstoodError(statement.line, f"{text} does not say which container in a form that is known")
        if variables := {name for name in self.containers if re.search(rf"\$\{{?{name}\b", text)}:
            raise NotUnderstoodError(
                statement.line, f"{text} uses {sorted(variables)[0]} for something else than docker exec"
            )
        return self._own_task(statement, text, leader, markers)

    def _own_task(self, statement: Statement, text: str, leader: bool, markers: tuple[str, ...]) -> Task:
        """A command without a container: for the application on a Python platform, else for the instance."""
        in_application = self.around.platform.docker == "none" and "python" in self.around.platform.name.lower()
        if self.venv and not in_application:
            raise NotUnderstoodError(
                statement.line, "a virtual environment is activated, which only Python platforms have"
            )
        options: dict[str, Any] = {}
        if in_application and (self.venv or re.match(r"(?:python3?|django-admin)\b", text)):
            text = re.sub(r"^(?:sudo\s+)(?=python)", "", text)
            if self.folder:
                options["workdir"] = self.folder
            variables = {name: value for name, value in self.environment.items() if name != "PYTHONPATH"}
            if variables:
                options["environment"] = variables
            return Task(statement.line, text, "container", leader, markers, _frozen(options))
        if self.folder:
            text = f"cd {self.folder} && {text}"
        if self.environment:
            options["environment"] = dict(self.environment)
        return Task(statement.line, text, "host", leader, markers, _frozen(options))

    def _add(self, task: Task, joined: str) -> None:
        last = self.tasks[-1] if self.tasks else None
        alike = last and (last.where, last.leader, last.markers, last.options) == (
            task.where,
            task.leader,
            task.markers,
            task.options,
        )
        if last and alike:
            between = " &&\n" if joined == "&&" else "\n"
            begin = "set -e\n" if self.stops and not last.command.startswith("set -e\n") else ""
            self.tasks[-1] = Task(last.line, f"{begin}{last.command}{between}{task.command}", *_rest(last))
        else:
            self.tasks.append(task)


def _removes(text: str, markers: tuple[str, ...]) -> bool:
    """Whether a command takes the markers away, and nothing else; a slash that was forgotten is forgiven."""
    words = [word.strip("\"'") for word in text.removeprefix("sudo ").split()]
    paths = [word.strip("/") for word in words[1:] if not word.startswith("-")]
    return words[0] == "rm" and bool(paths) and {path.strip("/") for path in markers} >= set(paths)


def _rest(task: Task) -> tuple[Any, ...]:
    return task.where, task.leader, task.markers, task.options


def _with(task: Task, more: str) -> Task:
    return Task(task.line, task.command + more, *_rest(task))


def _moved(tasks: list[Task], lines: int) -> Iterator[Task]:
    for task in tasks:
        yield Task(task.line + lines, task.command, *_rest(task))


def _frozen(options: dict[str, Any]) -> tuple[tuple[str, Any], ...]:
    return tuple(sorted(options.items()))


def _service(call: Call, around: Surroundings, statement: Statement) -> dict[str, str]:
    """The option ``service`` for a container that was named, or found among several."""
    if around.platform.docker == "none":
        raise NotUnderstoodError(
            statement.line, f"docker exec, and the platform {around.platform.name} runs no container"
        )
    if around.platform.docker == "ecs":
        raise NotUnderstoodError(statement.line, "docker exec, and which of ECS's containers is meant nobody can tell")
    if not call.container:
        if len(around.services) > 1:
            found = " and ".join(around.services)
            raise NotUnderstoodError(
                statement.line, f"docker exec, and which of the services {found} is meant nobody can tell"
            )
        return {}
    # EB's compose project is "current": current_web_1 and current-web-1 are the service web.
    named = re.sub(r"^current[_-]|[_-]\d+$", "", call.container).strip("_-")
    if named in around.services:
        return {"service": named}
    if not around.services and re.search(r"current-?app", call.container):
        return {}
    raise NotUnderstoodError(
        statement.line, f"docker exec in {call.container}, which is no service of docker-compose.yml"
    )
