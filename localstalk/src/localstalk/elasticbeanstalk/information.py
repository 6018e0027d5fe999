# SPDX-License-Identifier: GPL-3.0-or-later
"""Resources and logs of environments, and managed actions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from localstalk.elasticbeanstalk.base import page
from localstalk.elasticbeanstalk.changes import Changes
from localstalk.elasticbeanstalk.errors import InvalidParameterValue, ServiceError
from localstalk.elasticbeanstalk.platforms import catalogue
from localstalk.elasticbeanstalk.state import Call, Environment, ManagedAction, Platform
from localstalk.workflows import changes
from localstalk.workflows.update import Before, Change
from localstalk.workflows.work import Work

_MANAGED = "aws:elasticbeanstalk:managedactions"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Information(Changes):
    """What one can ask about an environment besides its health."""

    def describe_environment_resources(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Ids and names of what the environment is made of."""
        environment = self.named(params)
        resources = environment.resources
        queues = [
            {"Name": name, "URL": url}
            for name, url in (
                ("WorkerQueue", resources.queue_url),
                ("WorkerDeadLetterQueue", resources.dead_letter_queue_url),
            )
            if url
        ]
        described = {
            "EnvironmentName": environment.name,
            "AutoScalingGroups": _names(resources.auto_scaling_group),
            "Instances": [{"Id": instance_id} for instance_id in environment.instances],
            "LaunchConfigurations": _names(resources.launch),
            "LaunchTemplates": [],
            "LoadBalancers": _names(resources.load_balancer_arn or resources.load_balancer_name),
            "Triggers": _names(*resources.alarms),
            "Queues": queues,
        }
        return {"EnvironmentResources": described}

    # --- logs ---

    def request_environment_info(self, call: Call, params: dict[str, Any]) -> None:
        """Start to collect logs; the environment stays Ready and usable meanwhile."""
        environment = self.ready(params)
        kind = params["InfoType"]
        if kind not in ("tail", "bundle"):
            raise InvalidParameterValue(f"InfoType '{kind}' is not supported for environment {environment.name}.")
        work = Work(self._region(), environment, call.request_id)
        self.control.scheduler.spawn(changes.collect_logs(work, kind), f"logs {environment.name}")

    def retrieve_environment_info(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Links to the logs collected last, one per instance."""
        environment = self.named(params)
        newest = {each.instance_id: each for each in environment.samples if each.kind == params["InfoType"]}
        return {
            "EnvironmentInfo": [
                {
                    "InfoType": sample.kind,
                    "Ec2InstanceId": sample.instance_id,
                    "SampleTimestamp": sample.time,
                    "Message": self.storage.url(call.endpoint, sample.bucket, sample.key),
                }
                for sample in newest.values()
            ]
        }

    # --- managed actions ---

    def describe_environment_managed_actions(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """The platform update that is due, if managed actions are on."""
        environment = self.named(params)
        actions = [each for each in self._due(environment) if params.get("Status") in (None, each.status)]
        return {
            "ManagedActions": [
                {
                    "ActionId": each.id,
                    "ActionDescription": each.description,
                    "ActionType": each.kind,
                    "Status": each.status,
                    "WindowStartTime": each.window,
                }
                for each in actions
            ]
        }

    def _due(self, environment: Environment) -> list[ManagedAction]:
        waiting = [each for each in environment.actions if each.status in ("Scheduled", "Pending", "Running")]
        if waiting or self.option(environment, _MANAGED, "ManagedActionsEnabled", "false") != "true":
            return waiting
        newer = self._newer(environment)
        if newer is None:
            return []
        text = f"Platform update from version {environment.platform.version} to {newer.version}."
        action = ManagedAction(self.control.uuid(), text, "PlatformUpdate", "Scheduled", self._window(environment))
        environment.actions.append(action)
        return [action]

    def _newer(self, environment: Environment) -> Platform | None:
        level = self.option(environment, "aws:elasticbeanstalk:managedactions:platformupdate", "UpdateLevel", "minor")
        have = environment.platform
        for platform in catalogue(self.name):
            if platform.branch != have.branch or _number(platform.version) <= _number(have.version):
                continue
            same = 2 if level == "patch" else 1
            if _number(platform.version)[:same] == _number(have.version)[:same]:
                return platform
        return None

    def _window(self, environment: Environment) -> datetime:
        day, hour, minute = self.option(environment, _MANAGED, "PreferredStartTime", "Tue:09:00").split(":")
        now = self.control.clock.now()
        start = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
        start += timedelta(days=(_DAYS.index(day) - now.weekday()) % 7)
        return start if start > now else start + timedelta(days=7)

    def describe_environment_managed_action_history(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Actions that ended, newest first."""
        environment = self.named(params)
        done = [each for each in reversed(environment.actions) if each.status in ("Completed", "Failed")]
        items, token = page(done, params, "MaxItems", 100)
        history = [
            {
                "ActionId": each.id,
                "ActionType": each.kind,
                "ActionDescription": each.description,
                "Status": each.status,
                "FailureType": each.failure[0] if each.failure else None,
                "FailureDescription": each.failure[1] if each.failure else None,
                "ExecutedTime": each.executed,
                "FinishedTime": each.finished,
            }
            for each in items
        ]
        return {"ManagedActionHistoryItems": history, "NextToken": token}

    def apply_environment_managed_action(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Run a scheduled action now: a platform update, always immutable (eb-facts §1.7)."""
        environment = self.named(params)
        action = next((each for each in self._due(environment) if each.id == params["ActionId"]), None)
        if action is None:
            raise InvalidParameterValue(f"No managed action with id '{params['ActionId']}' found.")
        newer = self._newer(environment)
        if action.status != "Scheduled" or environment.status != "Ready" or newer is None:
            text = f"Managed action {action.id} cannot be applied in the state of environment {environment.name}."
            raise ServiceError("ManagedActionInvalidStateException", text)
        before = Before.of(environment, self.effective(environment))
        environment.platform = newer
        action.status, action.executed = "Running", self.control.clock.now()
        work = Work(self._region(), environment, call.request_id)
        change = Change(None, True, before, immutable=True)
        self.begin(environment, call, "config", "Updating", changes.managed_update(work, change, action))
        return {
            "ActionId": action.id,
            "ActionDescription": action.description,
            "ActionType": action.kind,
            "Status": action.status,
        }


def _names(*names: str) -> list[dict[str, str]]:
    return [{"Name": name} for name in names if name]


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())
