# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`docker exec` and `docker compose exec`: which container is meant, and what runs in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .shell import split_words

_SUBSTITUTION = re.compile(r"[\"']?(?:`(?P<old>[^`]*)`|\$\((?P<new>[^)]*)\))[\"']?")
_VARIABLE = re.compile(r"[\"']?\$(?:(\w+)|\{(\w+)\})[\"']?")
_LISTS = re.compile(r"^(?:sudo\s+)?docker\s+(?:container\s+)?(?:ps|ls)\b")
_FILTER = re.compile(r"(?:-\w*f|--filter)[\s=]+[\"']?(name|ancestor|label|publish|expose|status)=\^?/?([^\s\"'$|]+)")
_GREP = re.compile(r"\|\s*(?:grep|egrep)\s+(?:-\w+\s+)*[\"']?([^\s\"'|]+)")
_CURRENT_IMAGE = "aws_beanstalk"
_SHORT = {
    "-u": "user",
    "--user": "user",
    "-w": "workdir",
    "--workdir": "workdir",
    "-e": "environment",
    "--env": "environment",
}
# Output goes to the hook's own log, whatever file it went to.
_TO_A_LOG = re.compile(
    r"\s+(?:\|\s*tee\s+(?:-a\s+)?/var/log/\S+|(?:[12&]?>>?)\s*(?:/dev/null|/var/log/\S+)|2>&1)(?=\s|$)"
)


@dataclass(frozen=True)
class Call:
    """What runs in a container. ``container`` is the name that was written, "" for the application's own, whichever way
    it was found; ``options`` are those of a hook."""

    command: str
    container: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)


def without_log(text: str) -> str:
    """A command without where its output went."""
    return _TO_A_LOG.sub("", text + " ").strip()


def listed_container(text: str) -> str | None:
    """The container that `$(docker ps …)` means, "" for the application's own; None when it is something else."""
    found = _SUBSTITUTION.fullmatch(text)
    inside = (found["old"] or found["new"] or "").strip() if found else ""
    if not _LISTS.match(inside):
        return None
    for kind, value in [*_FILTER.findall(inside), *(("name", value) for value in _GREP.findall(inside))]:
        if kind in ("name", "label") and _CURRENT_IMAGE not in value:
            return str(value).rpartition("=")[2]
    return ""


def container_call(text: str, variables: Mapping[str, str]) -> Call | None:
    """Take `docker exec` apart; None for another command. ``variables`` hold containers that were looked up before."""
    words = [word for word in split_words(without_log(text)) if word != "sudo"]
    if words[:2] == ["docker", "exec"] or words[:3] == ["docker", "container", "exec"]:
        return _call(words[words.index("exec") + 1 :], variables)
    compose = words[1:] if words[:1] == ["docker-compose"] else words[2:] if words[:2] == ["docker", "compose"] else []
    if "exec" not in compose or any(not _is_option(compose, at) for at in range(compose.index("exec"))):
        return None
    return _call(compose[compose.index("exec") + 1 :], variables)


def _is_option(words: Sequence[str], at: int) -> bool:
    takes = ("-f", "--file", "-p", "--project-name", "--project-directory", "--env-file")
    return words[at].startswith("-") or (at > 0 and words[at - 1] in takes)


def _call(words: list[str], variables: Mapping[str, str]) -> Call | None:
    options: dict[str, Any] = {}
    while words and words[0].startswith("-"):
        name, equals, value = words.pop(0).partition("=")
        key = _SHORT.get(name)
        if key:
            text = value if equals else words.pop(0) if words else ""
            plain = " ".join(shlex.split(text))
            if key == "environment":
                variable, _equals, content = plain.partition("=")
                options.setdefault(key, {})[variable] = content
            else:
                options[key] = plain
        elif not re.fullmatch(r"-[itT]+|--tty|--interactive|--no-TTY|--index", name):  # a hook has no terminal anyway
            return None
    if len(words) < 2:
        return None
    found = _VARIABLE.fullmatch(words[0])
    container = variables.get(found[1] or found[2]) if found else listed_container(words[0])
    if container is None:
        if found or not re.fullmatch(r"[\"']?[\w.-]+[\"']?", words[0]):
            return None
        container = words[0].strip("\"'")
    return Call(" ".join(words[1:]), container, options)
