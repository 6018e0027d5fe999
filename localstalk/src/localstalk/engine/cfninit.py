# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of ``cfn-init``: packages, groups, users, sources, files, commands, services, container commands.

Order and meaning as in docs/elastic_beanstalk.md §5.2. What fails is logged to ``cfn-init.log``, what commands print to
``cfn-init-cmd.log``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import provisions
from .ebextensions import ConfigFile
from .layout import Layout
from .logs import CfnLog
from .process import run

PRE_BUILD = "Infra-EmbeddedPreBuild"
POST_BUILD = "Infra-EmbeddedPostBuild"


class ConfigSetError(Exception):
    """A config set failed; the text names what failed as cfn-init's log does."""

    def __init__(self, text: str, file: str, key: str, name: str) -> None:
        super().__init__(text)
        self.file = file
        self.key = key
        self.name = name


def _true(value: Any) -> bool:
    return str(value).lower() in {"true", "1", "yes"}


@dataclass
class CfnInit:
    """Runs the configuration files of one deployment on an instance.

    ``environment`` is what container commands see on top of the system's own variables; ``leader`` is None when there
    was no election (then leader-only commands do not run).
    """

    layout: Layout
    application_name: str
    region: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    leader: bool | None = None
    references: Mapping[str, str] = field(default_factory=dict)
    """Values of ``{"Ref": …}`` and ``{"Fn::GetOptionSetting": …}`` in texts between backticks."""

    def __post_init__(self) -> None:
        self.log = CfnLog(self.layout.log / "cfn-init.log")
        self.command_log = CfnLog(self.layout.log / "cfn-init-cmd.log", f" P{os.getpid()}")

    def pre_build(self, files: list[ConfigFile]) -> None:
        """Handle packages … commands, services of all files, file by file; raises ConfigSetError."""
        self._run_set(PRE_BUILD, "prebuild", files, self._pre_build_file)

    def post_build(self, files: list[ConfigFile]) -> None:
        """Run the container commands of all files, file by file, leader-only ones first; raises ConfigSetError."""
        self._run_set(POST_BUILD, "postbuild", files, self._post_build_file)

    def _run_set(self, name: str, stage: str, files: list[ConfigFile], handle: Any) -> None:
        self.log.log("INFO", "-----------------------Starting build-----------------------")
        self.log.log("INFO", f"Running configSets: {name}")
        self.log.log("INFO", f"Running configSet {name}")
        label = re.sub(r"[^A-Za-z0-9]", "_", self.application_name)
        for number, file in enumerate(files):
            config = f"{stage}_{number}_{label}"
            self.log.log("INFO", f"Running config {config}")
            try:
                handle(file)
            except ConfigSetError as failure:
                self.log.log("ERROR", f"Error encountered during build of {config}: {failure}")
                raise
        self.log.log("INFO", "ConfigSets completed")
        self.log.log("INFO", "-----------------------Build complete-----------------------")

    def _pre_build_file(self, file: ConfigFile) -> None:
        steps = (
            ("packages", provisions.packages),
            ("groups", provisions.groups),
            ("users", provisions.users),
            ("sources", provisions.sources),
            ("files", provisions.files),
        )
        for key, step in steps:
            self._provision(file, key, step)
        for name, body in sorted((file.data.get("commands") or {}).items()):
            self._command(file, "commands", str(name), body, Path("/"), {})
        self._provision(file, "services", provisions.services)

    def _provision(self, file: ConfigFile, key: str, step: Any) -> None:
        if not file.data.get(key):
            return
        try:
            for line in step(self.layout, self._resolve(file.data[key])):
                self.log.log("INFO", line)
        except (provisions.ProvisionError, OSError, ValueError) as error:
            raise ConfigSetError(str(error), file.name, key, key) from error

    def _post_build_file(self, file: ConfigFile) -> None:
        commands = sorted((file.data.get("container_commands") or {}).items())
        chosen = [item for item in commands if _true(item[1].get("leader_only"))]
        rest = [item for item in commands if item not in chosen]
        for name, body in chosen:
            if not self.leader:
                self.command_log.log("INFO", f"Command {name} is leader_only and this instance is no leader: skipped")
                continue
            # leader_only beats test (docs/elastic_beanstalk.md §5.2)
            self._command(file, "container_commands", str(name), {**body, "test": None}, *self._container())
        for name, body in rest:
            self._command(file, "container_commands", str(name), body, *self._container())

    def _container(self) -> tuple[Path, Mapping[str, str]]:
        return self.layout.staging, self.environment

    def _base(self) -> dict[str, str]:
        return {"PATH": self.layout.search_path, "HOME": "/root", "LANG": "C.UTF-8"}

    def _command(
        self, file: ConfigFile, key: str, name: str, body: Mapping[str, Any], cwd: Path, extra: Mapping[str, str]
    ) -> None:
        body = self._resolve(body)
        env = {**self._base(), **extra}
        if isinstance(body.get("env"), dict):
            # env replaces the environment; PATH stays, or not even the shell would find anything.
            env = {"PATH": self.layout.search_path, **{str(k): str(v) for k, v in body["env"].items()}}
        where = self.layout.at(str(body["cwd"])) if body.get("cwd") else cwd
        if not where.is_dir():
            raise ConfigSetError(
                f"Command {name} failed: no directory {self.layout.shown(where)}", file.name, key, name
            )
        self.command_log.log("INFO", "=" * 60)
        self.command_log.log("INFO", f"Command {name}")
        if body.get("test") is not None:
            test = run(_text_or_list(body["test"]), env=env, cwd=where)
            if test.returncode != 0:
                self.log.log("INFO", f"Test for Command {name} failed with code {test.returncode}: skipped")
                self.command_log.log("INFO", f"Test failed with code {test.returncode}")
                return
        self.command_log.log("INFO", "-----------------------Command Output-----------------------")
        finished = run(
            _text_or_list(body["command"]),
            env=env,
            cwd=where,
            on_line=lambda _, line: self.command_log.log("INFO", f"\t{line}"),
        )
        self.command_log.log("INFO", "-" * 60)
        if finished.returncode == 0:
            self.command_log.log("INFO", "Completed successfully.")
            self.log.log("INFO", f"Command {name} succeeded")
            return
        if finished.returncode in {126, 127} and not finished.stdout:
            self.command_log.log("INFO", f"\t{finished.stderr.strip()}")
        self.command_log.log("ERROR", f"Exited with error code {finished.returncode}")
        if _true(body.get("ignoreErrors", False)):
            self.log.log("INFO", f"ignoreErrors set to true, continuing build (Command {name} failed)")
            return
        self.log.log("ERROR", f"Command {name} ({_text(body['command'])}) failed")
        raise ConfigSetError(f"Command {name} failed", file.name, key, name)

    def _resolve(self, value: Any) -> Any:
        """Replace ```{"Ref": "AWS::Region"}``` and the like, which EB lets CloudFormation do, in all texts."""
        if isinstance(value, str):
            return re.sub(r"`\s*(\{.*?\})\s*`", self._reference, value) if "`" in value else value
        if isinstance(value, dict):
            return {key: self._resolve(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._resolve(item) for item in value]
        return value

    def _reference(self, match: re.Match[str]) -> str:
        found = re.search(r"\"(?:Ref|OptionName)\"\s*:\s*\"([^\"]+)\"", match.group(1))
        if found is None:
            return match.group(0)
        return self.references.get(found.group(1), match.group(0))


def _text_or_list(command: Any) -> str | list[str]:
    return [str(word) for word in command] if isinstance(command, list) else str(command)


def _text(command: Any) -> str:
    return " ".join(map(str, command)) if isinstance(command, list) else str(command)
