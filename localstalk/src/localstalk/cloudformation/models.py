# SPDX-License-Identifier: GPL-3.0-or-later
"""Stacks with Elastic Beanstalk's resources: requests answer at once, the work goes on in the scheduler.

All other stacks are moto's own, which are complete when the request is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any

import moto.cloudformation.models as service
from moto.cloudformation.exceptions import ValidationError

from localstalk.cloudformation import template
from localstalk.cloudformation.provision import (
    Holdings,
    Made,
    Provision,
    ResourcesFailed,
    Superseded,
    adopt,
)
from localstalk.cloudformation.resources import Failure
from localstalk.elasticbeanstalk import models
from localstalk.scheduler import Scheduler

_SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE")
_KIND = "AWS::CloudFormation::Stack"
Work = Callable[[Provision], Coroutine[Any, Any, None]]


class Stack(service.Stack):  # type: ignore[misc]
    """A stack that is made, changed and deleted step by step if it holds resources of ours."""

    on_failure = "ROLLBACK"
    deadline: float | None = None
    """When a creation has failed, by the clock's seconds."""

    def __init__(self, *arguments: Any, before: Stack | None = None, **more: Any) -> None:
        self.ours, self.status = False, ""
        super().__init__(*arguments, **more)
        self.ours = template.is_ours(self.template_dict)
        self.before = before
        self.operation: object = None
        self.shown_outputs: list[dict[str, Any]] | None = None
        self.holdings = Holdings()
        if before is not None:
            before.take_over()
            self.ours = True
            self.creation_time: datetime = before.creation_time
            self.holdings, self.shown_outputs = before.holdings, before.outputs
            self.events: list[service.Event] = before.events
        if self.ours:
            try:
                template.in_order(self.template_dict)
            except template.TemplateError as error:
                raise ValidationError(message=str(error)) from error
            self.resource_map.holdings = self.holdings

    def take_over(self) -> None:
        """From now on it is ours, with what moto has made."""
        if not self.ours:
            self.holdings = adopt(self)
            self.resource_map.holdings = self.holdings
            self.ours = True

    # --- what moto asks a stack ---

    @property
    def busy(self) -> bool:
        """Whether an operation of ours is under way."""
        return self.ours and (self.status in ("", "CREATE_PENDING") or self.status.endswith("_IN_PROGRESS"))

    @property
    def stack_resources(self) -> Any:
        """What there is so far."""
        if not self.ours:
            return super().stack_resources
        return [made.resource for made in list(self.holdings.made.values()) if made.resource is not None]

    @property
    def outputs(self) -> list[dict[str, Any]] | None:
        """Those of before, until an operation has succeeded."""
        return super().outputs if not self.ours or self.status in _SUCCEEDED else self.shown_outputs

    @property
    def exports(self) -> list[Any]:
        """None before there is something to export."""
        return super().exports if not self.ours or self.status in _SUCCEEDED else []

    def verify_readiness(self) -> None:
        """A custom resource has answered: we look ourselves."""
        if not self.ours:
            super().verify_readiness()

    def is_created(self) -> bool:
        """As a resource of another stack."""
        if self.status.endswith("ROLLBACK_COMPLETE") or self.status.endswith("_FAILED"):
            raise Failure(f"Embedded stack {self.stack_id} was not successfully created: {self.reason}")
        return not self.busy

    def is_deleted(self) -> bool:
        """Likewise."""
        return self.status == "DELETE_COMPLETE"

    # --- events ---

    reason = ""

    def enter(self, status: str, reason: str | None = None) -> None:
        """Another state, with its event."""
        self.status, self.reason = status, reason or ""
        self._event(self.name, self.stack_id, _KIND, status, reason)

    def record(self, made: Made, status: str, reason: str | None = None) -> None:
        """An event of a resource."""
        self._event(made.name, made.physical_id, made.kind, status, reason)

    def _event(self, logical_id: str, physical_id: str, kind: str, status: str, reason: str | None) -> None:
        event = service.Event(self.stack_id, self.name, logical_id, physical_id, kind, status, reason, None)
        event.timestamp = self.region.control.clock.now()
        event.sendToSns(self.account_id, self.region_name, self.notification_arns)
        self.events.append(event)

    # --- operations ---

    @property
    def region(self) -> Any:
        """The Elastic Beanstalk of this account and region."""
        return models.backends()[self.account_id][self.region_name].region

    @property
    def scheduler(self) -> Scheduler:
        """What runs operations."""
        scheduler: Scheduler = self.region.control.scheduler
        return scheduler

    @property
    def backend(self) -> Any:
        """The CloudFormation of this account and region."""
        return service.cloudformation_backends[self.account_id][self.region_name]

    def create_resources(self) -> None:
        """The first operation; its opening event is there already."""
        if not self.ours:
            super().create_resources()
            return
        self.status = "CREATE_IN_PROGRESS"
        self.begin(self._create)

    def begin(self, work: Work) -> None:
        """Start an operation; one that is under way ends."""
        token = self.operation = object()
        self.deadline = None

        def go_on() -> None:
            if self.operation is not token:
                raise Superseded
            if self.deadline is not None and self.region.control.clock.seconds() > self.deadline:
                raise Failure("Stack creation time exceeded the specified timeout.")

        async def run() -> None:
            try:
                await work(Provision(self, go_on))
            except Superseded:
                return

        self.scheduler.spawn(run(), f"stack {self.name}")

    async def _create(self, provision: Provision) -> None:
        if self.timeout_in_minutes:
            self.deadline = self.region.control.clock.seconds() + 60 * int(self.timeout_in_minutes)
        try:
            await provision.make()
            self._publish()
        except ResourcesFailed as error:
            self.deadline = None
            await self._undo_creation(provision, str(error))
        else:
            self.enter("CREATE_COMPLETE")

    async def _undo_creation(self, provision: Provision, reason: str) -> None:
        if self.on_failure == "DO_NOTHING":
            self.enter("CREATE_FAILED", reason)
        elif self.on_failure == "DELETE":
            self.enter("DELETE_IN_PROGRESS", reason)
            await self.delete_resources(provision)
        else:
            self.enter("ROLLBACK_IN_PROGRESS", f"{reason}Rollback requested by user.")
            try:
                await provision.clean_up(everything=True)
            except ResourcesFailed as error:
                self.enter("ROLLBACK_FAILED", str(error))
            else:
                self.enter("ROLLBACK_COMPLETE")

    async def change(self, provision: Provision) -> None:
        """An update, from its opening event to its end."""
        self.enter("UPDATE_IN_PROGRESS", "User Initiated")
        try:
            await provision.make()
            self._publish()
        except ResourcesFailed as error:
            self._return_to_before(str(error))
            return
        self.enter("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        await self._clean_up(provision)
        self.enter("UPDATE_COMPLETE")

    def _return_to_before(self, reason: str) -> None:
        before = self.before
        if before is None or self.on_failure == "DO_NOTHING":
            self.enter("UPDATE_FAILED", reason)
            return
        before.enter("UPDATE_ROLLBACK_IN_PROGRESS", reason)
        self.backend.stacks[self.stack_id] = before
        before.begin(before.roll_back)

    async def roll_back(self, provision: Provision) -> None:
        """Back to this stack's template after an update that failed."""
        try:
            await provision.make()
        except ResourcesFailed as error:
            self.enter("UPDATE_ROLLBACK_FAILED", str(error))
            return
        self.enter("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        await self._clean_up(provision)
        self.enter("UPDATE_ROLLBACK_COMPLETE")

    async def _clean_up(self, provision: Provision) -> None:
        """What cannot be deleted now is left: the update itself has succeeded."""
        try:
            await provision.clean_up()
        except ResourcesFailed:
            self.holdings.spare.clear()

    async def delete_resources(self, provision: Provision) -> None:
        """The deletion, after its opening event."""
        try:
            await provision.clean_up(everything=True)
        except ResourcesFailed as error:
            self.enter("DELETE_FAILED", str(error))
            return
        self.enter("DELETE_COMPLETE")
        backend = self.backend
        backend.stacks.pop(self.stack_id, None)
        backend.deleted_stacks[self.stack_id] = self
        for name in [name for name, export in backend.exports.items() if export.exporting_stack_id == self.stack_id]:
            del backend.exports[name]

    def _publish(self) -> None:
        """Make the exports known. Raises :class:`ResourcesFailed`."""
        exports = self.output_map.exports
        for export in exports:
            other = self.backend.exports.get(export.name)
            if other is not None and other.exporting_stack_id != self.stack_id:
                raise ResourcesFailed(f"Export with name {export.name} is already exported by another stack. ")
        self.backend.exports.update({export.name: export for export in exports})


class Backend(service.CloudFormationBackend):  # type: ignore[misc]
    """moto's CloudFormation of one account and region. ``on_failure`` is what the present request wants."""

    on_failure = "ROLLBACK"

    def create_stack(self, *arguments: Any, **more: Any) -> Stack:
        """Begin a stack; its work cannot start before it knows what a failure means."""
        with self._lock:
            stack: Stack = super().create_stack(*arguments, **more)
            stack.on_failure = self.on_failure
        return stack

    @property
    def _lock(self) -> Any:
        return models.backends()[self.account_id][self.region_name].control.scheduler.lock

    def update_stack(
        self,
        name: str,
        template: str,
        role_arn: str | None,
        parameters: list[dict[str, Any]],
        tags: dict[str, str] | None,
    ) -> Stack:
        """Begin an update."""
        stack = self.get_stack(name)
        if not _involves_ours(stack, template):
            changed: Stack = super().update_stack(name, template, role_arn, parameters, tags)
            return changed
        given = {
            each["ParameterKey"]: each["ParameterValue"]
            if "ParameterValue" in each
            else stack.parameters[each["ParameterKey"]]
            for each in parameters
        }
        if stack.has_template(template) and stack.has_parameters(given) and tags in (None, stack.tags):
            raise ValidationError(message="No updates are to be performed.")
        return self._change(stack, template, given, tags, role_arn)

    def _change(
        self,
        stack: Stack,
        body: str,
        parameters: dict[str, Any],
        tags: dict[str, str] | None,
        role_arn: str | None,
    ) -> Stack:
        with self._lock:
            if stack.busy:
                text = f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated."
                raise ValidationError(message=text)
            new = Stack(
                stack.stack_id, stack.name, body, parameters, self.account_id, self.region_name,
                notification_arns=stack.notification_arns, tags=stack.tags if tags is None else tags,
                role_arn=role_arn or stack.role_arn, cross_stack_resources=self.exports,
                enable_termination_protection=stack.enable_termination_protection, before=stack,
            )  # fmt: skip
            new.on_failure = self.on_failure
            self.stacks[stack.stack_id] = new
            if stack.status == "REVIEW_IN_PROGRESS":
                new.enter("CREATE_IN_PROGRESS", "User Initiated")
                new.create_resources()
            else:
                new.status = "UPDATE_IN_PROGRESS"
                new.begin(new.change)
        return new

    def execute_change_set(self, change_set_name: str, stack_name: str | None = None) -> None:
        """Begin the creation or the update that a change set is for."""
        change_set = self.describe_change_set(change_set_name)
        stack = self.stacks[change_set.stack_id]
        if not _involves_ours(stack, change_set.template):
            super().execute_change_set(change_set_name, stack_name)
            return
        self._change(stack, change_set.template, change_set.parameters, change_set.tags or None, change_set.role_arn)
        change_set.execution_status = "EXECUTE_COMPLETE"

    def delete_stack(self, name_or_stack_id: str) -> None:
        """Begin the deletion; a creation or an update that is under way ends there."""
        stack = next((each for each in self.stacks.values() if name_or_stack_id in (each.stack_id, each.name)), None)
        if not getattr(stack, "ours", False) or stack is None:
            super().delete_stack(name_or_stack_id)
            return
        with self._lock:
            if stack.status != "DELETE_IN_PROGRESS":
                stack.enter("DELETE_IN_PROGRESS", "User Initiated")
                stack.begin(stack.delete_resources)


def _involves_ours(stack: Any, body: str) -> bool:
    return getattr(stack, "ours", False) or template.is_ours(Stack.parse_template(body))
