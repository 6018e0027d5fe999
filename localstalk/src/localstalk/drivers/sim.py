# SPDX-License-Identifier: GPL-3.0-or-later
"""A driver without containers: instances exist in memory only, and fail when they are told to.

Nothing here blocks or takes real time; the workflows add the seconds that a command would take on their own clock.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

from localstalk.driver import (
    ApiOpener,
    Command,
    CommandResult,
    CommandStatus,
    DriverError,
    Generation,
    HealthCheck,
    InstanceAddresses,
    InstanceEvent,
    InstanceSpec,
    Load,
    Probe,
    ShellResult,
)
from localstalk.engine.deployment_log import OPERATIONS
from localstalk.engine.election import COMMAND_NAME
from localstalk.engine.request import ACCOUNT
from localstalk.engine.request import Instance as Identity

_DEPLOYED = InstanceEvent("INFO", "Instance deployment completed successfully.")
_FAILED = InstanceEvent("ERROR", "Instance deployment failed. For details, see 'eb-engine.log'.")


@dataclass
class _Instance:
    spec: InstanceSpec
    address: str
    number: int
    http_status: int | None = None
    load: Load = field(default_factory=lambda: Load(1.0))
    running: bool = True
    log: list[str] = field(default_factory=list)
    deployment_log: tuple[str, str] = ("", "")
    """Name and text of the last one."""

    def note(self, *lines: str, level: str = "INFO") -> None:
        """Write into eb-engine.log."""
        self.log += [f"{datetime.now(UTC):%Y/%m/%d %H:%M:%S.%f} [{level}] {line}" for line in lines]

    def open_deployment_log(self, command: Command) -> None:
        """Begin the deployment log of a command, unless it has begun."""
        if self.deployment_log[0] != command.deployment_log:
            self.deployment_log = (command.deployment_log, _deployment_line("INFO", command, "Starting {}"))

    def log_deployment(self, level: str, command: Command, text: str) -> None:
        """Write into the deployment log."""
        name, written = self.deployment_log
        self.deployment_log = (name, written + _deployment_line(level, command, text))


@dataclass
class Failure:
    """A command that is to end badly. ``instance_id`` or ``environment_id`` narrow it; ``times`` counts down."""

    command: str = "app-deploy"
    status: CommandStatus = "FAILURE"
    instance_id: str | None = None
    environment_id: str | None = None
    version_label: str | None = None
    nth: int | None = None
    """The n-th instance of its environment, counted from 1 over the environment's life."""
    times: int | None = None
    events: tuple[InstanceEvent, ...] = (_FAILED,)

    def matches(self, instance: _Instance, command: Command) -> bool:
        """Whether this failure hits ``command`` on ``instance``."""
        wanted = (
            (self.command, command.name),
            (self.instance_id, instance.spec.instance_id),
            (self.environment_id, instance.spec.environment_id),
            (self.version_label, command.version_label),
            (self.nth, instance.number),
        )
        return self.times != 0 and all(want is None or want == have for want, have in wanted)


class SimDriver:
    """Instances in memory; deterministic under ``seed``."""

    name = "sim"

    def __init__(self, home: Path, runtime: Path, speed: float, seed: int = 0) -> None:
        self.home = home
        self.runtime = runtime
        self.speed = speed
        self.random = random.Random(seed)  # noqa: S311 - repeatable runs are the point
        self.failures: list[Failure] = []
        self.launch_failures: list[str] = []
        self._lock = threading.RLock()
        self._instances: dict[str, _Instance] = {}
        self._launched: dict[str, int] = {}
        self._targets: dict[str, set[str]] = {}
        self._names: dict[str, str] = {}
        self.weights: dict[str, dict[str, int]] = {}
        self._leaders: dict[str, str] = {}
        self._addresses = 0

    def offer_api(self, opener: ApiOpener) -> None:
        """Nothing: a simulated instance asks nobody."""

    def refusal(self, branch: str, generation: Generation) -> str | None:
        """Every platform can be simulated."""
        return None

    def launch(self, spec: InstanceSpec) -> InstanceAddresses:
        """Remember an instance; raises :class:`DriverError` when told to fail."""
        with self._lock:
            if self.launch_failures:
                raise DriverError(self.launch_failures.pop(0))
            known = self._instances.get(spec.instance_id)
            if known is None:
                self._addresses += 1
                number = self._launched[spec.environment_id] = self._launched.get(spec.environment_id, 0) + 1
                high, low = divmod(self._addresses, 65536)
                known = _Instance(spec, f"10.{high % 256}.{low // 256}.{low % 256}", number)
                known.note("Starting EBPlatform-PlatformEngine")
                self._instances[spec.instance_id] = known
            return InstanceAddresses(known.address, known.address)

    def terminate(self, instance_id: str) -> None:
        """Forget an instance."""
        with self._lock:
            self._instances.pop(instance_id, None)
            for targets in self._targets.values():
                targets.discard(instance_id)

    def run(self, instance_id: str, command: Command) -> CommandResult:
        """Answer as the engine would, at once."""
        with self._lock:
            instance = self._instance(instance_id)
            if command.name == "tail-log":
                return CommandResult(instance_id, "SUCCESS", output=_tail(instance))
            if command.name == "bundle-log":
                return CommandResult(instance_id, "SUCCESS", archive=_bundle(instance))
            leader = self._elect(instance_id, command) if command.name == "app-deploy" else None
            instance.open_deployment_log(command)
            instance.note(*_log_lines(instance.spec, command, leader))
            for failure in self.failures:
                if failure.matches(instance, command):
                    return self._fail(instance, command, failure, leader)
            instance.log_deployment("INFO", command, "Completed {}")
            instance.http_status = 200
            events = (_DEPLOYED,) if command.name != "restart-app-server" else ()
            return CommandResult(instance_id, "SUCCESS", 0, "Engine execution has succeeded.", leader, events)

    def _fail(self, instance: _Instance, command: Command, failure: Failure, leader: bool | None) -> CommandResult:
        if failure.times is not None:
            failure.times -= 1
        text = f"An error occurred during execution of command [{command.name}]. Stop running the command."
        instance.note(text, level="ERROR")
        instance.log_deployment("ERROR", command, "{} failed")
        if failure.status == "TIMEOUT":
            return CommandResult(instance.spec.instance_id, "TIMEOUT", leader=leader)
        output = "Engine execution has encountered an error."
        return CommandResult(instance.spec.instance_id, failure.status, 1, output, leader, failure.events)

    def deployment_log(self, instance_id: str, command: Command) -> bytes:
        """The log of the last command, or how that of one begins that has yet to end."""
        with self._lock:
            instance = self._instance(instance_id)
            instance.open_deployment_log(command)
            return instance.deployment_log[1].encode()

    def _elect(self, instance_id: str, command: Command) -> bool:
        if not command.elects_leader:
            return False
        return self._leaders.setdefault(command.invocation_id, instance_id) == instance_id

    def _instance(self, instance_id: str) -> _Instance:
        try:
            return self._instances[instance_id]
        except KeyError:
            raise DriverError(f"There is no instance {instance_id}.") from None

    def shell(self, instance_id: str, script: str, timeout: float) -> ShellResult:
        """No shell here: answers as a machine on which nothing is installed."""
        self._instance(instance_id)
        return ShellResult(127, "", "the sim driver has no instance to run a script on\n")

    def probe(self, instance_id: str, path: str) -> Probe:
        """The status that was set, 200 after a deployment."""
        with self._lock:
            instance = self._instances.get(instance_id)
            if instance is None or not instance.running:
                return Probe(None, False)
            return Probe(instance.http_status, True)

    def loads(self, instance_ids: Sequence[str]) -> Mapping[str, Load]:
        """The load that was set; nobody visits by themselves."""
        with self._lock:
            found = {each: self._instances.get(each) for each in instance_ids}
            return {each: one.load for each, one in found.items() if one is not None and one.running}

    def set_instance(
        self, instance_id: str, *, http_status: int | None = 200, running: bool = True, load: Load | None = None
    ) -> None:
        """Change what the instance answers from now on (faults, tests)."""
        with self._lock:
            instance = self._instance(instance_id)
            instance.http_status, instance.running, instance.load = http_status, running, load or Load(1.0)

    def create_load_balancer(self, environment_id: str, health_check: HealthCheck) -> str:
        """Nothing listens there: the address is a documentation address (RFC 5737)."""
        with self._lock:
            self._targets.setdefault(environment_id, set())
            return "192.0.2.1"

    def delete_load_balancer(self, environment_id: str) -> None:
        """Forget the targets."""
        with self._lock:
            self._targets.pop(environment_id, None)
            self.weights.pop(environment_id, None)

    def configure_load_balancer(self, environment_id: str, health_check: HealthCheck) -> None:
        """Health checks need no settings here."""

    def register(self, environment_id: str, instance_id: str) -> None:
        """Make the instance a target."""
        with self._lock:
            self._targets.setdefault(environment_id, set()).add(instance_id)

    def deregister(self, environment_id: str, instance_id: str) -> None:
        """Drop the target."""
        with self._lock:
            self._targets.get(environment_id, set()).discard(instance_id)

    def weigh(self, environment_id: str, weights: Mapping[str, int]) -> None:
        """Remember the weights."""
        with self._lock:
            self.weights[environment_id] = dict(weights)

    def healthy_targets(self, environment_id: str) -> frozenset[str]:
        """Targets that run and answer 200."""
        with self._lock:
            return frozenset(target for target in self._targets.get(environment_id, ()) if self._healthy(target))

    def _healthy(self, instance_id: str) -> bool:
        instance = self._instances.get(instance_id)
        return instance is not None and instance.running and instance.http_status == 200

    def point(self, fqdn: str, environment_id: str) -> None:
        """Let a name lead to an environment."""
        with self._lock:
            self._names[fqdn.lower()] = environment_id

    def unpoint(self, fqdn: str) -> None:
        """Forget a name."""
        with self._lock:
            self._names.pop(fqdn.lower(), None)

    def leads_to(self, fqdn: str) -> str | None:
        """Id of the environment that a name leads to."""
        with self._lock:
            return self._names.get(fqdn.lower())

    def url(self, fqdn: str) -> str | None:
        """The name itself: there is no proxy, so nothing answers there."""
        with self._lock:
            return f"http://{fqdn}/" if fqdn.lower() in self._names else None

    def database(self, name: str) -> dict[str, str]:
        """Always fails: a database needs containers."""
        raise DriverError("The sim driver has no database; start localstalk with the container driver.")

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._instances.clear()
            self._targets.clear()
            self._names.clear()


def _log_lines(spec: InstanceSpec, command: Command, leader: bool | None) -> list[str]:
    """The lines of eb-engine.log that tell of the command, its version and its election (elastic_beanstalk.md §5.5)."""
    lines = ["Starting EBPlatform-PlatformEngine", f"Engine command: ({command.name})"]
    if command.name == "app-deploy":
        lines.append(
            f"Downloading: bucket: {command.bundle_key.partition('/')[0]}, object: resources/environments/"
            f"{spec.environment_id}/_runtime/_versions/{spec.application_name}/{command.version_label}, "
            f"expected bucket owner: {ACCOUNT}"
        )
    if leader is not None:
        lines += ["Executing instruction: ElectLeader", f"Running leader election for instance {spec.instance_id}..."]
        if command.elects_leader:
            lines += ["Calling the cfn-elect-cmd-leader to elect the command leader.", _election(spec, command)]
        lines.append("Instance is Leader." if leader else "Instance is NOT Leader.")
    return lines


def _deployment_line(level: str, command: Command, text: str) -> str:
    line = text.format(OPERATIONS.get(command.name, command.name))
    return f"{datetime.now(UTC):%Y/%m/%d %H:%M:%S.%f} [{level}] {line}\n"


def _election(spec: InstanceSpec, command: Command) -> str:
    return (
        f"Running command: /opt/aws/bin/cfn-elect-cmd-leader --stack {_identity(spec).stack_arn} --command-name "
        f"{COMMAND_NAME} --invocation-id {command.invocation_id} --listener-id {spec.instance_id} "
        f"--region {spec.region}"
    )


def _identity(spec: InstanceSpec) -> Identity:
    return Identity(**{each.name: getattr(spec, each.name) for each in fields(Identity)})


def _tail(instance: _Instance) -> str:
    rule = "-" * 40
    return "\n".join([rule, "/var/log/eb-engine.log", rule, *instance.log[-100:], ""])


def _bundle(instance: _Instance) -> bytes:
    import io
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("var/log/eb-engine.log", "\n".join([*instance.log, ""]))
    return buffer.getvalue()
