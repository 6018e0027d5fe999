# SPDX-License-Identifier: GPL-3.0-or-later
"""Starting workflows in the environments of a region."""

from __future__ import annotations

from collections.abc import Coroutine

from localstalk.model.region import Region
from localstalk.model.state import Call, Environment, Operation, OperationKind, Status
from localstalk.scheduler import Held
from localstalk.workflows.context import HealthMonitor, Superseded, WorkflowContext

Workflow = Coroutine[object, object, None]


class Runner:
    """Makes contexts and starts what is to be done with them."""

    def __init__(self, region: Region, health: HealthMonitor) -> None:
        self.region = region
        self.health = health

    def context(self, environment: Environment, call: Call) -> WorkflowContext:
        """What a workflow on behalf of a call works with."""
        return WorkflowContext(self.region, self.health, environment, call.request_id)

    def begin(
        self, environment: Environment, call: Call, kind: OperationKind, status: Status, workflow: Workflow
    ) -> None:
        """Occupy the environment and start a workflow in it."""
        control = self.region.control
        environment.status = status
        environment.operation = Operation(kind, call.request_id, control.clock.seconds())
        environment.abortable = kind in ("deploy", "config")
        environment.updated = control.clock.now()
        guarded = guard(self.region, environment, call.request_id, workflow)
        control.scheduler.spawn(guarded, f"{kind} {environment.name}")


async def guard(region: Region, environment: Environment, request_id: str, workflow: Workflow) -> None:
    """Run a workflow. A defect of ours must not leave an environment busy for ever."""
    environment.workflows += 1
    kind = environment.operation.kind if environment.operation else ""
    clock, faults = region.control.clock, region.control.faults
    began = clock.seconds()
    try:
        await Held(workflow, lambda: faults.stuck(kind, environment.name, clock.seconds() - began))
    except Superseded:
        return
    except Exception:
        text = "localstalk failed internally; see its log."
        region.events.record(text, "FATAL", environment=environment, request_id=request_id or None)
        if environment.operation is not None and environment.operation.request_id == request_id:
            environment.status, environment.operation, environment.abortable = "Ready", None, False
        raise
    finally:
        environment.workflows -= 1
