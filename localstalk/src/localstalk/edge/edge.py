# SPDX-License-Identifier: GPL-3.0-or-later
"""Load balancers, their targets, and public names."""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from localstalk.driver import DriverError, HealthCheck

from .addresses import BALANCERS, GUARD_HOST, HTTP_PORT, NAMES, Pool, choose_port, networks
from .config import LoadBalancer, State, check_weight, render
from .dns import NameServer
from .haproxy import BindError, HAProxy

log = logging.getLogger(__name__)
DRAIN_POLL_SECONDS = 0.05
REVIVE_SECONDS = 5.0
SHORT_LIFE_SECONDS = 1.0
MAX_SHORT_LIVES = 5
NAME_SERVER_HOST = 253


class Edge:
    """The load balancers of one daemon; safe to use from several threads. Started on construction."""

    def __init__(self, home: Path, runtime: Path, home_label: str, speed: float) -> None:
        self.speed = speed
        self.folder = home / "edge"
        self.runtime = runtime / "edge"
        self._lock = threading.RLock()
        self._version = 0
        self.haproxy = HAProxy(self.folder, self.runtime, home / "edge.log")
        self.state = self._start(home_label)
        host = self.state.guard.rpartition(".")[0] + f".{NAME_SERVER_HOST}"
        try:
            self.name_server = NameServer(host, self.address_of, speed)
        except OSError as error:
            self.haproxy.stop()
            raise DriverError(f"The name server cannot listen on {host}: {error.strerror}") from error
        threading.Thread(target=self._keep_up, name="localstalk-edge", daemon=True).start()

    def _start(self, home_label: str) -> State:
        for network in networks(home_label):
            guard = f"127.{network}.{GUARD_HOST}"
            state = State(choose_port(guard), guard)
            try:
                self.haproxy.start(render(state, self.haproxy.paths, self.speed, self._version), self._version)
            except BindError:
                continue
            self._balancer_addresses = Pool(network, BALANCERS)
            self._name_addresses = Pool(network, NAMES)
            return state
        raise DriverError("No loopback network 127.N.0.0/16 is free for the load balancers")

    def _keep_up(self) -> None:
        """Start HAProxy again whenever it ends by itself; give up when it ends at once, again and again."""
        short = 0
        while short < MAX_SHORT_LIVES and (process := self.haproxy.process) is not None:
            began = time.monotonic()
            process.wait()
            short = 0 if time.monotonic() - began > SHORT_LIFE_SECONDS else short + 1
            with self._lock:
                try:
                    self._revive()
                except DriverError:
                    log.exception("the load balancers are gone")

    def _revive(self) -> None:
        """Start HAProxy again if it has ended by itself. Its targets count as healthy until a check fails."""
        if not self.haproxy.ended:
            return
        log.warning("HAProxy has ended; it is started again")
        deadline = time.monotonic() + REVIVE_SECONDS
        self.haproxy.stop()
        while True:
            try:
                self.haproxy.start(render(self.state, self.haproxy.paths, self.speed, self._version), self._version)
                return
            except BindError as error:
                # Its workers may hold the ports for a moment longer.
                if time.monotonic() > deadline:
                    raise DriverError(f"HAProxy cannot be started again: {error}") from error
                time.sleep(DRAIN_POLL_SECONDS)

    def _apply(self, unchecked: list[tuple[str, str]] | None = None) -> None:
        self._revive()
        self._version += 1
        config = render(self.state, self.haproxy.paths, self.speed, self._version)
        self.haproxy.reload(config, self._version, unchecked or [])

    def _shown(self, address: str) -> str:
        return address if self.state.port == HTTP_PORT else f"{address}:{self.state.port}"

    def create_load_balancer(self, environment_id: str, health_check: HealthCheck) -> str:
        """Open a load balancer; one that exists keeps its address."""
        with self._lock:
            if environment_id not in self.state.balancers:
                balancer = LoadBalancer(self._balancer_addresses.take(), health_check)
                self.state.balancers[environment_id] = balancer
                self._apply()
            return self._shown(self.state.balancers[environment_id].address)

    def delete_load_balancer(self, environment_id: str) -> None:
        """Close a load balancer; silent when there is none."""
        with self._lock:
            balancer = self.state.balancers.pop(environment_id, None)
            if balancer is not None:
                self._apply()
                self._balancer_addresses.give_back(balancer.address)

    def configure_load_balancer(self, environment_id: str, health_check: HealthCheck) -> None:
        """Change the health check."""
        with self._lock:
            balancer = self._balancer(environment_id)
            if balancer.health_check != health_check:
                balancer.health_check = health_check
                self._apply()

    def _balancer(self, environment_id: str) -> LoadBalancer:
        if environment_id not in self.state.balancers:
            raise DriverError(f"Environment {environment_id} has no load balancer")
        return self.state.balancers[environment_id]

    def register(self, environment_id: str, instance_id: str, address: str) -> None:
        """Add a target; a target that is there already is left alone."""
        with self._lock:
            balancer = self._balancer(environment_id)
            if balancer.targets.get(instance_id) != address:
                balancer.targets[instance_id] = address
                self._apply([(environment_id, instance_id)])

    def weigh(self, environment_id: str, weights: Mapping[str, int]) -> None:
        """Set the weights of targets, also of those that come later."""
        with self._lock:
            balancer = self._balancer(environment_id)
            if balancer.weights != weights:
                balancer.weights = dict(weights)
                self._apply()

    def deregister(self, environment_id: str, instance_id: str) -> None:
        """Drain a target, then remove it; silent when it is none."""
        with self._lock:
            balancer = self.state.balancers.get(environment_id)
            if balancer is None or instance_id not in balancer.targets:
                return
            delay = balancer.health_check.deregistration_delay / self.speed
            self.haproxy.drain(environment_id, instance_id)
        deadline = time.monotonic() + delay
        while time.monotonic() < deadline and self.haproxy.sessions(environment_id, instance_id) > 0:
            time.sleep(DRAIN_POLL_SECONDS)
        self.remove(environment_id, instance_id)

    def remove(self, environment_id: str, instance_id: str) -> None:
        """Remove a target at once: it has gone."""
        with self._lock:
            balancer = self.state.balancers.get(environment_id)
            if balancer is not None and balancer.targets.pop(instance_id, None) is not None:
                self._apply()

    def forget_instance(self, instance_id: str) -> None:
        """Remove an instance that has gone from all load balancers."""
        with self._lock:
            found = [name for name, balancer in self.state.balancers.items() if instance_id in balancer.targets]
        for environment_id in found:
            self.remove(environment_id, instance_id)

    def healthy_targets(self, environment_id: str) -> frozenset[str]:
        """Return the targets that pass their health checks."""
        with self._lock:
            if environment_id not in self.state.balancers:
                return frozenset()
            self._revive()
            return self.haproxy.healthy(environment_id)

    def point(self, fqdn: str, environment_id: str) -> None:
        """Let a public name lead to an environment's load balancer; the name keeps its address when it moves."""
        fqdn = fqdn.lower()
        with self._lock:
            address, before = self.state.names.get(fqdn, ("", ""))
            if before == environment_id and address:
                return
            self.state.names[fqdn] = (address or self._name_addresses.take(), environment_id)
            self._apply()

    def unpoint(self, fqdn: str) -> None:
        """Forget a public name; silent when it is unknown."""
        with self._lock:
            found = self.state.names.pop(fqdn.lower(), None)
            if found is not None:
                self._apply()
                self._name_addresses.give_back(found[0])

    def url(self, fqdn: str) -> str | None:
        """Return the plain URL of a public name, or None when it is unknown."""
        with self._lock:
            found = self.state.names.get(fqdn.lower())
        return None if found is None else f"http://{self._shown(found[0])}/"

    def check_weight(self, instance_id: str) -> float:
        """Return how many of AWS's health checks one that the instance gets stands for."""
        with self._lock:
            checks = [one.health_check for one in self.state.balancers.values() if instance_id in one.targets]
        return check_weight(checks[0], self.speed) if checks else 1.0

    def address_of(self, fqdn: str) -> str | None:
        """Return the address of the load balancer that a public name leads to now, or None: what DNS answers."""
        with self._lock:
            found = self.state.names.get(fqdn.lower())
            balancer = self.state.balancers.get(found[1]) if found else None
        return balancer.address if balancer else None

    def close(self) -> None:
        """End HAProxy and the name server, and remove their files; the access log stays until the home goes."""
        with self._lock:
            self.name_server.close()
            self.haproxy.stop()
            shutil.rmtree(self.folder, ignore_errors=True)
            shutil.rmtree(self.runtime, ignore_errors=True)
