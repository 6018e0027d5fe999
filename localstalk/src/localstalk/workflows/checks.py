# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting for instances to be healthy, and to stay so, before a deployment goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

from localstalk.model.state import Instance
from localstalk.workflows.context import COMMAND, Failed, WorkflowContext

_CHECKS = 12
_CHECK_SECONDS = 10.0
"""Deployments succeed after 12 consecutive good checks within 2 minutes (docs/elastic_beanstalk.md §2.2)."""
_BAD_CHECKS = 3
_HEALTH_SECONDS = 600.0
_REAL_HEALTH_SECONDS = 60.0
"""Real applications need real time to start, however fast the clock runs."""


async def pass_health_checks(context: WorkflowContext, instances: Sequence[Instance]) -> None:
    """Wait until the instances are healthy for long enough. Raises :class:`Failed` after EB's text."""
    if context.option(COMMAND, "IgnoreHealthCheck", "false") == "true":
        return
    speed = context.control.clock.speed
    limit = _HEALTH_SECONDS if context.control.simulated else max(_HEALTH_SECONDS, _REAL_HEALTH_SECONDS * speed)
    deadline = context.control.clock.seconds() + limit
    good = 0
    sick: list[str] = []
    while good < _CHECKS:
        healthy = await context.health.observe(context.environment)
        sick = [instance.id for instance in instances if instance.id not in healthy]
        good = 0 if sick else good + 1
        if good < _CHECKS:
            if context.control.clock.seconds() >= deadline:
                break
            await context.wait(_CHECK_SECONDS)
    if good < _CHECKS:
        _give_up_on(context, sick)


async def stay_healthy(context: WorkflowContext, instances: Sequence[Instance], seconds: float) -> None:
    """Watch instances for a while. Raises :class:`Failed` after EB's text when checks fail several times over."""
    end, bad = context.control.clock.seconds() + seconds, 0
    while context.control.clock.seconds() < end:
        healthy = await context.health.observe(context.environment)
        sick = [instance.id for instance in instances if instance.id not in healthy]
        bad = bad + 1 if sick else 0
        if bad >= _BAD_CHECKS and context.option(COMMAND, "IgnoreHealthCheck", "false") != "true":
            _give_up_on(context, sick)
        await context.wait(min(_CHECK_SECONDS, max(0.0, end - context.control.clock.seconds())))


def _give_up_on(context: WorkflowContext, sick: Sequence[str]) -> NoReturn:
    ids = ", ".join(sick)
    text = f"Instance id(s) '{ids}' did not pass health check after command execution. Aborting the operation."
    context.record_event(text, "ERROR")
    raise Failed
