# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""`.elasticbeanstalk/config.yml` of the EB CLI: application, region, and which branch goes to which environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..lint.document import DocumentError, load_plain
from ..lint.project_files import is_inside
from .notes import Notes

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


def read_eb_cli_config(root: Path, notes: Notes) -> EbCliConfig:
    """Read the file, and config.global.yml below it, which it overrides as the EB CLI has it."""
    found = EbCliConfig()
    data = _load(root, _GLOBAL_FILE, notes)
    own = _load(root, FILE, notes)
    if not data and not own:
        notes.ask(
            FILE, 0, "The file is not there (git often ignores it): name application, region and environments yourself."
        )
        return found
    settings = {**_part(data, "global"), **_part(own, "global")}
    found.application = str(settings.get("application_name") or "")
    found.region = str(settings.get("default_region") or "")
    found.platform = str(settings.get("default_platform") or settings.get("platform_version") or "")
    found.profile = str(settings.get("profile") or "")
    found.key_name = str(settings.get("default_ec2_keyname") or "")
    for name in ("application", "region", "profile"):
        if getattr(found, name):
            notes.learn(FILE, 0, f"{name.capitalize()}: {getattr(found, name)}.")
    if str(settings.get("workspace_type") or "Application").lower() != "application":
        notes.ask(FILE, 0, f"workspace_type {settings['workspace_type']} is not supported.")
    if settings.get("include_git_submodules") and (root / ".gitmodules").is_file():
        notes.ask(FILE, 0, "The project has git submodules; check that the bundle carries them.")
    _read_branches({**_part(data, "branch-defaults"), **_part(own, "branch-defaults")}, found, notes)
    return found


def _load(root: Path, name: str, notes: Notes) -> dict[str, Any]:
    path = root / name
    if not is_inside(root, path):
        return {}
    try:
        data = load_plain(path.read_text(encoding="utf-8"))
    except (DocumentError, UnicodeDecodeError) as error:
        notes.ask(name, 0, f"The file could not be read: {str(error).splitlines()[0]}.")
        return {}
    return data if isinstance(data, dict) else {}


def _part(data: dict[str, Any], name: str) -> dict[str, Any]:
    part = data.get(name)
    return part if isinstance(part, dict) else {}


def _read_branches(branches: dict[str, Any], found: EbCliConfig, notes: Notes) -> None:
    for branch, defaults in branches.items():
        environment = (defaults or {}).get("environment")
        if not environment:
            notes.ask(FILE, 0, f"The branch {branch} has no environment.")
            continue
        found.environments.setdefault(str(environment), []).append(str(branch))
        notes.learn(FILE, 0, f"The branch {branch} goes to the environment {environment}.")
        if (defaults or {}).get("group_suffix"):
            notes.ask(FILE, 0, f"group_suffix {defaults['group_suffix']} of the branch {branch} is not supported.")
    for environment, names in found.environments.items():
        if len(names) > 1:
            text = f"{environment} is the environment of {' and '.join(names)}; the inventory takes {names[0]}."
            notes.ask(FILE, 0, text)
