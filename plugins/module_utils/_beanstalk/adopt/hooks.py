# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hook scripts, wherever they were found, as the items of `eb_hooks`; what is not understood stays where it is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from .notes import Notes
from .script import Surroundings, Task, tasks_of
from .shell import NotUnderstoodError

LEGACY_HOOKS = "/opt/elasticbeanstalk/hooks/"
# 01_migrate.sh, 01migrate.sh, migrate.sh and, with its owner in front, nick_01_migrate.sh.
_NAME = re.compile(
    r"(?:(?P<prefix>[A-Za-z][A-Za-z0-9]*)[_-](?=\d))?(?:(?P<order>\d+)[_-]?)?(?P<name>.*?)(?:\.(?:sh|bash|config))?"
)
_PATH = re.compile(r"[\"']?(/[\w./-]+)[\"']?")
_WRITES = re.compile(r"(?:sudo\s+)?echo\s+[^>]*>\s*[\"']?(?P<paths>/(?:tmp|var)/[\w./-]+)[\"']?")
_MAKES_FOLDER = re.compile(r"(?:sudo\s+)?(?:mkdir\s+(?:-\w+\s+)*|chmod\s+\S+\s+)[\"']?/(?:tmp|var/tmp)/[\w./-]*[\"']?")
_PREFIX = re.compile(r"[a-z][a-z0-9]{0,30}")


@dataclass
class Marker:
    """A file by which something tells the hooks what to do; ``leader_only`` when the leader alone has it."""

    file: str
    line: int
    by: str
    leader_only: bool
    used: bool = False
    wanted: bool = False  # by a script that stays as it is


@dataclass(frozen=True)
class HookScript:
    """A script that Elastic Beanstalk runs at deployments, and what there is to know besides its text.

    ``line`` is where it stands in ``file``, ``first_line`` where its text begins; ``path`` is what the report calls it.
    """

    file: str
    line: int
    first_line: int
    path: str
    text: str
    phase: str
    leader_only: bool = False
    on_config_deploy: bool = False
    settings: tuple[tuple[str, Any], ...] = ()
    source: tuple[str, str] = ("", "")  # section and key of the file, when it is one entry of it
    text_file: str = ""  # where the text stands, when that is another file
    twin: str = ""  # the same script in another place, which goes with it

    @property
    def parts(self) -> dict[str, str]:
        """Prefix, order and name, as far as the file's name says them."""
        found = _NAME.fullmatch(self.path.rpartition("/")[2])
        return {key: value or "" for key, value in found.groupdict().items()} if found else {}


@dataclass
class Understood:
    """The hooks, their owner, and the scripts that they replace."""

    prefix: str = ""
    hooks: list[dict[str, Any]] = field(default_factory=list)
    replaced: list[HookScript] = field(default_factory=list)
    markers: list[Marker] = field(default_factory=list)


def markers_of(text: str) -> list[str]:
    """The marker files that a command makes, when that is all it does; [] for any other."""
    paths: list[str] = []
    for part in filter(None, (part.strip() for part in re.split(r"&&|;|\n", text))):
        words = part.removeprefix("sudo ").split()
        named = [_PATH.fullmatch(word) for word in words[1:]]
        if words[:1] == ["touch"] and named and all(named):
            paths += [path[1] for path in named if path]
        elif written := _WRITES.fullmatch(part):
            paths.append(written["paths"])
        elif not _MAKES_FOLDER.fullmatch(part):
            return []
    return paths


def understand(
    scripts: Iterable[HookScript], markers: dict[str, Marker], around: Surroundings, application: str, notes: Notes
) -> Understood:
    """The scripts as hooks, in the order in which Elastic Beanstalk ran them."""
    found = Understood()
    read: list[tuple[HookScript, list[Task]]] = []
    for script in sorted(scripts, key=_order):
        try:
            tasks = tasks_of(script.text, around, script.first_line)
        except NotUnderstoodError as error:
            notes.ask(
                script.text_file or script.file,
                error.line,
                f"{script.path} stays as it is: not understood is {_short(error.reason)}.",
            )
            _want(markers, script)
            continue
        read.append((script, _without_markers(script, tasks, markers)))
    for script, tasks in read:
        try:
            hooks = [_hook(script, task, markers, around) for task in tasks]
        except NotUnderstoodError as error:
            notes.ask(
                script.text_file or script.file,
                error.line or script.line,
                f"{script.path} stays as it is: {error.reason}.",
            )
            _want(markers, script)
            continue
        found.replaced.append(script)
        if not hooks and not any(marker.by == script.path for marker in markers.values()):
            notes.learn(script.file, script.line, f"{script.path} does nothing; it was left out.")
        for hook in hooks:
            _report(script, hook, notes)
        found.hooks += hooks
    used = {id(marker) for marker in markers.values() if marker.used}
    found.markers = [marker for marker in markers.values() if id(marker) in used]
    _give_names(found.hooks)
    found.prefix = _prefix(found.replaced, application, notes)
    return found


def _want(markers: dict[str, Marker], script: HookScript) -> None:
    """Keep the markers that a script looks for which stays as it is."""
    for path, marker in markers.items():
        marker.wanted = marker.wanted or path in script.text


def _order(script: HookScript) -> tuple[int, str]:
    return ("prebuild", "predeploy", "postdeploy").index(script.phase), script.path.rpartition("/")[2]


def _without_markers(script: HookScript, tasks: list[Task], markers: dict[str, Marker]) -> list[Task]:
    """The tasks without those that only make a marker for another hook, which is noted."""
    left = []
    for task in tasks:
        lines, rest = task.command.split("\n"), []
        for line in lines:
            paths = markers_of(line) if task.where == "host" else []
            for path in paths:
                leader = task.leader or script.leader_only
                markers.setdefault(path, Marker(script.file, task.line, script.path, leader))
            rest += [] if paths else [line]
        if rest and rest != ["set -e"]:
            left.append(Task(task.line, "\n".join(rest), task.where, task.leader, task.markers, task.options))
    return left


def _refuse(script: HookScript, task: Task, leader_only: bool, around: Surroundings) -> None:
    """Raise NotUnderstoodError for what a hook cannot be, though a script can."""
    reason = ""
    if task.where == "container" and script.phase == "prebuild":
        reason = "in prebuild the application is not built yet"
    elif task.where == "container" and script.phase == "predeploy" and around.platform.docker != "none":
        reason = "docker exec in predeploy meets the version before, or none"
    elif leader_only and (script.phase == "prebuild" or (script.phase == "predeploy" and around.platform.is_legacy)):
        reason = f"no leader is marked before the phase {script.phase}"
    elif leader_only and script.on_config_deploy:
        reason = "a configuration deployment elects no leader"
    if reason:
        raise NotUnderstoodError(task.line, reason)


def _hook(script: HookScript, task: Task, markers: dict[str, Marker], around: Surroundings) -> dict[str, Any]:
    leader_only = script.leader_only or task.leader
    for path in task.markers:
        marker = markers.get(path)
        if marker is None:
            raise NotUnderstoodError(task.line, f"it waits for {path}, which nothing touches")
        marker.used = True
        leader_only = leader_only or marker.leader_only
    _refuse(script, task, leader_only, around)
    hook: dict[str, Any] = {
        "name": _hook_name(script.parts.get("name", "")),
        "command": task.command,
        "where": task.where,
        "leader_only": leader_only,
        **dict(script.settings),
        **dict(task.options),
    }
    if script.phase != "postdeploy":
        hook["phase"] = script.phase
    if script.on_config_deploy:
        hook["on_config_deploy"] = True
    hook["__line"] = task.line
    return hook


def _report(script: HookScript, hook: dict[str, Any], notes: Notes) -> None:
    line = hook.pop("__line")
    who = "the leader" if hook["leader_only"] else "every instance"
    where = "for the application" if hook["where"] == "container" else "on the instance"
    notes.learn(
        script.text_file or script.file, line, f"{script.path} became the hook {hook['name']}: on {who}, {where}."
    )


def _hook_name(name: str) -> str:
    made = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:61]
    return made if re.match(r"[a-z]", made) else f"task_{made}".strip("_")[:61]


def _give_names(hooks: list[dict[str, Any]]) -> None:
    """Make the names differ, and give each its place in the order where the role's own numbers would not do."""
    seen: Counter[str] = Counter()
    for number, hook in enumerate(hooks, 1):
        seen[hook["name"]] += 1
        if seen[hook["name"]] > 1:
            hook["name"] = f"{hook['name'][:55]}_{seen[hook['name']]}"
        if len(hooks) > 9:
            hook["order"] = number


def _prefix(scripts: list[HookScript], application: str, notes: Notes) -> str:
    """The owner that most of the scripts name, or the application."""
    if not scripts:
        return ""
    owners = Counter(prefix.lower() for script in scripts if (prefix := script.parts.get("prefix")))
    first = scripts[0]
    if not owners:
        made = re.sub(r"[^a-z0-9]", "", application.lower()).lstrip("0123456789")[:31]
        return made if _PREFIX.fullmatch(made) else "app"
    prefix = owners.most_common(1)[0][0]
    notes.learn(first.file, first.line, f"The hook scripts belong to the prefix {prefix}.")
    if len(owners) > 1:
        others = ", ".join(sorted(set(owners) - {prefix}))
        notes.ask(first.file, first.line, f"There are scripts of other owners too ({others}); all became {prefix}'s.")
    return prefix[:31]


def _short(reason: str) -> str:
    first = " ".join(reason.split())
    return first if len(first) <= 120 else first[:117] + "..."
