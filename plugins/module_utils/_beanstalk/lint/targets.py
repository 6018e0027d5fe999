# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where hooks can run: which container there will be on the instance, by the platform and by what the bundle holds.

On a Python platform the application is in no container; its tasks run in its virtual environment, by its own user.

Which file Elastic Beanstalk starts containers from: "Preparing your Docker image for deployment" and "Using the ECS
managed Docker platform branch" of its developer guide. Which services of a compose file are started: "Using profiles
with Compose" of Docker's documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..platform.generation import Platform
from .docker import COMPOSE, DOCKERRUN, compose_services
from .document import DocumentError, Node, parse
from .options import suggest

Hook = dict[str, Any]

OVERRIDE = "docker-compose.override.yml"
"""Compose reads it as well, wherever nobody names the files."""

_OTHER_NAMES = ("docker-compose.yaml", "compose.yaml", "compose.yml")
FILES = (COMPOSE, OVERRIDE, DOCKERRUN, *_OTHER_NAMES)
"""The files of a bundle that decide."""

VIRTUAL_ENVIRONMENT = "venv"
"""Where a task runs that is for the application of a Python platform, in place of "container"."""

_FAILS = "so every deployment would fail"
_LONGEST_EXAMPLE = 100
_NO_SERVICE_YET = "in the phase {} no compose service of this version runs yet; use postdeploy."


@dataclass(frozen=True)
class Compose:
    """The services of a compose project: all, those that start without a profile, and whether there may be more."""

    names: tuple[str, ...] = ()
    started: tuple[str, ...] = ()
    open_ended: bool = False


def place(hooks: Sequence[Hook], platform: Platform, files: Mapping[str, bytes] | None) -> tuple[list[Hook], list[str]]:
    """The resolved hooks, each with where it will run, and what keeps them from running, in sentences.

    A task for the container gets the compose service that it means, or VIRTUAL_ENVIRONMENT where the platform has one.
    ``files`` are those of FILES that the bundle has; None when the bundle is not known and the platform alone decides.
    """
    if platform.generation == "windows":
        sentence = f"Windows runs no platform hooks, and {platform.name} is Windows; leave the hooks out."
        return list(hooks), [_sentence(hook, sentence) for hook in hooks]
    known = files or {}
    refusal, example = _no_container(platform, known)
    compose: Compose | None = None
    try:
        if not refusal and _composes(platform, known):
            compose = _compose(known)
    except DocumentError as error:
        refusal = f"{error.message}, so nobody can tell in which container this runs; mend the file."
    placed, found = [], []
    for hook in hooks:
        service, (where, problem) = str(hook["service"]), _in_virtual_environment(hook, platform)
        if where == "container":
            if refusal:
                problem = refusal + example.format(command=_short(str(hook["command"])))
            elif compose is not None:
                service, problem = _service(hook, compose)
            elif service and files is not None:
                problem = _no_compose(service, files)
        placed.append({**hook, "service": service, "where": where})
        found += [_sentence(hook, problem)] if problem else []
    return placed, found


def _in_virtual_environment(hook: Hook, platform: Platform) -> tuple[str, str]:
    """Where a hook runs, as far as Python platforms are concerned, and what keeps it from that."""
    where, problem = str(hook["where"]), ""
    if where == "container" and platform.has_virtual_environment:
        where = VIRTUAL_ENVIRONMENT
        if hook["service"]:
            problem = f"the platform {platform.name} runs no compose services, {_FAILS}; leave service out."
    elif where == VIRTUAL_ENVIRONMENT and platform.docker and not platform.has_virtual_environment:
        problem = f"the platform {platform.name} has no virtual environment, {_FAILS}; render it for this one."
    return where, problem


def _sentence(hook: Hook, text: str) -> str:
    return f'Hook "{hook["name"]}": {text}'


def _short(command: str) -> str:
    command = command.strip()
    return command if "\n" not in command and len(command) <= _LONGEST_EXAMPLE else "COMMAND"


def _no_container(platform: Platform, files: Mapping[str, bytes]) -> tuple[str, str]:
    """Why there is no container that a hook could be sent into, and the end of that sentence, with {command} in it.

    Both are "" when there is one.
    """
    write = f"{_FAILS}; write where: host and a command "
    if platform.docker == "none":
        reason = f"the platform {platform.name} runs no container, {write}for the instance"
        return reason, ", or choose a Docker platform."
    if platform.docker == "ecs":
        reason = f"on the platform {platform.name} ECS starts the containers"
    elif not _composes(platform, files) and _dockerrun_version(files) == "2":
        reason = f"{DOCKERRUN} is of version 2, whose containers ECS starts"
    else:
        return "", ""
    # The ECS agent labels containers: "Amazon ECS container metadata" of the developer guide of Amazon ECS.
    example = 'docker exec "$(docker ps -q --filter label=com.amazonaws.ecs.container-name=NAME)" {command}'
    return f"{reason}, and which of them is meant nobody can tell, {write}that finds its container, such as: ", example


def _dockerrun_version(files: Mapping[str, bytes]) -> str:
    try:
        version = parse(_text(files, DOCKERRUN), prefer_json=True).get("AWSEBDockerrunVersion")
    except (DocumentError, KeyError):  # none, or one that the linter has its own words for
        return ""
    return version.text if version is not None else ""


def _composes(platform: Platform, files: Mapping[str, bytes]) -> bool:
    """Whether Elastic Beanstalk runs compose: not on the Amazon Linux AMI, and not where ECS does it."""
    return COMPOSE in files and not platform.is_legacy and platform.docker in ("plain", "")


def _text(files: Mapping[str, bytes], name: str) -> str:
    try:
        return files[name].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = files[name][: error.start].count(b"\n") + 1
        raise DocumentError("yaml-syntax", line, "the file is not UTF-8") from None


def _compose(files: Mapping[str, bytes]) -> Compose:
    """The services that the bundle's compose files name. Raises DocumentError, whose message begins with the place."""
    services: dict[str, bool] = {}
    open_ended = False
    for name in (COMPOSE, OVERRIDE):
        if name not in files:
            continue
        try:
            root = parse(_text(files, name))
        except DocumentError as error:
            raise DocumentError(error.rule, error.line, f"{name}:{error.line}: {error.message}") from None
        open_ended = open_ended or root.get("include") is not None
        found = compose_services(root)
        if found is None and name == COMPOSE and not open_ended:
            raise DocumentError("wrong-type", root.line, f"{name}:{root.line}: there are no services")
        for key, body in found.pairs if found is not None else ():
            services[key.text] = services.get(key.text, False) or _has_profile(body)
    started = tuple(name for name, profiled in services.items() if not profiled)
    return Compose(tuple(services), started, open_ended)


def services_started(text: str) -> tuple[str, ...]:
    """The services that a compose file starts without a profile, by its text; none when it cannot be read."""
    try:
        services = compose_services(parse(text))
    except DocumentError:
        return ()
    return tuple(key.text for key, body in services.pairs if not _has_profile(body)) if services is not None else ()


def _has_profile(service: Node) -> bool:
    profiles = service.get("profiles")
    return profiles is not None and bool(profiles.items)


def _service(hook: Hook, compose: Compose) -> tuple[str, str]:
    """The service that a hook means, and what is wrong with it."""
    service = str(hook["service"])
    if hook["phase"] != "postdeploy":
        return service, _NO_SERVICE_YET.format(hook["phase"])
    if service:
        if service in compose.names or compose.open_ended:
            return service, ""
        hint = suggest(service, list(compose.names))
        return service, f"{COMPOSE} has no service {service}{hint}, {_FAILS}; it has {_listed(compose.names)}."
    if len(compose.started) == 1 and not compose.open_ended:
        return compose.started[0], ""
    if compose.open_ended:
        reason = f"{COMPOSE} includes other files, so it may start more than {_listed(compose.names) or 'it names'}"
    elif compose.started:
        reason = f"{COMPOSE} starts {_listed(compose.started)}, and which of them is meant nobody can tell"
    else:
        reason = f"every service of {COMPOSE} has a profile, and without COMPOSE_PROFILES none starts"
    example = (compose.started or compose.names or ("NAME",))[0]
    return "", f"{reason}, {_FAILS}; write service: with the one to run it in, such as service: {example}."


def _no_compose(service: str, files: Mapping[str, bytes]) -> str:
    other = next((name for name in _OTHER_NAMES if name in files), "")
    mend = f"rename {other}, which Elastic Beanstalk does not look at" if other else "leave service out"
    return f"the bundle has no {COMPOSE}, so there is no service {service}, {_FAILS}; {mend}."


def _listed(names: Iterable[str]) -> str:
    every = list(names)
    shown = every if len(every) <= 10 else [*every[:9], f"{len(every) - 9} others"]
    return " and ".join(filter(None, (", ".join(shown[:-1]), shown[-1] if shown else "")))
