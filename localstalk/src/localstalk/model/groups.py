# SPDX-License-Identifier: GPL-3.0-or-later
"""Auto Scaling groups as users change them: moto's, which knows of suspended processes but does not heed them.

Source: Amazon EC2 Auto Scaling user guide, "Suspend and resume Amazon EC2 Auto Scaling processes".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Process = str
"""``Launch``, ``Terminate``, ``HealthCheck``, ``ReplaceUnhealthy``, ``AlarmNotification`` …"""

_GROUPS, _LAUNCH_CONFIGURATIONS = 500, 200


@dataclass(frozen=True)
class Member:
    """One instance of a group. ``running`` is EC2's word on it."""

    zone: str
    kind: str
    running: bool


@dataclass(frozen=True)
class Group:
    """A group as it is at this moment."""

    least: int = 0
    most: int = 0
    wanted: int = 0
    members: dict[str, Member] = field(default_factory=dict)
    """By instance id, oldest first."""
    suspended: frozenset[Process] = frozenset()

    def allows(self, *processes: Process) -> bool:
        """Whether none of these processes is suspended."""
        return self.suspended.isdisjoint(processes)


def read(group: Any) -> Group:
    """What moto knows of a group."""
    return Group(
        int(group.min_size or 0),
        int(group.max_size or 0),
        int(group.desired_capacity or 0),
        {
            str(each.instance.id): Member(
                str(each.instance.placement.zone), str(each.instance.instance_type), each.instance.state == "running"
            )
            for each in group.instance_states
        },
        _suspended(group),
    )


def _suspended(group: Any) -> frozenset[Process]:
    return frozenset(str(each["ProcessName"]) for each in group.suspended_processes)


def install() -> None:
    """Let moto's groups heed what is suspended, once."""
    from moto.autoscaling.models import AutoScalingBackend, FakeAutoScalingGroup

    if FakeAutoScalingGroup.set_desired_capacity.__module__ != __name__:
        FakeAutoScalingGroup.replace_autoscaling_group_instances = _unless_suspended(
            FakeAutoScalingGroup.replace_autoscaling_group_instances
        )
        FakeAutoScalingGroup.set_desired_capacity = _unless_terminations_are_suspended(
            FakeAutoScalingGroup.set_desired_capacity
        )
        AutoScalingBackend.notify_terminate_instances = _keeping_unhealthy(
            AutoScalingBackend.notify_terminate_instances
        )


def answer_limits(environments: Callable[[], int]) -> None:
    """Have moto answer DescribeAccountLimits, which it lacks; ``environments`` is Elastic Beanstalk's own quota.

    The limits are AWS's defaults (Amazon EC2 Auto Scaling User Guide, "Quotas"), and more where there may be more
    environments.
    """
    from moto.autoscaling.responses import AutoScalingResponse
    from moto.core.responses import ActionResult

    def describe_account_limits(self: Any) -> Any:
        backend = self.autoscaling_backend
        return ActionResult(
            {
                "MaxNumberOfAutoScalingGroups": max(_GROUPS, 2 * environments()),
                "MaxNumberOfLaunchConfigurations": max(_LAUNCH_CONFIGURATIONS, 2 * environments()),
                "NumberOfAutoScalingGroups": len(backend.autoscaling_groups),
                "NumberOfLaunchConfigurations": len(backend.launch_configurations),
            }
        )

    AutoScalingResponse.describe_account_limits = describe_account_limits


def _unless_suspended(launch: Callable[..., None]) -> Callable[..., None]:
    def replace_autoscaling_group_instances(self: Any, *arguments: Any) -> None:
        if "Launch" not in _suspended(self):
            launch(self, *arguments)

    return replace_autoscaling_group_instances


def _unless_terminations_are_suspended(change: Callable[[Any, int | None], None]) -> Callable[[Any, int | None], None]:
    def set_desired_capacity(self: Any, new_capacity: int | None) -> None:
        wanted = int((self.min_size if new_capacity is None else new_capacity) or 0)
        if "Terminate" in _suspended(self) and wanted < len(self.active_instances()):
            self.desired_capacity = wanted
        else:
            change(self, new_capacity)

    return set_desired_capacity


def _keeping_unhealthy(notify: Callable[[Any, list[str]], None]) -> Callable[[Any, list[str]], None]:
    """An instance that somebody terminated stays, unhealthy, where nobody looks for such or replaces them."""

    def notify_terminate_instances(self: Any, instance_ids: list[str]) -> None:
        kept = set()
        for group in self.autoscaling_groups.values():
            for each in group.instance_states:
                if each.instance.id in instance_ids and _suspended(group) & {"HealthCheck", "ReplaceUnhealthy"}:
                    each.health_status = "Unhealthy"
                    kept.add(each.instance.id)
        notify(self, [each for each in instance_ids if each not in kept])

    return notify_terminate_instances
