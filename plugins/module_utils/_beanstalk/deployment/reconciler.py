# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Make an environment be as the user wants it: create, update only what differs, or terminate; and verify it."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

from ..core import api, cnames, tags
from ..core.errors import (
    AnsibleBeanstalkError,
    AnsibleBeanstalkRefusedError,
    AnsibleBeanstalkWaitError,
    already_exists,
    error_code,
    is_busy,
    is_missing,
    is_unreadable,
)
from ..core.names import own_bucket
from ..core.transformations import environment_out, event_out, instance_out, tags_out
from ..core.waiters import Deadline, request_id
from ..environment import secret_references
from ..environment.cache import EnvironmentCache
from ..environment.settings import EnvironmentSettings
from ..lock.lease import stopped_sentence
from ..observe.deployment_log import DeploymentLog, deployment_log
from ..observe.failure import explained
from ..observe.lookup import check_may_terminate, check_names_free, find_environment
from ..observe.verification import State, Verdict
from ..observe.verifier import NotVerifiedError, Verifier, warnings_of
from ..option_settings import shortcuts
from ..platform import resolution
from ..run.effects import Acquire, Background, Call, Observe, Pause, ReadLock, Release
from ..run.engine import Services
from ..run.progress import ItemProgress
from .create import create_call, create_diff, predicted
from .history import noted
from .leader import ask_leader, leader_unknown
from .operation import Flow, Operation
from .plan import Plan, Planner, check_params, update_calls
from .version import EnvironmentVersion

Environment = dict[str, Any]

_PURPOSE = "deploy: "
"""What the reason of a deployment's lock begins with."""

_MEANWHILE = ("EnvironmentId", "DateUpdated", "VersionLabel", "Status")
"""Whatever somebody else's operation changes of an environment."""


class EnvironmentReconciler:
    """One wanted environment; ``params`` are those of the module ``environment``. :meth:`run` is the reconciler.

    The order of an update: observe, plan, make the version, take the lock, see whether anything is another than it was,
    update, watch and verify, free the lock, ask for the leader.
    """

    def __init__(self, services: Services, params: Mapping[str, Any], check_mode: bool, progress: ItemProgress) -> None:
        self.actions: list[str] = []
        self._warnings: list[str] = []
        self._services, self._client, self._params = services, services.eb, params
        self._check_mode, self._progress = check_mode, progress
        self._deadline = Deadline(params["wait_timeout"], params["poll_interval"], clock=services.clock.now)
        self._wanted = shortcuts.option_settings(params)
        self._settings = EnvironmentSettings(self._client, params, self._wanted, services.clients.get)
        self._planner = Planner(self._client, params, self._settings)
        self._version = EnvironmentVersion(self._client, services.clients.get, params, check_mode, self._deadline)
        self._locked = False
        self._before: Environment | None = None
        self._observed = 0.0
        self._bucket = ""
        self._redeployed = False
        self._followed: Environment = {}
        self._events: list[dict[str, Any]] = []
        self._instances: list[dict[str, Any]] | None = None
        self._diffs: list[dict[str, Any]] = []

    @property
    def warnings(self) -> list[str]:
        """What the user should know, as sentences."""
        return [*self._warnings, *self._planner.warnings, *self._settings.warnings]

    def run(self) -> Flow:
        """The reconciler; it returns the module's result."""
        check_params(self._params)
        environment = yield from self._find()
        if self._params["state"] == "absent":
            environment = yield from self._ensure_absent(environment)
        elif environment is None:
            environment = yield from self._create()
        else:
            self._before = dict(environment)
            environment = yield from self._update(environment)
            if not (self.actions or self._check_mode):
                yield Call(functools.partial(self._settings.unchanged, environment))
                yield from self._end_stopped_run(environment)
        if environment is not None and not self._check_mode:
            hints = EnvironmentCache(self._client, environment)
            hints.note_password(self._wanted)
            hints.note_end(environment)
        if self._locked:
            record = yield from self._history(environment)
            yield Release(self._params["application"], self._logical, self._bucket, record)
        leader = yield from self._leader(environment)
        return {**self._result(environment), **leader, "changed": bool(self.actions)}

    def _history(self, environment: Environment | None) -> Flow:
        """The record of the lock with what was deployed, None where that has nothing to say of it."""
        if environment is None or not self._params["wait"]:
            return None
        place = (self._params["application"], self._logical, self._services.clock.now(), self._bucket)
        try:
            reading = yield ReadLock(*place)
        except AnsibleBeanstalkError as error:
            self._warnings.append(f"What was live when was not noted: {error}")
            return None
        at = self._services.clock.now() + reading.offset
        description = self._params["version_description"] or ""
        owner = reading.lease.owner or self._services.owner
        return noted(reading.lease.record, self._before, environment, owner=owner, at=at, description=description)

    # -- find and lock ----------------------------------------------------------------------------------------------

    def _find(self) -> Flow:
        """The environment that the parameters name, as it is now."""
        snapshot = yield Observe(self._params["application"], self._services.clock.now(), events=False)
        self._observed = snapshot.environments_at
        found = list(snapshot.environments.values())
        environment = yield Call(lambda: find_environment(self._client, self._params, lambda: found))
        return environment

    def _changed_meanwhile(self, environment: Environment | None, reason: str) -> Flow:
        """Take the lock before the first write; whether the environment is another than the one decided about.

        ``reason`` is what is going to be done, for those who wait or come after a run that was killed.
        """
        lock = self._params.get("lock")
        if lock is None or self._locked:
            return False, environment
        if not self._logical:
            message = "lock needs cname_prefix, which names the logical environment, or the name of a worker."
            raise AnsibleBeanstalkRefusedError(message=message)
        arn = str((environment or {}).get("EnvironmentArn") or "")
        try:
            got = yield self._acquire(lock["bucket"] or own_bucket(arn), reason)
        except AnsibleBeanstalkError as error:
            if lock["bucket"] or error_code(error) != "NoSuchBucket":
                raise
            got = yield self._acquire("", reason)
        self._locked = True
        if got.stopped:
            self._progress.tell("RESUME", f"{got.stopped}; this run goes on from what Elastic Beanstalk has")
        if got.since <= self._observed:
            return False, environment
        found = yield from self._find()
        return any((found or {}).get(key) != (environment or {}).get(key) for key in _MEANWHILE), found

    def _end_stopped_run(self, environment: Environment) -> Flow:
        """Take the lock of a deployment that was killed after its request, of which nothing is left to be done."""
        if self._params.get("lock") is None or not (self._logical and self._params["wait"]):
            return
        if EnvironmentCache(self._client, environment).ended(environment):
            return
        bucket = self._params["lock"]["bucket"] or own_bucket(str(environment.get("EnvironmentArn") or ""))
        try:
            reading = yield ReadLock(self._params["application"], self._logical, self._observed, bucket)
            lease = reading.lease
            state = lease.state("", self._services.clock.now() + reading.offset)
            if not (lease.reason.startswith(_PURPOSE) and stopped_sentence(lease, "", state)):
                return
            yield from self._changed_meanwhile(environment, f"{environment['EnvironmentName']} runs what is wanted")
        except AnsibleBeanstalkError:
            return  # there is no lock, or it is somebody's who will see to it
        noted_last = [entry.get("label") for entry in lease.record.get("ledger", ())][-1:]
        self._before = {**environment, "VersionLabel": (noted_last or [environment.get("VersionLabel")])[0]}

    @property
    def _logical(self) -> str:
        """What the lock is called: the CNAME's prefix, or the name of a worker, which has none; "" for neither."""
        worker = self._params["name"] if self._params["tier"] == "Worker" else ""
        return str(self._params.get("cname_prefix") or worker or "")

    def _acquire(self, bucket: str, reason: str) -> Acquire:
        lock = self._params["lock"]
        self._bucket = bucket
        return Acquire(
            self._params["application"],
            self._logical,
            self._progress.fit(f"{_PURPOSE}{reason}"),
            bucket=bucket,
            owner=lock["owner"] or "",
            ttl=lock["ttl"],
            wait=lock["wait_timeout"],
        )

    def _when_ready(self, environment: Environment) -> Flow:
        """What the parameters name when somebody's operation has ended: it may have been a swap of CNAMEs."""
        environment_id, application = environment["EnvironmentId"], self._params["application"]
        at = self._services.clock.now()
        while True:
            name, status = environment.get("EnvironmentName"), environment.get("Status")
            waiting_for = f"another operation on the environment {name} to end; its status is {status}"
            snapshot = yield Observe(application, at, waiting_for, events=False)
            found = snapshot.environments.get(environment_id)
            if found is None:
                raise AnsibleBeanstalkWaitError(f"The environment {name} was terminated meanwhile", {})
            environment = dict(found)
            self._observed = snapshot.environments_at
            if found.get("Status") == "Ready":
                break
            if self._deadline.over:
                raise AnsibleBeanstalkWaitError(
                    f"The environment {name} was not Ready within {self._deadline.timeout:.0f} seconds: another "
                    f"operation is running, its status is {found.get('Status')}",
                    {"environment": environment_out(found, api.region_of(self._client))},
                )
            at = self._services.clock.now() + self._deadline.interval
        if not self._params.get("cname_prefix"):
            return environment
        return (yield from self._find()) or environment

    # -- create -----------------------------------------------------------------------------------------------------

    def _create(self) -> Flow:
        params = self._params
        if params["environment_id"]:
            raise AnsibleBeanstalkRefusedError(message=f"There is no environment {params['environment_id']}.")
        if not params["name"] or not params["platform"]:
            raise AnsibleBeanstalkRefusedError(
                message=f"The application {params['application']} has no such environment; "
                "name and platform are needed to create one."
            )
        if params["cname_prefix"] and cnames.is_generated(params["cname_prefix"]):
            text = cnames.not_created_sentence(params["application"], params["cname_prefix"])
            raise AnsibleBeanstalkRefusedError(message=text)
        yield Call(lambda: check_names_free(self._client, params))
        yield from self._provide_version(None)
        platform = yield Call(lambda: resolution.choose(self._client, params["platform"]))
        yield Call(lambda: secret_references.check_platform(self._client, self._wanted, platform))
        if not self._check_mode:
            _changed, found = yield from self._changed_meanwhile(None, self._creation)
            if found is not None:
                return (yield from self._update(found))
        answer = predicted(params, platform)
        if not self._check_mode:
            yield Call(lambda: self._settings.before(None))
            answer = yield from self._request_creation(create_call(params, platform, self._wanted))
        self.actions.append("create")
        self._diffs.append({"before": {}, "after": create_diff(params, platform, self._wanted)})
        if self._check_mode:
            return answer
        try:
            made = yield from self._watch(answer, params["version_label"], quiet=False)
            return (yield from self._settle(made))
        except AnsibleBeanstalkError as error:
            if not (yield from self._goes_on(error)):
                raise (yield from self._told(error, str(answer["EnvironmentId"]))) from error
        return (yield from self._update(answer))

    @property
    def _creation(self) -> str:
        label = self._params["version_label"]
        return f"creating the environment {self._params['name']}{f' with version {label}' if label else ''}"

    def _request_creation(self, call: Mapping[str, Any]) -> Flow:
        self._progress.tell("CREATE", self._creation)
        try:
            return (yield Call(lambda: api.create_environment(self._client, **call)))
        except AnsibleBeanstalkError as error:
            if (yield from self._restore_version(error)):
                return (yield from self._request_creation(call))
            # The first request may have been carried out although its answer was lost.
            found = (yield from self._find()) if already_exists(error) else None
            if found is None or found.get("Status") != "Launching":
                raise self._explained(error) from error
            return found

    # -- update -----------------------------------------------------------------------------------------------------

    def _update(self, environment: Environment) -> Flow:
        while True:
            while environment.get("Status") != "Ready" and not self._check_mode:
                environment = yield from self._when_ready(environment)
            plan = yield Call(functools.partial(self._planner.plan, environment))
            if plan.empty and not (yield from self._plan_redeploy(environment, plan)):
                environment = yield from self._when_ready(environment)
                continue
            if plan.empty:
                return environment
            if "update_version" in plan.actions:
                yield from self._provide_version(environment)
            if self._check_mode:
                yield from self._note(plan)
                return self._predicted(environment)
            changed, found = yield from self._changed_meanwhile(environment, plan.sentence(environment))
            if changed:
                if found is None:
                    return (yield from self._create())
                environment = found
                continue
            environment, done = yield from self._attempt(environment, plan)
            if done:
                return environment

    def _attempt(self, environment: Environment, plan: Plan) -> Flow:
        """Carry a plan out; the environment afterwards, and whether nothing is left to do or to verify."""
        self._redeployed |= "redeploy" in plan.actions
        try:
            environment = yield from self._carry_out(environment, plan)
        except AnsibleBeanstalkError as error:
            if not (yield from self._goes_on(error)):
                # Somebody else was quicker: wait in line, then observe again what is still to do.
                if not is_busy(error) or self._deadline.over:
                    raise (yield from self._told(self._explained(error), environment["EnvironmentId"])) from error
                yield Pause(self._services.clock.now() + self._deadline.interval)
            return (yield from self._when_ready(environment)), False
        # New tags alone were waited for, but no deployment was.
        return environment, bool(plan.update) or not self._params["wait"]

    def _carry_out(self, environment: Environment, plan: Plan) -> Flow:
        noted = False
        sets = "update_settings" in plan.actions
        if sets:
            yield Call(functools.partial(self._settings.before, environment))
        calls = update_calls(plan.update)
        while calls:
            call = calls.pop(0)
            request = functools.partial(api.update_environment, self._client, environment["EnvironmentId"], **call)
            self._progress.tell("UPDATE", plan.sentence(environment))
            try:
                answer = yield Call(request)
            except AnsibleBeanstalkError as error:
                # Version and settings in one call: the API reference has it as an error, the service takes it.
                together = len(call) > 1 and "VersionLabel" in call and not is_unreadable(error)
                if error_code(error) != "InvalidParameterCombination" or not together:
                    raise
                rest = {key: value for key, value in call.items() if key != "VersionLabel"}
                calls[:0] = [rest, {"VersionLabel": call["VersionLabel"]}]
                continue
            if not noted:
                yield from self._note(plan)
                noted = True
            label = self._params["version_label"] if "VersionLabel" in call else None
            label = label or environment.get("VersionLabel")
            environment = yield from self._watch(answer, label, quiet="VersionLabel" in call)
        if plan.tag_plan is not None and "tags" in plan.tracker.names:
            self._progress.tell("TAG", f"changing tags of the environment {environment['EnvironmentName']}")
            yield Call(functools.partial(tags.apply_tags, self._client, environment["EnvironmentArn"], plan.tag_plan))
            if not noted:
                yield from self._note(plan)
            if self._params["wait"]:
                yield Pause(self._services.clock.now() + 1)
                environment = yield from self._when_ready(environment)
        return (yield from self._settle(environment)) if sets else environment

    def _settle(self, environment: Environment) -> Flow:
        """See what became of settings that were sent, once that is over."""
        if self._params["wait"] and self._wanted:
            yield Call(functools.partial(self._settings.after, environment))
        return environment

    def _provide_version(self, environment: Environment | None) -> Flow:
        """Make the version of its bundle, before anybody is kept waiting by the lock."""
        if self._params["src"] and self._params["version_label"] and not self._check_mode:
            self._progress.tell("VERSION", f"providing the version {self._params['version_label']}")
        if (yield Background(functools.partial(self._version.provide, environment))):
            self.actions.append("create_version")

    def _restore_version(self, error: AnsibleBeanstalkError) -> Flow:
        """Whether a version or bundle that is gone was made again; then what needed it is worth another attempt."""
        done = yield Background(functools.partial(self._version.restore, error))
        self.actions += [done] if done else []
        return bool(done)

    def _predicted(self, environment: Environment) -> Environment:
        label = self._params["version_label"] or environment.get("VersionLabel")
        described = (
            environment
            if self._params["description"] is None
            else {
                **environment,
                "Description": self._params["description"],
            }
        )
        return {**described, "VersionLabel": label}

    def _note(self, plan: Plan) -> Flow:
        self.actions += plan.actions
        running = plan.tracker.diff()["before"].get("version_label")
        if "version_label" in plan.tracker.names and running:
            for kind, names in (yield Background(functools.partial(self._version.changes, running))).items():
                plan.tracker.add(kind, {}, names)
        self._diffs.append(plan.tracker.diff())

    # -- verify -----------------------------------------------------------------------------------------------------

    @property
    def _may_redeploy(self) -> bool:
        """Whether the version is known, and was not deployed again in this run yet."""
        return bool(self._params["version_label"]) and not self._redeployed

    def _goes_on(self, error: AnsibleBeanstalkError) -> Flow:
        """Whether an operation that did not bring about what was wanted leaves something that may."""
        if (yield from self._restore_version(error)):
            return True
        behind = isinstance(error, NotVerifiedError) and error.verdict.state is State.REDEPLOY
        return behind and self._may_redeploy

    def _plan_redeploy(self, environment: Environment, plan: Plan) -> Flow:
        """Where nothing differs, verify: what is behind is deployed again; whether there is a verdict.

        A verdict that asks for no deployment, and is not good, is an error where it is waited for.
        """
        label = self._params["version_label"] or environment.get("VersionLabel")
        verifier = Verifier(self._client, label, scaling=self._services.scaling)
        verdict = yield from self._verify_unchanged(environment, verifier)
        self._instances = verifier.instances
        if verdict is None:
            return False
        if verdict.state is State.VERIFIED:
            self._warnings += warnings_of(environment, verdict)
        elif verdict.state is State.REDEPLOY and self._may_redeploy:
            plan.redeploy(self._params["version_label"], verdict)
        else:
            error = not_verified(environment, verifier, hint=not self._params["version_label"])
            if self._params["wait"] and not (self._check_mode and verdict.state is State.WAITING):
                raise (yield from self._told(error, environment["EnvironmentId"]))
            self._warnings.append(f"{error.message}.")
        return True

    def _verify_unchanged(self, environment: Environment, verifier: Verifier) -> Flow:
        """Judge it, once or until the verdict is final; None when an operation began meanwhile."""
        once = self._check_mode or not self._params["wait"]
        while once or environment.get("Status") == "Ready":
            poll = functools.partial(verifier.poll, dict(environment), over=once or self._deadline.over)
            verdict: Verdict | None = yield Call(poll)
            if verdict is not None:
                return verdict
            waiting_for = f"a verdict on {environment['EnvironmentName']}: {verifier.verdict.reason}"
            at = self._services.clock.now() + self._deadline.interval
            snapshot = yield Observe(self._params["application"], at, waiting_for, events=False)
            found = snapshot.environments.get(environment["EnvironmentId"])
            if found is None:
                return None
            environment.update(found)
        return None

    def _watch(self, answer: Environment, label: str | None, *, quiet: bool) -> Flow:
        if not self._params["wait"]:
            return answer
        self._followed = answer
        operation = Operation(
            self._services, self._progress, self._params["application"], answer, label, self._deadline
        )
        # A short interval is for local tests, where a deployment may be over in a second.
        hints = EnvironmentCache(self._client, answer)
        unhurried = quiet and self._deadline.interval >= 5
        try:
            yield from operation.follow(quiet=unhurried, expected=hints.seconds if unhurried else None)
        finally:
            self._events += operation.seen
        if unhurried:
            hints.note_seconds(operation.seconds)
        if self._settings.right:
            self._settings.note(operation.environment)
        self._instances = operation.instances
        self._warnings += operation.warnings
        return operation.environment

    def _told(self, error: AnsibleBeanstalkError, environment_id: str) -> Flow:
        """A failure with what somebody would look for next; in check mode without what would have to be requested."""
        if not isinstance(error, AnsibleBeanstalkWaitError):
            return error
        interval, request = self._params["poll_interval"], not self._check_mode
        told = functools.partial(explained, self._client, error, environment_id, interval, list(self.actions))
        return (yield Background(functools.partial(told, request=request, deployment_log=self._deployment_log)))

    def _deployment_log(self) -> DeploymentLog | None:
        """Elastic Beanstalk's own log of the operation that was followed last."""
        request, bucket = request_id(self._followed), own_bucket(str(self._followed.get("EnvironmentArn") or ""))
        if not (request and bucket):
            return None
        return deployment_log(self._services.clients.get("s3"), bucket, self._followed["EnvironmentId"], request)

    def _explained(self, error: AnsibleBeanstalkError) -> AnsibleBeanstalkError:
        if is_missing(error) and self._params["version_label"] and "Version" in str(error):
            return AnsibleBeanstalkError(
                message=f"The application {self._params['application']} has no version "
                f"{self._params['version_label']}; make it with the application_version module."
            )
        return error

    # -- terminate ----------------------------------------------------------------------------------------------------

    def _ensure_absent(self, environment: Environment | None) -> Flow:
        if environment is None:
            return None
        if environment.get("Status") == "Terminating":
            if not self._check_mode:
                yield from self._watch_end(environment)
            return None
        reason = _termination(environment)
        if not self._check_mode and (yield from self._changed_meanwhile(environment, reason))[0]:
            raise AnsibleBeanstalkRefusedError(
                message=f"The environment {environment['EnvironmentId']} was changed by somebody else meanwhile."
            )
        yield Call(functools.partial(self._check_may_terminate, environment))
        answer = environment if self._check_mode else (yield from self._request_termination(environment))
        self.actions.append("terminate")
        self._diffs.append({"before": {"environment": environment["EnvironmentId"]}, "after": {}})
        if not self._check_mode:
            yield from self._watch_end(answer)
        return None

    def _check_may_terminate(self, environment: Environment) -> None:
        known = tags_out(api.list_tags(self._client, environment.get("EnvironmentArn") or ""))
        check_may_terminate(self._client, environment, known, self._params["cname_prefix"])

    def _request_termination(self, environment: Environment) -> Flow:
        self._progress.tell("TERMINATE", _termination(environment))
        while True:
            try:
                return (yield Call(lambda: api.terminate_environment(self._client, environment["EnvironmentId"])))
            except AnsibleBeanstalkError as error:
                if not is_busy(error) or self._deadline.over:
                    raise
            yield Pause(self._services.clock.now() + self._deadline.interval)
            yield from self._when_ready(environment)

    def _watch_end(self, answer: Environment) -> Flow:
        if self._params["wait"]:
            application = self._params["application"]
            operation = Operation(self._services, self._progress, application, answer, None, self._deadline)
            yield from operation.follow_end()
            self._events += operation.seen

    # -- result -------------------------------------------------------------------------------------------------------

    def _leader(self, environment: Environment | None) -> Flow:
        """Who led the deployment that runs, when that is asked for and can be known."""
        if environment is None or self._check_mode or not self._params["gather_leader"]:
            return {}
        if not environment.get("EnvironmentId") or environment.get("Status") != "Ready":
            return {}
        interval = self._params["poll_interval"]
        ec2 = functools.partial(self._services.clients.get, "ec2")
        ask = functools.partial(ask_leader, self._client, ec2, environment, self._instances, self._events, interval)
        try:
            return (yield Background(ask))
        except AnsibleBeanstalkError as error:
            # What was deployed was verified before; this only reports.
            self._warnings.append(f"The leader could not be asked for: {error}")
            return leader_unknown(str(error))

    def _result(self, environment: Environment | None) -> dict[str, Any]:
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for diff in self._diffs:
            before.update(diff["before"])
            after.update(diff["after"])
        return {
            "environment": environment_out(environment, api.region_of(self._client)) if environment else None,
            "instances": [instance_out(item) for item in self._instances or []],
            "events": [event_out(event) for event in self._events],
            "actions": self.actions,
            "diff": {"before": before, "after": after},
        }


def _termination(environment: Environment) -> str:
    return f"terminating the environment {environment['EnvironmentName']}"


def not_verified(environment: Environment, verifier: Verifier, *, hint: bool) -> NotVerifiedError:
    """The error for an environment that needs no change and is not as it should be.

    ``hint``: say that the version would be deployed again if it were named.
    """
    verdict = verifier.verdict
    text = f"The environment {environment['EnvironmentName']} needs no change, but {verdict.reason}"
    if hint and verdict.state is State.REDEPLOY:
        text += "; name the version_label that it shall run, to have it deployed again"
    return NotVerifiedError(text, verifier.report(environment, []), verdict)
