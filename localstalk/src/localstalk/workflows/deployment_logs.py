# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployment logs on their way to S3 while a command runs.

Source: Developer Guide, "Viewing deployment logs for an Elastic Beanstalk environment": the first instance that begins
uploads for the whole deployment; instances that deploy by themselves at their start upload each their own.
"""

from __future__ import annotations

from localstalk.driver import Command, DriverError
from localstalk.engine.deployment_log import OPERATIONS
from localstalk.scheduler import sleep
from localstalk.workflows.context import WorkflowContext

_FOLDER = "resources/environments/logs/deployments"
_DISABLED = "EB_DEPLOYMENT_LOG_S3_DISABLED"
_SECONDS = 5.0


def file_name(context: WorkflowContext, instance_id: str, command: Command) -> str:
    """How an instance calls the log of a command; empty when the command or the platform has none."""
    if command.name not in OPERATIONS or context.environment.platform.generation == "al1":
        return ""
    if context.request_id:
        return f"eb-deployment-{context.request_id}.log"
    return f"eb-deployment-{context.control.clock.now():%Y%m%dT%H%M%SZ}-{instance_id}.log"


class Upload:
    """One command's log of one instance. It goes up again and again until ``finish``."""

    def __init__(self, context: WorkflowContext, instance_id: str, command: Command) -> None:
        self.context, self.instance_id, self.command = context, instance_id, command
        self.running = bool(command.deployment_log) and self._is_ours()
        self.uploaded = b""
        # Not more often than each real second, however fast the clock.
        self.pause = max(_SECONDS, context.control.clock.speed)

    def _is_ours(self) -> bool:
        if self.command.properties.get(_DISABLED, "").lower() == "true":
            return False
        if not self.context.request_id:
            return True
        if self.context.log_holder is None:
            self.context.log_holder = self.instance_id
        return self.context.log_holder == self.instance_id

    @property
    def key(self) -> str:
        """Where it lies in EB's bucket."""
        middle = "" if self.context.request_id else "/selfstartup"
        return f"{_FOLDER}/{self.context.environment.id}{middle}/{self.command.deployment_log}"

    async def follow(self) -> None:
        """Upload while the command runs."""
        while self.running:
            await self.upload()
            await sleep(self.pause)

    async def finish(self) -> None:
        """Upload the whole log."""
        if self.running:
            self.running = False
            await self.upload()

    async def upload(self) -> None:
        """Upload what there is. An instance that cannot be asked has nothing."""
        context = self.context
        try:
            content = await context.call_driver(context.driver.deployment_log, self.instance_id, self.command)
        except DriverError:
            return
        if content != self.uploaded:
            self.uploaded = content
            context.region.storage.write(context.region.bucket, self.key, content)
