# SPDX-License-Identifier: GPL-3.0-or-later
"""Managed actions: platform updates in a window of time, or on demand."""

from __future__ import annotations

from datetime import datetime, timedelta

from localstalk.elasticbeanstalk.api import Answer, Params, page
from localstalk.elasticbeanstalk.platforms import catalogue, version_numbers
from localstalk.model.errors import InvalidParameterValue, ServiceError
from localstalk.model.region import Region
from localstalk.model.settings import effective_settings, option
from localstalk.model.state import Call, Environment, ManagedAction, Platform
from localstalk.workflows import changes
from localstalk.workflows.runner import Runner
from localstalk.workflows.update import Before, Change

_MANAGED = "aws:elasticbeanstalk:managedactions"
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class ManagedActions:
    """Operations on managed actions."""

    def __init__(self, region: Region, runner: Runner) -> None:
        self.region = region
        self.runner = runner

    def describe_environment_managed_actions(self, call: Call, params: Params) -> Answer:
        """The platform update that is due, if managed actions are on."""
        environment = self.region.find(params)
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
        if waiting or option(environment, _MANAGED, "ManagedActionsEnabled", "false") != "true":
            return waiting
        newer = self._newer(environment)
        if newer is None:
            return []
        text = f"Platform update from version {environment.platform.version} to {newer.version}."
        action = ManagedAction(
            self.region.control.uuid(), text, "PlatformUpdate", "Scheduled", self._window(environment)
        )
        environment.actions.append(action)
        return [action]

    def _newer(self, environment: Environment) -> Platform | None:
        level = option(environment, "aws:elasticbeanstalk:managedactions:platformupdate", "UpdateLevel", "minor")
        have = environment.platform
        for platform in catalogue(self.region.name):
            if platform.branch != have.branch or version_numbers(platform.version) <= version_numbers(have.version):
                continue
            same = 2 if level == "patch" else 1
            if version_numbers(platform.version)[:same] == version_numbers(have.version)[:same]:
                return platform
        return None

    def _window(self, environment: Environment) -> datetime:
        day, hour, minute = option(environment, _MANAGED, "PreferredStartTime", "Tue:09:00").split(":")
        now = self.region.control.clock.now()
        start = now.replace(hour=int(hour), minute=int(minute), second=0, microsecond=0)
        start += timedelta(days=(_DAYS.index(day) - now.weekday()) % 7)
        return start if start > now else start + timedelta(days=7)

    def describe_environment_managed_action_history(self, call: Call, params: Params) -> Answer:
        """Actions that ended, newest first."""
        environment = self.region.find(params)
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

    def apply_environment_managed_action(self, call: Call, params: Params) -> Answer:
        """Run a scheduled action now: a platform update, always immutable (docs/elastic_beanstalk.md §1.7)."""
        environment = self.region.find(params)
        action = next((each for each in self._due(environment) if each.id == params["ActionId"]), None)
        if action is None:
            raise InvalidParameterValue(f"No managed action with id '{params['ActionId']}' found.")
        newer = self._newer(environment)
        if action.status != "Scheduled" or environment.status != "Ready" or newer is None:
            text = f"Managed action {action.id} cannot be applied in the state of environment {environment.name}."
            raise ServiceError("ManagedActionInvalidStateException", text)
        before = Before.of(environment, effective_settings(environment))
        environment.platform = newer
        action.status, action.executed = "Running", self.region.control.clock.now()
        context = self.runner.context(environment, call)
        change = Change(None, True, before, immutable=True)
        self.runner.begin(environment, call, "config", "Updating", changes.managed_update(context, change, action))
        return {
            "ActionId": action.id,
            "ActionDescription": action.description,
            "ActionType": action.kind,
            "Status": action.status,
        }
