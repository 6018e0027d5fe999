# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of AL2 and AL2023: its commands and their instructions in order (docs/elastic_beanstalk.md §5.4, §5.5)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import ebextensions, election, source
from .cfninit import POST_BUILD, PRE_BUILD, CfnInit, ConfigSetError
from .docker_platform import DockerPlatform
from .hooks import run_hooks
from .layout import Layout
from .logs import EngineLog
from .platforms import Instruction, Platform, kind
from .python_platform import PythonPlatform
from .request import Answer, CommandError, Event, Request

COMPLETED = Event("INFO", "Instance deployment completed successfully.")
FAILED = Event("ERROR", "Instance deployment failed. For details, see 'eb-engine.log'.")
SUCCEEDED_MESSAGE = "Engine execution has succeeded."
FAILED_MESSAGE = "Engine execution has encountered an error."

SKIP_SQSD = "This is a web server environment instance, skip {} sqsd daemon ..."
NO_XRAY = "X-Ray is not enabled."


@dataclass
class Engine:
    """Runs one command on one instance. Everything is found below ``layout.root``."""

    layout: Layout
    request: Request

    def __post_init__(self) -> None:
        self.log = EngineLog(self.layout.engine_log)
        self.leader: bool | None = None
        instance = self.request.instance
        make = PythonPlatform if kind(instance.branch, instance.generation) == "python" else DockerPlatform
        self.platform: Platform = make(self.layout, self.request, self.log)
        self.files: list[ebextensions.ConfigFile] = []

    def execute(self) -> Answer:
        """Run the command and return the answer; what fails is told there, not raised."""
        name = self.request.name
        self._opening()
        instructions = {
            "app-deploy": self._app_deploy,
            "config-deploy": self._config_deploy,
            "restart-app-server": self._restart,
            "env-launch": self._env_launch,
        }[name]()
        answer = Answer("SUCCESS", 0, SUCCEEDED_MESSAGE)
        current = ""
        try:
            for current, instruction in instructions:
                self.log.info(f"Executing instruction: {current}")
                instruction()
            answer.events = [*self.platform.events, COMPLETED] if name != "env-launch" else []
        except (CommandError, OSError) as error:
            answer = self._failure(current, error)
        self.log.info("Executing cleanup logic")
        answer.leader = self.leader
        self.log.info(f"CommandService Response: {answer.command_service()}")
        self.log.info(f"Platform Engine finished execution on command: {name}")
        return answer

    def _failure(self, instruction: str, error: CommandError | OSError) -> Answer:
        text = error.text if isinstance(error, CommandError) else str(error)
        events = list(error.events) if isinstance(error, CommandError) else []
        self.log.error(
            f"An error occurred during execution of command [{self.request.name}] - [{instruction}]. "
            f"Stop running the command. Error: {text}"
        )
        self.platform.discard()
        return Answer("FAILURE", 1, FAILED_MESSAGE, [*self.platform.events, *events, FAILED])

    def _opening(self) -> None:
        request, log = self.request, self.log
        stack, region = request.instance.stack_arn, request.instance.region
        log.info("Starting...")
        log.info("Starting EBPlatform-PlatformEngine")
        if request.name == "env-launch":
            log.info("Engine received EB command env-launch")
            return
        log.info("reading event message file")
        log.info("Engine received EB command cfn-hup-exec")
        for resource in ("AWSEBAutoScalingGroup", "AWSEBBeanstalkMetadata"):
            log.info(f"Running command: /opt/aws/bin/cfn-get-metadata -s {stack} -r {resource} --region {region}")
        log.info(f"checking whether command {request.name} is applicable to this instance...")
        log.info("this command is applicable to the instance, thus instance should execute command")
        log.info(f"Engine command: ({request.name})")

    # Environments

    def _hook_environment(self) -> dict[str, str]:
        env = {"HOME": "/root", "PORT": self.platform.port, **self.platform.properties, "PATH": self.layout.search_path}
        if self.leader is not None:
            env["EB_IS_COMMAND_LEADER"] = "true" if self.leader else "false"
        return env

    def _cfn_init(self) -> CfnInit:
        instance = self.request.instance
        return CfnInit(
            self.layout,
            instance.application_name,
            instance.region,
            {**self.platform.properties, "EB_IS_COMMAND_LEADER": "true" if self.leader else "false"},
            self.leader,
            {
                "AWS::Region": instance.region,
                "AWS::StackId": instance.stack_arn,
                "AWS::StackName": f"awseb-{instance.environment_id}-stack",
                "AWSEBEnvironmentName": instance.environment_name,
                "AWSEBEnvironmentId": instance.environment_id,
                **self.request.properties,
            },
        )

    def _say(self, text: str) -> Callable[[], None]:
        return lambda: self.log.info(text)

    # app-deploy

    def _app_deploy(self) -> list[Instruction]:
        self._download()
        return [
            ("ElectLeader", self._elect),
            ("stopSqsd", self._say(SKIP_SQSD.format("stop"))),
            ("PreBuildEbExtension", self._pre_build),
            ("StageApplication", self._stage),
            ("RunAppDeployPreBuildHooks", lambda: self._hooks("hooks/prebuild", self.layout.staging)),
            *self.platform.build(),
            ("PostBuildEbExtension", self._post_build),
            ("CleanEbExtensions", self._clean_ebextensions),
            ("RunAppDeployPreDeployHooks", lambda: self._hooks("hooks/predeploy", self.layout.staging)),
            ("stop X-Ray", self._say(NO_XRAY)),
            *self.platform.flip(),
            ("start X-Ray", self._say(NO_XRAY)),
            *self.platform.serve(),
            ("configureSqsd", self._say(SKIP_SQSD.format("configure"))),
            ("startSqsd", self._say(SKIP_SQSD.format("start"))),
            ("Track pids in healthd", self._track),
            ("RunAppDeployPostDeployHooks", lambda: self._hooks("hooks/postdeploy", self.layout.current)),
        ]

    def _download(self) -> None:
        instance, log = self.request.instance, self.log
        log.info("Downloading EB Application...")
        bucket, _, key = self.request.bundle_key.partition("/")
        account = bucket.rsplit("-", 1)[-1]
        log.info(f"Region: {instance.region}")
        log.info(f"envID: {instance.environment_id}")
        log.info(f"envBucket: {bucket}")
        log.info(f"accountID: {account}")
        log.info(f"Downloading: bucket: {bucket}, object: {key}, expected bucket owner: {account}")
        size = source.download(Path(self.request.bundle_path), self.layout.bundle)
        log.info(f"Download successful{size}bytes downloaded")
        source.write_manifest(
            self.layout, instance.application_name, self.request.version_label, self.request.deployment_id
        )
        # What EB's service reads from the bundle when a version is deployed arrives as metadata; here it is read again.
        self.files = [file for file in ebextensions.parse_bundle(self.layout.bundle) if file.error is None]

    def _elect(self) -> None:
        self.leader = election.run_election(self.layout, self.log, self.request)

    def _config_set(self, name: str, run: Callable[[], None], failure: str) -> None:
        instance = self.request.instance
        self.log.info(f"Starting executing the config set {name}.")
        self.log.info(
            f"Running command: /opt/aws/bin/cfn-init -s {instance.stack_arn} -r AWSEBAutoScalingGroup "
            f"--region {instance.region} --configsets {name}"
        )
        try:
            run()
        except ConfigSetError as error:
            self.log.error(f"Error occurred during build: {error}")
            raise CommandError(f"{failure} failed. Please refer to /var/log/cfn-init.log for more details.") from error
        self.log.info(f"Finished executing the config set {name}.")

    def _pre_build(self) -> None:
        self._config_set(PRE_BUILD, lambda: self._cfn_init().pre_build(self.files), "EbExtension build")

    def _post_build(self) -> None:
        self._config_set(POST_BUILD, lambda: self._cfn_init().post_build(self.files), "Container commands build")

    def _stage(self) -> None:
        source.stage(self.layout, self.layout.bundle, self.layout.staging, self.log.info)
        self.platform.stage()

    def _hooks(self, folder: str, application: Path) -> None:
        run_hooks(self.layout, self.log, f".platform/{folder}", application, self._hook_environment())

    def _clean_ebextensions(self) -> None:
        shutil.rmtree(self.layout.staging / ebextensions.DIRECTORY, ignore_errors=True)
        self.log.info("Cleaned ebextensions subdirectories from app staging directory.")

    def _track(self) -> None:
        self.log.info("This is an enhanced health env...")
        self.platform.track()

    # The other commands

    def _config_deploy(self) -> list[Instruction]:
        current = self.layout.current
        return [
            ("RunConfigDeployPreBuildHooks", lambda: self._hooks("confighooks/prebuild", current)),
            ("RunConfigDeployPreDeployHooks", self._config_predeploy),
            ("Restart application", self.platform.restart),
            ("RunConfigDeployPostDeployHooks", lambda: self._hooks("confighooks/postdeploy", current)),
        ]

    def _config_predeploy(self) -> None:
        self.platform.configure()
        self._hooks("confighooks/predeploy", self.layout.current)

    def _restart(self) -> list[Instruction]:
        return [("Restart application", self.platform.restart)]

    def _env_launch(self) -> list[Instruction]:
        def bootstrap() -> None:
            self.log.info("Instance has NOT been bootstrapped")
            self.layout.opt.joinpath("deployment").mkdir(parents=True, exist_ok=True)

        def mark() -> None:
            self.log.info("Marked instance as Bootstrapped")

        return [("CheckBootstrapped", bootstrap), ("MarkBootstrapped", mark)]
