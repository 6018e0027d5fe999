# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A project as two inventories, for AWS and for localstalk, and a report of what was understood and what not.

Everything is read from the files. No program is run, not even git (whose status refreshes the index), and nothing in
the project is written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..lint.bundle import open_bundle
from ..lint.django import OF_COMMANDS
from ..lint.findings import Finding
from ..lint.runner import lint_bundle
from ..lint.settings import find_settings
from ..platform.generation import Platform, recognise
from .deploy_script import DeployScript, read_deploy_scripts
from .eb_cli_config import FILE, read_eb_cli_config
from .ebextensions import Extensions, read_extensions, rewritten
from .hooks import Understood, understand
from .images import Images, read_images
from .manifests import Manifests, read_manifests, report_manifests, report_the_rest
from .names import application_name, environment_name
from .notes import Notes
from .platform_hooks import read_platform_hooks
from .platforms import choose, is_worker
from .script import Surroundings
from .source import Source

DEFAULT_REGION = "us-east-1"
INSTANCE_PROFILE = "aws-elasticbeanstalk-ec2-role"
_LAUNCH = "aws:autoscaling:launchconfiguration"
# The host's image store plays the registry for instances of localstalk.
_LOCAL_ENGINE = {
    "engine": "podman",
    "engine_options": ["--runtime=runc", "--cgroup-manager=cgroupfs"],
    "build_options": ["--network=host"],
}
_REPLACED = "#!/bin/sh\n# What this hook did comes from eb_hooks in the inventory.\n"
# What a project may consist of, besides the folders of Elastic Beanstalk.
_SIGNS = (
    *(".ebextensions", ".elasticbeanstalk", ".platform", "Dockerfile", "Dockerrun.aws.json", "docker-compose.yml"),
    *("Procfile", "requirements.txt", "Pipfile", "manage.py", "package.json", "application.py"),
)


class NotAProjectError(Exception):
    """The path is no folder, or has nothing that this reads; the message says which."""


@dataclass(frozen=True)
class Adopted:
    """``variables`` are for all hosts wherever they are, ``aws`` and ``local`` for the one or the other inventory;
    ``hosts`` has what differs, by host name; ``findings`` are the linter's of the bundle as it will be."""

    variables: dict[str, Any]
    aws: dict[str, Any]
    local: dict[str, Any]
    hosts: dict[str, dict[str, Any]]
    notes: Notes
    findings: tuple[Finding, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the project as the module's return value."""
        parts = {"variables": self.variables, "aws": self.aws, "local": self.local, "hosts": self.hosts}
        return {**parts, **self.notes.as_dict(), "findings": [finding.as_dict() for finding in self.findings]}


def read_project(path: str, platform: str | None = None) -> Adopted:
    """Read the project in the folder ``path``.

    ``platform`` is the platform for the inventory; by default the project's own, or its successor on Amazon Linux 2023
    where that is retired. Raises NotAProjectError.
    """
    root = Path(path)
    if not root.is_dir():
        raise NotAProjectError(f"There is no folder {path}.")
    if not any((root / name).exists() for name in _SIGNS):
        raise NotAProjectError(f"{path} has none of {', '.join(_SIGNS)}: it is no project for Elastic Beanstalk.")
    return _Reader(root, platform).read()


class _Reader:
    def __init__(self, root: Path, platform: str | None) -> None:
        self.root = root
        self.notes = Notes()
        self.source = Source(root, self.notes)
        self.config = read_eb_cli_config(self.source)
        self.scripts = read_deploy_scripts(self.source)
        self.manifests = read_manifests(self.source)
        self.platform = platform or ""

    def read(self) -> Adopted:
        source, notes = self.source, self.notes
        application = self._application()
        # Which files are for which platform is known when the options are; the options do not depend on it.
        quiet = Source(self.root, Notes())
        self.platform = self.platform or self._choose(read_extensions(quiet, Platform()))
        known = recognise(self.platform)
        extensions = read_extensions(source, known)
        scripts = [*extensions.scripts, *read_platform_hooks(source)]
        understood = understand(
            scripts, extensions.markers, Surroundings(known, self.manifests.services), application, notes
        )
        overlay = self._overlay(extensions, understood)
        secrets = self._secrets(self.scripts, self.manifests)
        images = read_images(source, self.scripts.makes, secrets)
        worker = is_worker(source, extensions.options)
        hosts = self._hosts(worker)
        is_worker_there = any("eb_tier" in host for host in hosts.values())
        report_manifests(source, known, is_worker_there, was_legacy=self._was_legacy(extensions))
        report_the_rest(source)
        variables: dict[str, Any] = {"eb_application": application, "eb_platform": self.platform}
        variables["eb_environment_properties_purge"] = True
        if understood.hooks:
            variables |= {"eb_hooks_prefix": understood.prefix, "eb_hooks": understood.hooks}
        if overlay:
            variables["eb_bundle_overlay"] = overlay
        if secrets:
            variables["eb_secrets_files"] = secrets
        aws, local = self._aws(extensions), self._local(extensions)
        if images.managed and known.docker == "plain":
            name = _image_name(self.scripts, images) or f"{application}-base"
            aws["eb_image"] = {"name": name}
            plain = re.sub(r"[^a-z0-9._-]+", "-", name.rpartition("/")[2].lower()).strip("-.")
            local["eb_image"] = {"name": f"localhost/{plain}", **_LOCAL_ENGINE}
        return Adopted(variables, aws, local, hosts, notes, self._findings(overlay))

    def _findings(self, overlay: list[dict[str, str]]) -> tuple[Finding, ...]:
        """The linter's, of the bundle as it will be; of commands that became hooks, where the project has them."""
        files = {one["path"]: one["content"] for one in overlay}
        found = lint_bundle(str(self.root), self.platform, overlay=files).findings
        if files:
            before = lint_bundle(str(self.root), self.platform).findings
            found += [one for one in before if one.rule in OF_COMMANDS and one.file in files]
        return tuple(sorted(found))

    def _was_legacy(self, extensions: Extensions) -> bool:
        """Whether the project runs on the Amazon Linux AMI: by its platform, or by hooks that only that one has."""
        named = recognise(self.config.platform)
        return named.is_legacy or (not named.generation and bool(extensions.scripts))

    def _application(self) -> str:
        if self.config.application:
            return application_name(self.config.application, FILE, self.notes)
        name = self.root.resolve().name
        self.notes.ask(FILE, 0, f"No application is named; the inventory takes the folder's name, {name}.")
        return application_name(name, FILE, self.notes)

    def _choose(self, extensions: Extensions) -> str:
        named = self.config.platform or self.manifests.saved_platform
        choice = choose(named, FILE, self.source, extensions.options)
        (self.notes.ask if choice.open else self.notes.learn)(choice.file, 0, choice.reason)
        return choice.platform

    def _overlay(self, extensions: Extensions, understood: Understood) -> list[dict[str, str]]:
        """The files that the bundle has in another form: without what the inventory says now."""
        taken = {file: list(entries) for file, entries in extensions.taken.items()}
        overlay: list[dict[str, str]] = []
        for script in understood.replaced:
            if script.source[0]:
                taken.setdefault(script.file, []).append(script.source)
                if script.twin:
                    taken[script.file].append(("files", script.twin))
            else:
                paths = filter(None, (script.file, script.twin))
                overlay += [{"path": path, "content": _REPLACED, "mode": "0755"} for path in paths]
        for path, marker in extensions.markers.items():
            entry = extensions.marker_entries.get(id(marker))
            if marker in understood.markers and entry and not marker.wanted:
                taken.setdefault(entry[0], []).append(entry[1:])
            elif entry and marker.wanted:
                self.notes.keep(
                    marker.file, marker.line, f"{marker.by} touches {path}, for a script that stays as it is."
                )
            elif entry and not marker.used:
                text = f"{marker.by} touches {path}, and no hook script looks for it."
                self.notes.ask(marker.file, marker.line, text)
        for file, entries in sorted(taken.items()):
            if file in extensions.tagged:
                text = (
                    "It has tags such as !Sub, which are lost when it is written "
                    "anew: take the entries that became hooks out by hand."
                )
                self.notes.ask(file, 0, text)
            else:
                overlay.append(rewritten(self.source, file, entries))
        return overlay

    def _secrets(self, scripts: DeployScript, manifests: Manifests) -> list[str]:
        staged = [pattern for pattern in scripts.secrets if pattern not in scripts.makes]
        secrets = list(dict.fromkeys([*staged, *manifests.secrets]))
        for pattern in secrets:
            if "**" not in pattern and not any(self.root.glob(pattern.rstrip("/"))):
                text = f"{pattern} is not in this checkout; a deployment from here stops until it is."
                self.notes.ask(pattern, 0, text)
        return secrets

    def _aws(self, extensions: Extensions) -> dict[str, Any]:
        """What only the inventory for AWS says."""
        if not self.config.region:
            self.notes.ask(FILE, 0, f"No region is named; the inventory takes {DEFAULT_REGION}.")
        variables: dict[str, Any] = {"eb_region": self.config.region or DEFAULT_REGION}
        profile = self.scripts.profile or self.config.profile
        if profile:
            variables["eb_aws"] = {"profile": profile}
        launch = {}
        if (_LAUNCH, "IamInstanceProfile") not in extensions.options:
            launch["IamInstanceProfile"] = INSTANCE_PROFILE
            text = (
                f"The inventory names the instance profile {INSTANCE_PROFILE}, "
                "as eb create does; correct it if need be."
            )
            self.notes.ask(FILE, 0, text)
        if self.config.key_name and (_LAUNCH, "EC2KeyName") not in extensions.options:
            launch["EC2KeyName"] = self.config.key_name
            self.notes.learn(FILE, 0, f"Key pair: {self.config.key_name} (eb_option_settings).")
        if launch:
            variables["eb_option_settings"] = {_LAUNCH: launch}
        return variables

    def _local(self, extensions: Extensions) -> dict[str, Any]:
        """What only the inventory for localstalk says: the service, and what the application needs around it."""
        localstalk: dict[str, Any] = {"driver": "auto", "speed": 20}
        variables: dict[str, Any] = {
            "eb_region": DEFAULT_REGION,
            "eb_localstalk": localstalk,
            "eb_poll_interval": 1,
            "eb_wait_timeout": 900,
        }
        if (_LAUNCH, "IamInstanceProfile") not in extensions.options:
            variables["eb_option_settings"] = {_LAUNCH: {"IamInstanceProfile": INSTANCE_PROFILE}}
        django = find_settings(open_bundle(str(self.root)))
        if django.database_variables:
            localstalk["database"] = "app"
            url = "postgres://{user}:{password}@{host}:{port}/{name}"
            whole = re.sub(r"\{(\w+)\}", r"{{ localstalk_database.\1 }}", url)
            variables["eb_environment_properties"] = {
                variable: whole if key == "url" else f"{{{{ localstalk_database.{key} }}}}"
                for variable, key in django.database_variables.items()
            }
            names = ", ".join(django.database_variables)
            self.notes.learn(django.file, django.database_line, f"On localstalk a PostgreSQL is behind {names}.")
        return variables

    def _hosts(self, worker: bool) -> dict[str, dict[str, Any]]:
        environments = dict(self.config.environments)
        if not environments:
            name = environment_name(self.config.application or self.root.resolve().name, FILE, self.notes)
            text = f"No branch has an environment; the inventory has one host, {name}, for what is checked out."
            self.notes.ask(FILE, 0, text)
            environments = {name: ["default"]}
        hosts: dict[str, dict[str, Any]] = {}
        for environment, branches in environments.items():
            name = environment_name(environment, FILE, self.notes)
            hosts[name] = {"eb_environment_name": name, "eb_source": self._source(branches[0])}
            if self._is_worker(environment, worker, len(environments)):
                hosts[name]["eb_tier"] = "Worker"
                self.notes.learn(FILE, 0, f"{environment} is of the tier Worker, which has no CNAME.")
            else:
                hosts[name]["eb_cname_prefix"] = name
        if any("eb_cname_prefix" in host for host in hosts.values()):
            text = (
                "The CNAME prefix is not in the project: the inventory takes the environment's name; compare with eb "
                "status, and write all that stands before .REGION.elasticbeanstalk.com there."
            )
            self.notes.ask(FILE, 0, text)
        if len(environments) > 1:
            text = "The project was read as it is checked out; compare .ebextensions of the other branches."
            self.notes.ask(".ebextensions", 0, text)
        return hosts

    def _is_worker(self, environment: str, worker: bool, count: int) -> bool:
        if environment in self.manifests.workers:
            return True
        return worker and (count == 1 or "worker" in environment.lower())

    def _source(self, branch: str) -> dict[str, str]:
        path = str(self.root.resolve())
        if not (self.root / ".git").exists():
            self.notes.ask(
                ".", 0, "The folder is no git repository of its own: the files on disk are deployed, whatever they are."
            )
            return {"path": path, "from": "work_tree"}
        # The EB CLI calls the branch "default" where there is no git, or no branch.
        return {"path": path, "from": "ref", "ref": "HEAD" if branch == "default" else branch}


def _image_name(scripts: DeployScript, images: Images) -> str:
    name = scripts.base_image or images.base
    return name.rpartition(":")[0] or name
