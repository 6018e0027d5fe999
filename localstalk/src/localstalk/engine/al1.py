# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of the retired Amazon Linux AMI: hook directories under /opt/elasticbeanstalk/hooks.

See docs/elastic_beanstalk.md §5.3 and §6.

EB's own hooks (``03build.sh``, ``00run.sh`` …) are built in here, and sorted among the files that users put into the
directories; a file of the same name replaces the built-in one, as on the real platform. Nothing ever removes a file
from these directories: that is the platform's leftovers problem.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from . import dockerrun, ebextensions, election, source
from .cfninit import POST_BUILD, PRE_BUILD, CfnInit, ConfigSetError
from .docker import CURRENT_IMAGE, NO_EXPOSE, STAGING_IMAGE, Container, Docker
from .layout import Layout
from .logs import EngineLog, Logger
from .nginx import CONTAINER, Nginx
from .process import run
from .request import Answer, CommandError, Event, Request

OUTPUT_CHARACTERS = 400
BUILD_ATTEMPTS = 2
KINDS = {
    "app-deploy": ("Application update", "AppDeploy"),
    "config-deploy": ("Configuration update", "ConfigDeploy"),
    "restart-app-server": ("Application restart", "RestartAppServer"),
    "env-launch": ("Initialization", "Init"),
}

Hook = Callable[[], str]


@dataclass
class Al1Engine:
    """Runs one command on one instance."""

    layout: Layout
    request: Request

    def __post_init__(self) -> None:
        self.log = Logger(self.layout.engine_log)
        self.engine_log = EngineLog(self.layout.log / "eb-commandprocessor.log")
        self.docker = Docker(self.layout, self.engine_log.info, self.engine_log.error)
        self.nginx = Nginx(self.layout, self.engine_log.info)
        self.leader: bool | None = None
        self.events: list[Event] = []
        self.app = dockerrun.Application("dockerfile")
        self.container: Container | None = None
        self.files: list[ebextensions.ConfigFile] = []
        kind, self.stage_name = KINDS[self.request.name]
        if self.request.name == "app-deploy" and not self.layout.current.exists():
            kind, self.stage_name = "Application deployment", "Startup"
        self.title = f"{kind} {self.request.version_label}@{self.request.deployment_id}"

    def execute(self) -> Answer:
        """Run the command and return the answer; what fails is told there, not raised."""
        steps = {
            "app-deploy": self._app_deploy,
            "config-deploy": self._config_deploy,
            "restart-app-server": self._restart,
            "env-launch": self._init,
        }[self.request.name]
        self._say("", "Starting activity...")
        try:
            steps()
        except CommandError as error:
            self._say("", "Activity failed.")
            self._discard()
            events = [*self.events, *error.events]
            return Answer("FAILURE", 1, error.message or error.text, events, self.leader)
        except OSError as error:
            self._discard()
            return Answer("FAILURE", 1, str(error), self.events, self.leader)
        self._say("", "Completed activity.")
        return Answer("SUCCESS", 0, "Successfully executed command.", self.events, self.leader)

    def _discard(self) -> None:
        if self.container is not None and self.container.container_id != self.docker.current():
            self.docker.remove(self.container.container_id)

    def _say(self, activity: str, text: str) -> None:
        now = datetime.now(UTC)
        where = "/".join(part for part in (self.title, activity) if part)
        stamp = f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
        self.log.write(f"[{stamp}] INFO  [{os.getpid()}]  - [{where}] : {text}")

    def _activity(self, name: str, act: Hook) -> None:
        self._say(name, "Starting activity...")
        try:
            result = act()
        except CommandError as error:
            self._say(name, f"Activity execution failed, because: {_indented(error.message or error.text)}")
            raise
        self._say(name, f"Completed activity. Result:\n{_indented(result)}" if result else "Completed activity.")

    # Commands

    def _init(self) -> None:
        self.layout.staging.parent.mkdir(parents=True, exist_ok=True)
        for group in ("appdeploy", "configdeploy", "restartappserver"):
            for stage in ("pre", "enact", "post"):
                self._directory(f"{group}/{stage}").mkdir(parents=True, exist_ok=True)
        for group in ("preinit", "postinit"):
            self._directory(group).mkdir(parents=True, exist_ok=True)

    def _app_deploy(self) -> None:
        first = self.stage_name == "Startup"
        zero, one = f"{self.stage_name}Stage0", f"{self.stage_name}Stage1"
        self._activity(f"{zero}/DownloadSourceBundle", self._download)
        self._activity(f"{zero}/ElectLeader", self._elect)
        if first:
            self._hooks(f"{zero}/PreInitHook", "preinit", {})
        self._activity(f"{zero}/EbExtensionPreBuild/{PRE_BUILD}", lambda: self._config_set(PRE_BUILD))
        pre: dict[str, Hook] = {"01unzip.sh": self._unzip, "03build.sh": self._build}
        self._hooks(f"{zero}/AppDeployPreHook", "appdeploy/pre", pre)
        self._activity(f"{zero}/EbExtensionPostBuild/{POST_BUILD}", lambda: self._config_set(POST_BUILD))
        self._activity(f"{zero}/InfraCleanEbExtension", self._clean)
        enact: dict[str, Hook] = {"00run.sh": self._run_staging, "01flip.sh": self._flip}
        self._hooks(f"{one}/AppDeployEnactHook", "appdeploy/enact", enact)
        self._hooks(f"{one}/AppDeployPostHook", "appdeploy/post", {"00_clean_imgs.sh": self._clean_images})
        if first:
            self._hooks(f"{one}/PostInitHook", "postinit", {})

    def _config_deploy(self) -> None:
        self._stages("configdeploy", "ConfigDeploy", {"00run.sh": self._run_current, "01flip.sh": self._flip})

    def _restart(self) -> None:
        self._stages("restartappserver", "RestartAppServer", {"00run.sh": self._run_current, "01flip.sh": self._flip})

    def _stages(self, folder: str, name: str, enact: dict[str, Hook]) -> None:
        self._hooks(f"{name}Stage0/{name}PreHook", f"{folder}/pre", {})
        self._hooks(f"{name}Stage1/{name}EnactHook", f"{folder}/enact", enact)
        self._hooks(f"{name}Stage1/{name}PostHook", f"{folder}/post", {})

    # Hooks

    def _directory(self, folder: str) -> Path:
        return self.layout.opt / "hooks" / folder

    def _hooks(self, activity: str, folder: str, built_in: dict[str, Hook]) -> None:
        directory = self._directory(folder)
        shown = self.layout.shown(directory)
        files = {path.name: path for path in directory.glob("*") if path.is_file() and os.access(path, os.X_OK)}

        def act() -> str:
            for name in sorted({*files, *built_in}):
                act_one = (
                    self._script(files[name]) if name in files else self._built_in(f"{shown}/{name}", built_in[name])
                )
                self._activity(f"{activity}/{name}", act_one)
            return f"Successfully execute hooks in directory {shown}."

        self._activity(activity, act)

    def _script(self, path: Path) -> Hook:
        def act() -> str:
            done = run([str(path)], env=self._environment())
            if done.returncode != 0:
                raise self._hook_failed(self.layout.shown(path), done.output)
            return done.output.strip()

        return act

    def _built_in(self, shown: str, hook: Hook) -> Hook:
        def act() -> str:
            try:
                return hook()
            except CommandError as error:
                raise self._hook_failed(shown, error.message or error.text, error.events) from error

        return act

    def _hook_failed(self, shown: str, output: str, events: tuple[Event, ...] = ()) -> CommandError:
        output = output.strip()
        short = output if len(output) <= OUTPUT_CHARACTERS else f"(TRUNCATED)...{output[-OUTPUT_CHARACTERS:]}"
        text = (
            f"{short}. \nHook {shown} failed. For more detail, check /var/log/eb-activity.log using console or EB CLI"
        )
        return CommandError(text, events, text)

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": self.layout.search_path,
            "HOME": "/root",
            "EB_IS_COMMAND_LEADER": "true" if self.leader else "false",
            "EB_RESOURCE_NAME": "AWSEBAutoScalingGroup",
            "EB_COMMAND_DATA": json.dumps({"instance_ids": [self.request.instance.instance_id]}),
            "EB_EXECUTION_DATA": json.dumps({"leader_election": "true"}),
            "EB_REQUEST_ID": self.request.invocation_id,
        }

    # EB's own steps

    def _download(self) -> str:
        source.download(Path(self.request.bundle_path), self.layout.bundle)
        parsed = ebextensions.parse_bundle(self.layout.bundle)
        self.files = [file for file in parsed if file.error is None]
        return f"[{', '.join(file.name for file in self.files)}]"

    def _elect(self) -> str:
        self.leader = election.run_election(self.layout, self.engine_log, self.request)
        return "Instance is Leader." if self.leader else "Instance is NOT Leader."

    def _config_set(self, name: str) -> str:
        instance = self.request.instance
        environment = {**self.request.properties, **self._environment()}
        cfn = CfnInit(self.layout, instance.application_name, instance.region, environment, self.leader)
        try:
            (cfn.pre_build if name == PRE_BUILD else cfn.post_build)(self.files)
        except ConfigSetError as error:
            file = error.file if error.key == "commands" else Path(error.file).name
            text = {
                "commands": f"command {error.name} in {file} failed.",
                "container_commands": f"container_command {error.name} in {file} failed.",
                "packages": f"Package listed in {file} failed to install.",
            }.get(error.key, f"EBExtension in {file} failed.")
            message = f"{text} For more detail, check /var/log/eb-activity.log using console or EB CLI"
            raise CommandError(text, (Event("ERROR", text),), message) from error
        return ""

    def _unzip(self) -> str:
        source.stage(self.layout, self.layout.bundle, self.layout.staging, self.engine_log.info)
        return ""

    def _clean(self) -> str:
        shutil.rmtree(self.layout.staging / ebextensions.DIRECTORY, ignore_errors=True)
        return "Cleaned ebextensions subdirectories from /tmp."

    def _build(self) -> str:
        self.app = dockerrun.read(self.layout.staging, knows_compose=False)
        if self.app.kind == "dockerfile" and self.app.port is None:
            raise CommandError(NO_EXPOSE, (Event("ERROR", NO_EXPOSE),))
        for attempt in range(1, BUILD_ATTEMPTS + 1):
            try:
                self.docker.build(self.app)
                break
            except CommandError as error:
                text = f"Failed to build Docker image {STAGING_IMAGE}"
                if attempt < BUILD_ATTEMPTS:
                    self.events.append(Event("WARN", f"{text}, retrying..."))
                    continue
                output = error.message or error.text
                raise CommandError(
                    f"{text}: {output}", (Event("ERROR", f"{text}: {output.strip()[-OUTPUT_CHARACTERS:]}"),)
                ) from error
        if self.app.image and self.app.kind == "image":
            self.events.append(Event("INFO", f"Successfully pulled {self.app.image}"))
        self.events.append(Event("INFO", f"Successfully built {STAGING_IMAGE}"))
        return f"Successfully built {STAGING_IMAGE}"

    def _run_staging(self) -> str:
        self.docker.write_environment(self.request.properties, self.layout.staging, self.app)
        self.container = self.docker.start(self.app, self.request.properties)
        return ""

    def _run_current(self) -> str:
        self.app = dockerrun.read(self.layout.current, knows_compose=False)
        self.docker.write_environment(self.request.properties, self.layout.current, self.app)
        self.container = self.docker.restart(self.app, self.request.properties)
        return ""

    def _flip(self) -> str:
        if self.container is None:
            raise CommandError("No staging app container to flip to, abort deployment")
        self.nginx.stage(self.layout.staging, CONTAINER)
        self.nginx.point(self.container.address, self.container.port)
        self.nginx.check()
        self.nginx.stop()
        self.nginx.activate()
        self.nginx.start()
        self.docker.keep(self.container)
        if self.request.name == "app-deploy":
            source.move(self.layout.staging, self.layout.current)
        text = f"Docker container {self.container.container_id[:12]} is running {CURRENT_IMAGE}."
        self.events.append(Event("INFO", text))
        return f"Making STAGING app container current...\n{text}"

    def _clean_images(self) -> str:
        self.docker.run("docker", "image", "prune", "-f")
        return ""


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
