# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that Elastic Beanstalk and the EB CLI read besides: each gets its line in the report."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..lint.document import MAPPING, DocumentError, Node, parse
from ..lint.targets import services_started
from ..platform.generation import Platform
from .source import Source

_SAVED = ".elasticbeanstalk/saved_configs/"
# Names whose contents are nobody's business.
_CONFIDENTIAL = re.compile(r"(?i)secret|\.env(\.|$)|credential|\.pem$|\.key$|passw|service.?account")
_TEXTS = {
    "Procfile": "It starts the application as before; it stays in the bundle.",
    "Buildfile": "It builds the application on the instance as before; it stays in the bundle.",
    ".ebignore": "It decides what goes into the bundle, as for the EB CLI.",
}


@dataclass
class Manifests:
    """``services`` are those that docker-compose.yml starts; ``secrets`` what .ebignore brings into the bundle;
    ``properties`` the names of environment properties, without values, that a saved configuration has."""

    services: tuple[str, ...] = ()
    secrets: list[str] = field(default_factory=list)
    saved_platform: str = ""
    workers: set[str] = field(default_factory=set)


def read_manifests(source: Source) -> Manifests:
    """Read what says of itself what it is, whatever the platform."""
    found = Manifests()
    for name in source.deployment_files():
        if name == "docker-compose.yml" and not _is_left_out(source, name):
            found.services = services_started(source.text(name) or "")
        elif name == ".ebignore":
            found.secrets = _ebignore(source)
        elif name.startswith(_SAVED):
            _saved(source, name, found)
    return found


def report_manifests(source: Source, platform: Platform, worker: bool, *, was_legacy: bool = False) -> None:
    """Say of each file what becomes of it on the platform of the inventory; ``was_legacy`` when that was the AMI."""
    notes, has_docker = source.notes, platform.docker in ("plain", "")
    for name in source.deployment_files():
        if name in _TEXTS:
            ignored = name == "Procfile" and platform.docker in ("plain", "ecs")
            notes.keep(name, 0, "Docker platforms do not read it; it stays in the bundle." if ignored else _TEXTS[name])
        elif name == "cron.yaml":
            _cron(source, worker)
        elif name == "env.yaml":
            _env(source)
        elif name == "Dockerrun.aws.json":
            _dockerrun(source, platform)
        elif name == "docker-compose.yml" and _is_left_out(source, name):
            notes.keep(name, 0, ".ebignore leaves it out of the bundle.")
        elif name == "docker-compose.yml" and was_legacy and has_docker and source.has("Dockerfile"):
            text = (
                "The Amazon Linux AMI did not read it, and built the Dockerfile; today Compose would run in its place. "
                "If it is for developers, leave it out with .ebignore, and adopt again."
            )
            notes.ask(name, 0, text)
        elif name == "docker-compose.yml":
            used = has_docker and platform.docker != "none"
            notes.keep(
                name,
                0,
                "Compose starts what it names; it stays in the bundle."
                if used
                else f"{platform.name} does not read it; it stays in the bundle.",
            )
        elif name == "docker-compose.override.yml":
            notes.ask(
                name, 0, "Compose reads it on the instance as well: leave it out of the bundle if it is for developers."
            )
        elif re.fullmatch(r"(docker-)?compose[\w.-]*\.ya?ml", name):
            notes.keep(
                name, 0, "Elastic Beanstalk does not look at a compose file of this name; it stays in the bundle."
            )
        elif re.match(r"\.platform/(nginx|httpd)/", name):
            notes.keep(name, 0, f"The configuration of the proxy stays in the bundle, for {name.split('/')[1]}.")


def _is_left_out(source: Source, name: str) -> bool:
    rules = source.text(".ebignore") if source.has(".ebignore") else ""
    return name in [line.strip().strip("/") for line in (rules or "").splitlines()]


def report_the_rest(source: Source) -> None:
    """A line for each file that nothing else has said anything of."""
    told = source.notes.files()
    for name in source.deployment_files():
        if name not in told:
            source.notes.keep(name, 0, "It stays as it is; nothing of it was read.")


def _cron(source: Source, worker: bool) -> None:
    tasks = _items(_parsed(source, "cron.yaml"), "cron")
    text = (
        f"The worker's {len(tasks)} periodic tasks stay in the bundle."
        if len(tasks) != 1
        else "The worker's periodic task stays in the bundle."
    )
    if worker:
        source.notes.learn("cron.yaml", 0, f"{text} The environment is of the tier Worker.")
    else:
        source.notes.ask(
            "cron.yaml", 0, "Only environments of the tier Worker read it; say which host is one with eb_tier: Worker."
        )


def _env(source: Source) -> None:
    root = _parsed(source, "env.yaml")
    named = [key.text for key, _value in root.pairs] if root is not None else []
    said = f" It says {', '.join(named)}." if named else ""
    text = "Elastic Beanstalk reads it when an environment is made by eb create; the inventory is its successor."
    source.notes.ask("env.yaml", 0, f"{text}{said} Compare the two, then remove it.")


def _dockerrun(source: Source, platform: Platform) -> None:
    root = _parsed(source, "Dockerrun.aws.json")
    version = root.get("AWSEBDockerrunVersion") if root is not None else None
    found = version.text if version is not None else ""
    fits = {"1": "plain", "2": "ecs", "3": "plain"}.get(found)
    if fits is None:
        source.notes.ask("Dockerrun.aws.json", 0, "It has no version 1, 2 or 3, so no platform takes it.")
    elif fits == platform.docker:
        source.notes.keep("Dockerrun.aws.json", 0, f"Version {found} says which images run; it stays in the bundle.")
    else:
        source.notes.ask(
            "Dockerrun.aws.json",
            0,
            (
                f"Version {found} is not for {platform.name}: write a "
                "docker-compose.yml, or choose the platform that takes it."
            ),
        )


def _ebignore(source: Source) -> list[str]:
    """The confidential files that the EB CLI put into the bundle because .ebignore, and not .gitignore, decided."""
    rules = [
        line.strip()
        for line in (source.text(".ebignore") or "").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    brought = [rule[1:].strip("/") for rule in rules if rule.startswith("!")]
    left_out = {rule.strip("/") for rule in rules if not rule.startswith("!")}
    ignored = source.text(".gitignore") if source.has(".gitignore") else ""
    for line in (ignored or "").splitlines():
        name = line.strip().strip("/")
        if name and name not in left_out and not re.search(r"[*?\[#!]", name) and (source.root / name).exists():
            brought.append(name)
    secrets = [name for name in dict.fromkeys(brought) if _CONFIDENTIAL.search(name)]
    for name in dict.fromkeys(brought):
        if name in secrets:
            text = f"{name} got into the bundle although git ignores it: eb_secrets_files puts it there."
            source.notes.learn(".ebignore", 0, text)
        else:
            source.notes.ask(
                ".ebignore",
                0,
                f"{name} got into the bundle although git ignores it: commit it, or name it in eb_secrets_files.",
            )
    return secrets


def _saved(source: Source, name: str, found: Manifests) -> None:
    root = _parsed(source, name)
    if root is None or root.kind != MAPPING:
        return
    platform, tier, settings = root.get("Platform"), root.get("EnvironmentTier"), root.get("OptionSettings")
    arn = platform.get("PlatformArn") if platform is not None else None
    if arn is not None:
        found.saved_platform = found.saved_platform or arn.text
    kind = tier.get("Name") if tier is not None else None
    if kind is not None and kind.text == "Worker":
        found.workers.add(name.rpartition("/")[2].split(".")[0])
    count = sum(len(options.pairs) for _namespace, options in settings.pairs) if settings is not None else 0
    text = f"The saved configuration has {count} settings: those that are to hold belong into eb_option_settings."
    source.notes.ask(name, 0, text)


def _parsed(source: Source, name: str) -> Node | None:
    text = source.text(name)
    if text is None:
        return None
    try:
        return parse(text, prefer_json=name.endswith(".json"))
    except DocumentError as error:
        source.notes.ask(name, error.line, f"The file could not be read ({error}); it stays in the bundle as it is.")
        return None


def _items(root: Node | None, key: str) -> tuple[Node, ...]:
    part = root.get(key) if root is not None else None
    return part.items if part is not None else ()
