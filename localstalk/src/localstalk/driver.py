# SPDX-License-Identifier: GPL-3.0-or-later
"""The contract between the control plane (API, workflows) and whatever carries out instances and load balancers.

Every method may block (the control plane calls them from a thread pool, never under its lock) and must be safe to
call from several threads at once. Methods that create are idempotent per id; methods that remove are silent when
the thing is already gone. A failure of the machinery itself (not of the user's bundle) raises :class:`DriverError`
with one sentence a user can act on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Generation = Literal["al2023", "al2", "al1"]
CommandName = Literal["app-deploy", "config-deploy", "restart-app-server", "tail-log", "bundle-log"]
CommandStatus = Literal["SUCCESS", "FAILURE", "TIMEOUT"]


class DriverError(Exception):
    """The driver cannot do what it was asked; the text is one sentence for the user."""


@dataclass(frozen=True)
class InstanceSpec:
    """One EC2 instance that an environment wants to have.

    ``instance_id`` is EC2's (``i-`` and 17 hex digits), ``generation`` the platform generation that decides which
    engine sequence runs on it.
    """

    instance_id: str
    environment_id: str
    environment_name: str
    application_name: str
    region: str
    generation: Generation
    account: str
    instance_profile: str = ""
    """Name of the IAM instance profile (``aws:autoscaling:launchconfiguration`` IamInstanceProfile)."""
    imds_v1: bool = True
    """Whether the metadata service answers without a token (DisableIMDSv1 is false)."""
    branch: str = "Docker running on 64bit Amazon Linux 2023"
    """Name of the platform branch, which decides what an application is."""


ApiOpener = Callable[[InstanceSpec, Path], Callable[[], None]]
"""Serves AWS's API to one instance on a unix socket at that path; what it returns closes the socket again."""


@dataclass(frozen=True)
class InstanceAddresses:
    """Where an instance can be reached; addresses as text. ``public_ip`` is the same as ``private_ip`` locally."""

    private_ip: str
    public_ip: str


@dataclass(frozen=True)
class Command:
    """One command of EB's engine, sent to one instance.

    All instances of one invocation share ``invocation_id``: leader election happens per invocation (the first
    instance to ask is the leader, docs/elastic_beanstalk.md §7). ``bundle`` is the source bundle on the daemon's disk,
    needed by app-deploy only. ``timeout`` is in real seconds.
    """

    name: CommandName
    invocation_id: str
    deployment_id: int
    version_label: str
    timeout: float
    bundle: Path | None = None
    bundle_key: str = ""
    """S3 ``bucket/key`` of the bundle, for the engine's log lines."""
    properties: dict[str, str] = field(default_factory=dict)
    """Environment properties, secret references already resolved."""
    options: dict[str, dict[str, str]] = field(default_factory=dict)
    """Effective option settings: namespace -> option name -> value."""
    elects_leader: bool = True
    """False: every instance is told that it does not lead, as under traffic splitting (elastic_beanstalk.md §7)."""
    deployment_log: str = ""
    """Name of the file in /var/log/deployments; empty: the command writes none."""


@dataclass(frozen=True)
class InstanceEvent:
    """An event that the instance's engine reports to EB (docs/elastic_beanstalk.md §3.8, §5.5)."""

    severity: Literal["INFO", "WARN", "ERROR"]
    message: str


@dataclass(frozen=True)
class CommandResult:
    """What the engine's CommandService answered.

    ``output`` is the ``msg`` of the response, or for log commands the text; for bundle-log, ``archive`` is a zip of all
    logs. ``leader`` is None when the command elects none.
    """

    instance_id: str
    status: CommandStatus
    returncode: int = 0
    output: str = ""
    leader: bool | None = None
    events: tuple[InstanceEvent, ...] = ()
    archive: bytes | None = None


@dataclass(frozen=True)
class ShellResult:
    """Outcome of a shell command that was run on an instance as root (SSM)."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class HealthCheck:
    """How the load balancer asks a target for its health (``aws:elasticbeanstalk:environment:process:default``).

    Intervals are in seconds of the environment's clock; the driver divides them by the daemon's speed.
    """

    path: str = "/"
    matcher: str = "200"
    interval: float = 15.0
    timeout: float = 5.0
    healthy_threshold: int = 3
    unhealthy_threshold: int = 5
    deregistration_delay: float = 20.0


@dataclass(frozen=True)
class Probe:
    """One look at an instance: HTTP status of the application as the load balancer sees it (None = no answer)."""

    http_status: int | None
    running: bool


@dataclass(frozen=True)
class Load:
    """How busy an instance is.

    ``requests`` are those per second in its web server's access log, by the first digit of their status. As in EB's
    enhanced health they include the load balancer's health checks.
    """

    cpu_percent: float = 0.0
    requests: Mapping[str, float] = field(default_factory=dict)


class Driver(Protocol):
    """Carries out instances, load balancers and names."""

    name: str

    def offer_api(self, opener: ApiOpener) -> None:
        """Let the instances that are launched from now on reach AWS's API."""

    def refusal(self, branch: str, generation: Generation) -> str | None:
        """One sentence when instances of this platform branch cannot be carried out here, else None."""

    def launch(self, spec: InstanceSpec) -> InstanceAddresses:
        """Start an instance and run its env-launch bootstrap; returns once the engine can take commands."""

    def terminate(self, instance_id: str) -> None:
        """Stop the instance and everything that runs on it."""

    def run(self, instance_id: str, command: Command) -> CommandResult:
        """Run one engine command to its end, or to ``command.timeout``."""

    def deployment_log(self, instance_id: str, command: Command) -> bytes:
        """What the instance has written so far of a command's deployment log, or the last 1 MB of it."""

    def shell(self, instance_id: str, script: str, timeout: float) -> ShellResult:
        """Run a shell script on the instance as root."""

    def probe(self, instance_id: str, path: str) -> Probe:
        """Ask the instance's web server for ``path`` once."""

    def loads(self, instance_ids: Sequence[str]) -> Mapping[str, Load]:
        """How busy these instances are; those that do not answer are left out."""

    def create_load_balancer(self, environment_id: str, health_check: HealthCheck) -> str:
        """Open the environment's load balancer; returns its address (an IP, with ``:port`` unless the port is 80)."""

    def delete_load_balancer(self, environment_id: str) -> None:
        """Close it: the address refuses connections from then on."""

    def configure_load_balancer(self, environment_id: str, health_check: HealthCheck) -> None:
        """Change the health check of an existing load balancer."""

    def register(self, environment_id: str, instance_id: str) -> None:
        """Make the instance a target; it gets traffic once it passes its health checks."""

    def deregister(self, environment_id: str, instance_id: str) -> None:
        """Stop sending new requests to the target; returns when it has drained or the deregistration delay is over."""

    def weigh(self, environment_id: str, weights: Mapping[str, int]) -> None:
        """Share the traffic in proportion to ``weights`` (instance id -> 0 to 100), also among targets that come later.

        They stay until the next call; a target without one counts fully, 100.
        """

    def healthy_targets(self, environment_id: str) -> frozenset[str]:
        """Ids of the registered instances that pass their health checks now."""

    def point(self, fqdn: str, environment_id: str) -> None:
        """Let the public name ``fqdn`` lead to the environment's load balancer (create or move)."""

    def unpoint(self, fqdn: str) -> None:
        """Forget the public name."""

    def url(self, fqdn: str) -> str | None:
        """The plain URL (``http://127.…/``) that always leads where ``fqdn`` does, or None when the name is unknown."""

    def database(self, name: str) -> dict[str, str]:
        """Start a PostgreSQL server for database ``name`` unless it runs; returns host, port, name, user, password."""

    def close(self) -> None:
        """Remove every process, container, network, mount and file that this driver made."""
