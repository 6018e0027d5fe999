# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`.elasticbeanstalk/config.yml` of the EB CLI: application, region, and which branch goes to which environment."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..lint.document import NULL, DocumentError, Node, parse
from .notes import Notes
from .source import Source

FILE = ".elasticbeanstalk/config.yml"
_GLOBAL_FILE = ".elasticbeanstalk/config.global.yml"


@dataclass
class EbCliConfig:
    """What the EB CLI knows; `environments` maps an environment to its branches, in the order of the file."""

    application: str = ""
    region: str = ""
    platform: str = ""
    profile: str = ""
    key_name: str = ""
    environments: dict[str, list[str]] = field(default_factory=dict)


def read_eb_cli_config(source: Source) -> EbCliConfig:
    """Read the file, and config.global.yml below it, which it overrides as the EB CLI has it."""
    found, notes = EbCliConfig(), source.notes
    data = _load(source, _GLOBAL_FILE)
    own = _load(source, FILE)
    if data is None and own is None:
        notes.ask(
            FILE, 0, "The file is not there (git often ignores it): name application, region and environments yourself."
        )
        return found
    settings = {**_part(data, "global"), **_part(own, "global")}
    found.application = _text(settings, "application_name")
    found.region = _text(settings, "default_region")
    found.platform = _text(settings, "default_platform") or _text(settings, "platform_version")
    found.profile = _text(settings, "profile")
    found.key_name = _text(settings, "default_ec2_keyname")
    for name in ("application", "region", "profile"):
        if getattr(found, name):
            notes.learn(FILE, 0, f"{name.capitalize()}: {getattr(found, name)}.")
    kind = _text(settings, "workspace_type") or "Application"
    if kind.lower() != "application":
        notes.ask(FILE, 0, f"workspace_type {kind} is not supported.")
    if _text(settings, "include_git_submodules").lower() == "true" and source.has(".gitmodules"):
        notes.ask(FILE, 0, "The project has git submodules; check that the bundle carries them.")
    artifact = _text(_part(own, "deploy"), "artifact")
    if artifact:
        text = (
            f"deploy.artifact uploads {artifact}, which something else "
            "builds: build it, and deploy its folder (eb_source)."
        )
        notes.ask(FILE, 0, text)
    _read_branches({**_part(data, "branch-defaults"), **_part(own, "branch-defaults")}, found, notes)
    return found


def _load(source: Source, name: str) -> Node | None:
    text = source.text(name)
    try:
        return parse(text) if text is not None else None
    except DocumentError as error:
        source.notes.ask(name, error.line, f"The file could not be read: {error}.")
        return None


def _part(data: Node | None, name: str) -> dict[str, Node]:
    part = data.get(name) if data is not None else None
    return {key.text: value for key, value in part.pairs} if part is not None else {}


def _text(settings: dict[str, Node], name: str) -> str:
    value = settings.get(name)
    return value.text if value is not None and value.is_scalar and value.kind != NULL else ""


def _read_branches(branches: dict[str, Node], found: EbCliConfig, notes: Notes) -> None:
    for branch, given in branches.items():
        defaults = {key.text: value for key, value in given.pairs}
        environment = _text(defaults, "environment")
        if not environment:
            notes.ask(FILE, 0, f"The branch {branch} has no environment.")
            continue
        found.environments.setdefault(environment, []).append(branch)
        notes.learn(FILE, 0, f"The branch {branch} goes to the environment {environment}.")
        if group := _text(defaults, "group_suffix"):
            notes.ask(FILE, 0, f"group_suffix {group} of the branch {branch} is not supported.")
    for environment, names in found.environments.items():
        if len(names) > 1:
            text = f"{environment} is the environment of {' and '.join(names)}; the inventory takes {names[0]}."
            notes.ask(FILE, 0, text)
