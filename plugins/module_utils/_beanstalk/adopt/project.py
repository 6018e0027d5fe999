# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A legacy project as an inventory: one host for each environment, and a report of what was understood and what not.

Everything is read from the files. No program is run, not even git (whose status refreshes the index), and nothing in
the project is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..platform.generation import recognise
from .deploy_script import DeployScript, read_deploy_scripts
from .eb_cli_config import FILE, EbCliConfig, read_eb_cli_config
from .images import read_images
from .notes import Notes
from .ritual import Ritual, read_ritual

DEFAULT_PLATFORM = "Docker running on 64bit Amazon Linux 2023"
DEFAULT_REGION = "us-east-1"
INSTANCE_PROFILE = "aws-elasticbeanstalk-ec2-role"


class NotAProjectError(Exception):
    """The path is no folder, or has nothing that this reads; the message says which."""


@dataclass(frozen=True)
class Adopted:
    """`variables` are for all hosts; `hosts` has the variables that differ, by host name."""

    variables: dict[str, Any]
    hosts: dict[str, dict[str, Any]]
    notes: Notes

    def as_dict(self) -> dict[str, Any]:
        """Return the project as the module's return value."""
        return {"variables": self.variables, "hosts": self.hosts, **self.notes.as_dict()}


def read_project(path: str, platform: str | None = None) -> Adopted:
    """Read the project in the folder `path`.

    `platform` is the platform for the inventory; by default the project's own, or Amazon Linux 2023 where that is
    retired. Raises NotAProjectError.
    """
    root = Path(path)
    if not root.is_dir():
        raise NotAProjectError(f"There is no folder {path}.")
    if not any((root / name).exists() for name in (".ebextensions", ".elasticbeanstalk", "Dockerfile")):
        raise NotAProjectError(f"{path} has neither .ebextensions nor .elasticbeanstalk nor a Dockerfile.")
    notes = Notes()
    config = read_eb_cli_config(root, notes)
    scripts = read_deploy_scripts(root, notes)
    ritual = read_ritual(root, notes)
    images = read_images(root, notes)
    variables: dict[str, Any] = {
        "eb_application": config.application or _application_of(root, notes),
        "eb_region": config.region or _region(notes),
        "eb_platform": _platform(platform, config, notes),
    }
    options = _options(config, ritual, notes)
    if options:
        variables["eb_option_settings"] = options
    variables["eb_environment_properties_purge"] = True
    if ritual.hooks:
        variables |= {"eb_hooks_prefix": _prefix(ritual.prefix), "eb_hooks": ritual.hooks}
    if ritual.overlay:
        variables["eb_bundle_overlay"] = ritual.overlay
    if scripts.secrets:
        variables["eb_secrets_files"] = _secrets(root, scripts, notes)
    if scripts.profile or config.profile:
        variables["eb_aws"] = {"profile": scripts.profile or config.profile}
    if images.managed:
        name = scripts.base_image or images.base
        variables["eb_image"] = {"name": name.rpartition(":")[0] or name}
    return Adopted(variables, _hosts(root, config, notes), notes)


def _application_of(root: Path, notes: Notes) -> str:
    name = root.resolve().name
    notes.ask(FILE, 0, f"No application is named; the inventory takes the folder's name, {name}.")
    return name


def _region(notes: Notes) -> str:
    notes.ask(FILE, 0, f"No region is named; the inventory takes {DEFAULT_REGION}.")
    return DEFAULT_REGION


def _platform(wanted: str | None, config: EbCliConfig, notes: Notes) -> str:
    if wanted:
        return wanted
    known = recognise(config.platform)
    if known.is_modern:
        notes.learn(FILE, 0, f"Platform: {config.platform}.")
        return config.platform
    was = (
        f"The platform {config.platform} is retired or has no generation" if config.platform else "No platform is named"
    )
    notes.ask(FILE, 0, f"{was}; the inventory takes {DEFAULT_PLATFORM}. Name another one to keep it.")
    return DEFAULT_PLATFORM


def _options(config: EbCliConfig, ritual: Ritual, notes: Notes) -> dict[str, dict[str, str]]:
    """Return what `eb create` sets by itself and a new environment needs, as far as the project does not say it."""
    launch = {}
    if "IamInstanceProfile" not in ritual.options:
        launch["IamInstanceProfile"] = INSTANCE_PROFILE
        text = f"The inventory names the instance profile {INSTANCE_PROFILE}, as eb create does; correct it if need be."
        notes.ask(FILE, 0, text)
    if config.key_name and "EC2KeyName" not in ritual.options:
        launch["EC2KeyName"] = config.key_name
        notes.learn(FILE, 0, f"Key pair: {config.key_name} (eb_option_settings).")
    return {"aws:autoscaling:launchconfiguration": launch} if launch else {}


def _prefix(prefix: str) -> str:
    return re.sub(r"[^a-z0-9]", "", prefix.lower())[:31]


def _secrets(root: Path, scripts: DeployScript, notes: Notes) -> list[str]:
    for pattern in scripts.secrets:
        if not any(root.glob(pattern.rstrip("/"))):
            text = f"{pattern} is not in this checkout; a deployment from here stops until it is."
            notes.ask(pattern, 0, text)
    return scripts.secrets


def _hosts(root: Path, config: EbCliConfig, notes: Notes) -> dict[str, dict[str, Any]]:
    environments = config.environments
    if not environments:
        name = re.sub(r"[^A-Za-z0-9-]+", "-", config.application or root.resolve().name).strip("-")[:40]
        text = f"No branch has an environment; the inventory has one host, {name}, for what is checked out."
        notes.ask(FILE, 0, text)
        environments = {name: ["default"]}
    text = (
        "The CNAME prefix is not in the project: the inventory takes the environment's name; compare with eb status, "
        "and write all that stands before .REGION.elasticbeanstalk.com there."
    )
    notes.ask(FILE, 0, text)
    if len(environments) > 1:
        text = "The project was read as it is checked out; compare .ebextensions of the other branches."
        notes.ask(".ebextensions", 0, text)
    return {
        environment: {
            "eb_environment_name": environment,
            "eb_cname_prefix": environment,
            # The EB CLI calls the branch "default" where there is no git, or no branch.
            "eb_source": {
                "path": str(root.resolve()),
                "from": "ref",
                "ref": "HEAD" if branches[0] == "default" else branches[0],
            },
        }
        for environment, branches in environments.items()
    }
