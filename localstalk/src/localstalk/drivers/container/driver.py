# SPDX-License-Identifier: GPL-3.0-or-later
"""The container driver: real instances, real load balancers, a real database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from localstalk.driver import (
    ApiOpener,
    Command,
    CommandResult,
    DriverError,
    Generation,
    HealthCheck,
    InstanceAddresses,
    InstanceSpec,
    Load,
    Probe,
    ShellResult,
)
from localstalk.edge.edge import Edge
from localstalk.engine.platforms import RUNS, kind
from localstalk.images import Images

from .cleaning import IMAGES, clean, label, preflight
from .database import Database
from .instances import Instances
from .network import Network


class ContainerDriver:
    """Implements :class:`localstalk.driver.Driver`. Raises DriverError when this machine cannot carry it.

    What an earlier daemon of the same home left behind is removed first.
    """

    name = "container"

    def __init__(self, home: Path, runtime: Path, speed: float) -> None:
        problem = preflight()
        if problem is not None:
            raise DriverError(problem)
        self.home = home
        self.runtime = runtime
        clean(home, runtime)
        home.mkdir(parents=True, exist_ok=True)
        runtime.mkdir(parents=True, exist_ok=True)
        mark = label(home)
        self.edge = Edge(home, runtime, mark, speed)
        self.images = Images(home / IMAGES)
        try:
            self.network = Network(mark)
            self.instances = Instances(home, runtime, mark, self.images, self.network)
            self.databases = Database(home, mark, self.images, self.network)
        except BaseException:
            self.images.close()
            self.edge.close()
            clean(home, runtime)
            raise

    def offer_api(self, opener: ApiOpener) -> None:
        """Let instances reach AWS's API."""
        self.instances.open_api = opener

    def refusal(self, branch: str, generation: Generation) -> str | None:
        """What the engine is not, no instance can be."""
        if kind(branch, generation) is not None:
            return None
        return (
            f"localstalk's container driver runs {RUNS}, not {branch}: "
            "simulate its instances with localstalk up --driver sim."
        )

    def launch(self, spec: InstanceSpec) -> InstanceAddresses:
        """Start an instance."""
        return self.instances.launch(spec)

    def terminate(self, instance_id: str) -> None:
        """Stop an instance and everything on it."""
        self.edge.forget_instance(instance_id)
        self.instances.terminate(instance_id)

    def run(self, instance_id: str, command: Command) -> CommandResult:
        """Run one engine command."""
        return self.instances.run(instance_id, command)

    def deployment_log(self, instance_id: str, command: Command) -> bytes:
        """Read what there is of a deployment log."""
        return self.instances.deployment_log(instance_id, command)

    def shell(self, instance_id: str, script: str, timeout: float) -> ShellResult:
        """Run a shell script on the instance as root."""
        return self.instances.shell(instance_id, script, timeout)

    def probe(self, instance_id: str, path: str) -> Probe:
        """Ask the instance's web server once."""
        return self.instances.probe(instance_id, path)

    def loads(self, instance_ids: Sequence[str]) -> Mapping[str, Load]:
        """Ask the instances' agents how busy they are."""
        return self.instances.loads(instance_ids, self.edge.check_weight)

    def create_load_balancer(self, environment_id: str, health_check: HealthCheck) -> str:
        """Open the environment's load balancer."""
        return self.edge.create_load_balancer(environment_id, health_check)

    def delete_load_balancer(self, environment_id: str) -> None:
        """Close it."""
        self.edge.delete_load_balancer(environment_id)

    def configure_load_balancer(self, environment_id: str, health_check: HealthCheck) -> None:
        """Change its health check."""
        self.edge.configure_load_balancer(environment_id, health_check)

    def register(self, environment_id: str, instance_id: str) -> None:
        """Make the instance a target."""
        address = self.instances.address(instance_id)
        if address is None:
            raise DriverError(f"No instance {instance_id} is running")
        self.edge.register(environment_id, instance_id, address)

    def deregister(self, environment_id: str, instance_id: str) -> None:
        """Drain the target and remove it."""
        self.edge.deregister(environment_id, instance_id)

    def weigh(self, environment_id: str, weights: Mapping[str, int]) -> None:
        """Share the traffic of an environment in proportion to weights."""
        self.edge.weigh(environment_id, weights)

    def healthy_targets(self, environment_id: str) -> frozenset[str]:
        """Return the targets that pass their health checks."""
        return self.edge.healthy_targets(environment_id)

    def point(self, fqdn: str, environment_id: str) -> None:
        """Let a public name lead to the environment."""
        self.edge.point(fqdn, environment_id)

    def unpoint(self, fqdn: str) -> None:
        """Forget a public name."""
        self.edge.unpoint(fqdn)

    def url(self, fqdn: str) -> str | None:
        """Return the plain URL that always leads where the name does."""
        return self.edge.url(fqdn)

    @property
    def name_server(self) -> str:
        """Address and port of the authoritative DNS server for public names (``127.N.255.253:53``)."""
        return self.edge.name_server.address

    def database(self, name: str) -> dict[str, str]:
        """Provide a PostgreSQL database."""
        return self.databases.provide(name)

    def close(self) -> None:
        """Remove everything that this driver made."""
        self.images.close()
        self.edge.close()
        self.databases.close()
        self.instances.close()
        clean(self.home, self.runtime)
