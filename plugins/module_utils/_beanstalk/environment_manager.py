# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make an environment be as the user wants it: create, update only what differs, or terminate; and prove it."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import api, cnames, friendly, platforms, references, tags, waiters
from .common import (
    AnsibleBeanstalkError,
    AnsibleBeanstalkRefusedError,
    AnsibleBeanstalkWaitError,
    already_exists,
    error_code,
    is_busy,
    is_missing,
    is_unreadable,
)
from .environment_absent import Termination
from .environment_create import create_call, create_diff, predicted
from .environment_leader import ask_leader, leader_unknown
from .environment_memory import EnvironmentMemory
from .environment_plan import Plan, Planner, check_params, update_calls
from .environment_settings import EnvironmentSettings
from .environment_verify import not_verified, verify_unchanged
from .environment_version import EnvironmentVersion
from .environments import check_names_free, find_environment
from .logs import with_logs
from .progress import Progress
from .shared import SharedLooks
from .transformations import environment_out, event_out, instance_out
from .verification import State
from .verifier import NotVerifiedError, Verifier, warnings_of
from .write_lock import WriteLock

Environment = dict[str, Any]
Instances = list[dict[str, Any]]


class EnvironmentManager:
    """One run of the environment module. `ensure` returns (changed, result); it raises, it never exits."""

    def __init__(
        self,
        client: Any,
        params: Mapping[str, Any],
        check_mode: bool,
        lock: WriteLock | None = None,
        progress: Progress | None = None,
        clients: Callable[[str], Any] | None = None,
        warn: Callable[[str], None] = lambda _text: None,
    ) -> None:
        self.client = client
        self.clients = clients
        self.params = params
        self.check_mode = check_mode
        self.lock = lock
        self.progress = progress or Progress(None)
        self.deadline = waiters.Deadline(params["wait_timeout"], params["poll_interval"], sleep=self._sleep)
        self.wanted_settings = friendly.option_settings(params)
        self.actions: list[str] = []
        self.events: list[dict[str, Any]] = []
        self.instances: Instances | None = None
        self._warn = warn
        self.diffs: list[dict[str, Any]] = []
        self._version = EnvironmentVersion(client, clients, params, check_mode, self.deadline.timeout)
        self._termination = Termination(client, params, self.deadline, self.progress)
        self._redeployed = False
        self._settings = EnvironmentSettings(client, params, self.wanted_settings, clients)
        self._planner = Planner(client, params, self._settings)
        self._looked = 0.0

    def ensure(self) -> tuple[bool, dict[str, Any]]:
        """Carry the parameters out; returns (changed, result)."""
        check_params(self.params)
        self._looked = time.monotonic()
        environment = find_environment(self.client, self.params, self._first_look)
        try:
            if self.params["state"] == "absent":
                environment = self._ensure_absent(environment)
            elif environment is None:
                environment = self._create()
            else:
                environment = self._update(environment)
            if environment is not None and not self.check_mode:
                EnvironmentMemory(self.client, environment).note_password(self.wanted_settings)
                if not self.actions:
                    self._settings.unchanged(environment)
        finally:
            problem = self.lock.release() if self.lock else ""
            self._warn_all([*self._planner.warnings, *self._settings.warnings, *([problem] if problem else [])])
        return bool(self.actions), {**self._result(environment), **self._leader(environment)}

    def _first_look(self) -> list[Environment]:
        looks = SharedLooks(self.client, self.params["application"])
        found, self._looked = looks.environments(self._looked)
        return found

    def _warn_all(self, texts: Sequence[str]) -> None:
        for text in texts:
            self._warn(text)

    # -- lock -----------------------------------------------------------------------------------------------------

    def _sleep(self, seconds: float) -> None:
        if self.lock:
            self.lock.renew()
        time.sleep(seconds)

    def _changed_meanwhile(self, environment: Environment | None) -> tuple[bool, Environment | None]:
        """Take the lock before the first write; whether the environment is another than the one decided about."""
        if self.lock is None:
            return False, environment
        arn = str((environment or {}).get("EnvironmentArn") or "")
        since = self.lock.take(arn, self._looked)
        if not since:
            return False, environment
        looks = SharedLooks(self.client, self.params["application"])
        found = find_environment(self.client, self.params, lambda: looks.environments_since(since))
        keys = ("EnvironmentId", "DateUpdated", "VersionLabel", "Status")
        return any((found or {}).get(key) != (environment or {}).get(key) for key in keys), found

    # -- create ---------------------------------------------------------------------------------------------------

    def _create(self) -> Environment:
        params = self.params
        if params["environment_id"]:
            raise AnsibleBeanstalkRefusedError(message=f"There is no environment {params['environment_id']}.")
        if params["cname_prefix"] and cnames.is_generated(params["cname_prefix"]):
            sentence = cnames.not_created_sentence(params["application"], params["cname_prefix"])
            raise AnsibleBeanstalkRefusedError(message=sentence)
        if not params["name"] or not params["platform"]:
            raise AnsibleBeanstalkRefusedError(
                message=f"The application {params['application']} has no such environment; "
                "name and platform are needed to create one."
            )
        check_names_free(self.client, params)
        self._provide_version(None)
        platform = platforms.choose(self.client, params["platform"])
        references.check_platform(self.client, self.wanted_settings, platform)
        if not self.check_mode:
            _changed, found = self._changed_meanwhile(None)
            if found is not None:
                return self._update(found)
        self.actions.append("create")
        self.diffs.append({"before": {}, "after": create_diff(params, platform, self.wanted_settings)})
        if self.check_mode:
            return predicted(params, platform)
        self._settings.before(None)
        answer = self._create_call(platform)
        try:
            made = self._watch(answer, params["version_label"], quiet=False)
            return self._settle(made) if self.wanted_settings else made
        except AnsibleBeanstalkError as error:
            if not self._goes_on(error):
                raise self._told(error, str(answer["EnvironmentId"])) from error
        return self._update(answer)

    def _create_call(self, platform: Mapping[str, str]) -> Environment:
        try:
            return api.create_environment(self.client, **create_call(self.params, platform, self.wanted_settings))
        except AnsibleBeanstalkError as error:
            if self._restore_version(error):
                return self._create_call(platform)
            # The first request may have been carried out although its answer was lost.
            found = find_environment(self.client, self.params) if already_exists(error) else None
            if found is None or found.get("Status") != "Launching":
                raise self._explained(error) from error
            return found

    # -- update ---------------------------------------------------------------------------------------------------

    def _update(self, environment: Environment) -> Environment:
        while True:
            while environment.get("Status") != "Ready" and not self.check_mode:
                environment = self._when_ready(environment)
            plan = self._planner.plan(environment)
            if plan.empty and not self._plan_redeploy(environment, plan):
                environment = self._when_ready(environment)
                continue
            if plan.empty:
                return environment
            if "update_version" in plan.actions:
                self._provide_version(environment)
            if self.check_mode:
                self._note(plan)
                return self._predicted(environment)
            changed, found = self._changed_meanwhile(environment)
            if changed:
                if found is None:
                    return self._create()
                environment = found
                continue
            environment, done = self._attempt(environment, plan)
            if done:
                return environment

    def _attempt(self, environment: Environment, plan: Plan) -> tuple[Environment, bool]:
        """Carry a plan out; the environment afterwards, and whether nothing is left to do or to verify."""
        self._redeployed |= "redeploy" in plan.actions
        try:
            environment = self._carry_out(environment, plan)
        except AnsibleBeanstalkError as error:
            if not self._goes_on(error):
                # Somebody else was quicker: wait in line, then look again at what is still to do.
                if not is_busy(error) or self.deadline.over:
                    raise self._told(self._explained(error), environment["EnvironmentId"]) from error
                self.deadline.pause()
            return self._when_ready(environment), False
        # New tags alone were waited for, but no deployment was.
        return environment, bool(plan.update) or not self.params["wait"]

    def _provide_version(self, environment: Environment | None) -> None:
        if self._version.provide(environment):
            self.actions.append("create_version")

    def _restore_version(self, error: AnsibleBeanstalkError) -> bool:
        """Whether a version or bundle that is gone was made again; then what needed it is worth another attempt."""
        done = self._version.restore(error)
        self.actions += [done] if done else []
        return bool(done)

    @property
    def _may_redeploy(self) -> bool:
        """Whether the version is known, and was not deployed again in this run yet."""
        return bool(self.params["version_label"]) and not self._redeployed

    def _goes_on(self, error: AnsibleBeanstalkError) -> bool:
        """Whether an operation that did not bring about what was wanted leaves something that may."""
        if self._restore_version(error):
            return True
        behind = isinstance(error, NotVerifiedError) and error.verdict.state is State.REDEPLOY
        return behind and self._may_redeploy

    def _plan_redeploy(self, environment: Environment, plan: Plan) -> bool:
        """Where nothing differs, verify: what is behind is deployed again; whether there is a verdict.

        A verdict that asks for no deployment, and is not good, is an error where a proof is wanted.
        """
        label = self.params["version_label"] or environment.get("VersionLabel")
        verifier = Verifier(self.client, label, scaling=self._scaling)
        once = self.check_mode or not self.params["wait"]
        verdict = verify_unchanged(self.client, environment, verifier, self.deadline, once=once)
        self.instances = verifier.instances
        if verdict is None:
            return False
        if verdict.state is State.VERIFIED:
            self._warn_all(warnings_of(environment, verdict))
        elif verdict.state is State.REDEPLOY and self._may_redeploy:
            plan.redeploy(self.params["version_label"], verdict)
        else:
            error = not_verified(environment, verifier, hint=not self.params["version_label"])
            if self.params["wait"] and not (self.check_mode and verdict.state is State.WAITING):
                raise self._told(error, environment["EnvironmentId"])
            self._warn(f"{error.message}.")
        return True

    def _told(self, error: AnsibleBeanstalkError, environment_id: str) -> AnsibleBeanstalkError:
        """A failure with what somebody would look for next."""
        if not isinstance(error, AnsibleBeanstalkWaitError):
            return error
        interval, request = self.params["poll_interval"], not self.check_mode
        return with_logs(self.client, error, environment_id, interval, self.actions, request=request)

    @property
    def _scaling(self) -> Callable[[], Any] | None:
        return functools.partial(self.clients, "autoscaling") if self.clients else None

    def _when_ready(self, environment: Environment) -> Environment:
        """What the parameters name when somebody's operation has ended: it may have been a swap of CNAMEs."""
        ready = waiters.wait_until_ready(self.client, environment["EnvironmentId"], self.deadline)
        return (self.params.get("cname_prefix") and find_environment(self.client, self.params)) or ready

    def _note(self, plan: Plan) -> None:
        self.actions += plan.actions
        self.diffs.append(plan.tracker.diff())

    def _predicted(self, environment: Environment) -> Environment:
        label = self.params["version_label"] or environment.get("VersionLabel")
        predicted = {**environment, "VersionLabel": label}
        if self.params["description"] is not None:
            predicted["Description"] = self.params["description"]
        return predicted

    def _carry_out(self, environment: Environment, plan: Plan) -> Environment:
        environment_id = environment["EnvironmentId"]
        noted = False
        sets = "update_settings" in plan.actions
        if sets:
            self._settings.before(environment)
        calls = update_calls(plan.update)
        while calls:
            call = calls.pop(0)
            try:
                answer = api.update_environment(self.client, environment_id, **call)
            except AnsibleBeanstalkError as error:
                # Version and settings in one call: the API reference has it as an error, the service takes it.
                together = len(call) > 1 and "VersionLabel" in call and not is_unreadable(error)
                if error_code(error) != "InvalidParameterCombination" or not together:
                    raise
                calls[:0] = [
                    {key: value for key, value in call.items() if key != "VersionLabel"},
                    {"VersionLabel": call["VersionLabel"]},
                ]
                continue
            if not noted:
                self._note(plan)
                noted = True
            label = self.params["version_label"] if "VersionLabel" in call else None
            environment = self._watch(answer, label or environment.get("VersionLabel"), "VersionLabel" in call)
        if plan.tag_plan is not None and "tags" in plan.tracker.names:
            tags.apply_tags(self.client, environment["EnvironmentArn"], plan.tag_plan)
            if not noted:
                self._note(plan)
            if self.params["wait"]:
                self.deadline.pause(1)
                environment = waiters.wait_until_ready(self.client, environment_id, self.deadline)
        return self._settle(environment) if sets else environment

    def _settle(self, environment: Environment) -> Environment:
        """See what became of settings that were sent, once that is over."""
        if self.params["wait"]:
            self._settings.after(environment)
        return environment

    # -- wait -----------------------------------------------------------------------------------------------------

    def _watch(self, answer: Environment, label: str | None, quiet: bool) -> Environment:
        if not self.params["wait"]:
            return answer
        memory = EnvironmentMemory(self.client, answer)
        # A short interval is for local tests, where a deployment may be over in a second.
        unhurried = self.params["poll_interval"] >= 5
        looks = SharedLooks(self.client, self.params["application"]) if unhurried else None
        quiet = quiet and unhurried
        expected = memory.seconds if quiet else None
        watch = waiters.OperationWatch(
            self.client, answer, label, self.deadline, self.progress, expected, looks, self._scaling
        )
        outcome = watch.run(waiters.QUIET_SECONDS if quiet else 0.0)
        if quiet:
            memory.note_seconds(watch.seconds)
        if self._settings.right:
            self._settings.note(outcome.environment)
        self.events += outcome.events
        self.instances = None if outcome.instances is None else list(outcome.instances)
        self._warn_all(outcome.warnings)
        return outcome.environment

    def _explained(self, error: AnsibleBeanstalkError) -> AnsibleBeanstalkError:
        if is_missing(error) and self.params["version_label"] and "Version" in str(error):
            return AnsibleBeanstalkError(
                message=f"The application {self.params['application']} has no version "
                f"{self.params['version_label']}; make it with the application_version module."
            )
        return error

    # -- terminate ------------------------------------------------------------------------------------------------

    def _ensure_absent(self, environment: Environment | None) -> Environment | None:
        if environment is None:
            return None
        if environment.get("Status") == "Terminating":
            if not self.check_mode:
                self._termination.wait(environment)
                self.events += self._termination.events
            return None
        if not self.check_mode and self._changed_meanwhile(environment)[0]:
            raise AnsibleBeanstalkRefusedError(
                message=f"The environment {environment['EnvironmentId']} was changed by somebody else meanwhile."
            )
        self._termination.check(environment)
        self.actions.append("terminate")
        self.diffs.append({"before": {"environment": environment["EnvironmentId"]}, "after": {}})
        if not self.check_mode:
            self._termination.run(environment)
            self.events += self._termination.events
        return None

    # -- leader ---------------------------------------------------------------------------------------------------

    def _leader(self, environment: Environment | None) -> dict[str, Any]:
        """Who led the deployment that runs, when that is asked for and can be known."""
        if environment is None or self.check_mode or self.clients is None or "leader" not in self.params["gather"]:
            return {}
        if not environment.get("EnvironmentId") or environment.get("Status") != "Ready":
            return {}
        ec2 = functools.partial(self.clients, "ec2")
        try:
            return ask_leader(self.client, ec2, environment, self.instances, self.events, self.params["poll_interval"])
        except AnsibleBeanstalkError as error:
            # What was deployed was verified before; this only reports.
            self._warn(f"The leader could not be asked for: {error}")
            return leader_unknown(str(error))

    # -- result ---------------------------------------------------------------------------------------------------

    def _result(self, environment: Environment | None) -> dict[str, Any]:
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for diff in self.diffs:
            before.update(diff["before"])
            after.update(diff["after"])
        return {
            "environment": environment_out(environment, api.region_of(self.client)) if environment else None,
            "instances": [instance_out(item) for item in self.instances or []],
            "events": [event_out(event) for event in self.events],
            "actions": self.actions,
            "diff": {"before": before, "after": after},
        }
