# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances: containers with an agent, a Docker engine and EB's files, each with a directory of its own in the home."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import localstalk.engine
from localstalk.driver import (
    ApiOpener,
    Command,
    CommandResult,
    DriverError,
    InstanceAddresses,
    InstanceEvent,
    InstanceSpec,
    Load,
    Probe,
    ShellResult,
)
from localstalk.engine import deployment_log
from localstalk.engine.agent import FACTS, OWN_AGENT
from localstalk.engine.api import URL
from localstalk.engine.imds import API_SOCKET
from localstalk.engine.platforms import kind
from localstalk.engine.request import Instance as EngineInstance
from localstalk.images import Images, build_mounts
from localstalk.images.podman import attempt, common_options, image_store, limits, podman

from . import agents, pip
from .network import Network

LAUNCH_SECONDS = 60.0
PROBE_SECONDS = 5.0
LOAD_SECONDS = 1.0
DEPLOYMENT_LOG_BYTES = 1024 * 1024
ENGINE_DIRECTORY = Path(localstalk.engine.__file__).parent
SHARED = "/run/localstalk"
"""Where an instance sees its agent's socket, its source bundle and its environment's elections."""

STORE_LOCKS = ("overlay-images/images.lock", "overlay-layers/layers.lock")
"""Lock files of the machine's image store, of which every instance gets its own.

podman 4.3 takes these two in one order when it deletes an image and in the other when it reads somebody else's store:
with common files, a `podman rmi` on the machine and an instance would wait for each other for ever, and everybody with
them. The store's indexes are replaced atomically, so that a reader needs no lock; only what tells it to read them again
lies in these files, and is written there before every command.
"""


@dataclass
class Instance:
    """A launched instance."""

    spec: InstanceSpec
    address: str
    lock: threading.Lock = field(default_factory=threading.Lock)
    close_api: Callable[[], None] | None = None
    measured: Mapping[str, Any] | None = None
    """The agent's answer when the load was computed last."""
    last_load: Load = field(default_factory=Load)

    def load(self, stat: Mapping[str, Any], check_weight: float) -> Load:
        """Return what was done since the last call at least 1 s ago; of the machine's processors, all are 100 %.

        ``stat`` is the agent's answer. A health check counts as ``check_weight`` requests.
        """
        before = self.measured = self.measured or stat
        elapsed = stat["at"] - before["at"]
        if elapsed >= LOAD_SECONDS:
            cpu = 100.0 * (stat["cpu_seconds"] - before["cpu_seconds"]) / elapsed / (os.cpu_count() or 1)
            visits, checks = (Counter(stat[kind]) - Counter(before[kind]) for kind in ("requests", "checks"))
            rates = {each: (visits[each] + check_weight * checks[each]) / elapsed for each in visits | checks}
            self.last_load, self.measured = Load(max(0.0, min(100.0, cpu)), rates), stat
        return self.last_load

    def end(self) -> None:
        """Close what the daemon holds open for it."""
        if self.close_api is not None:
            self.close_api()
            self.close_api = None


class Instances:
    """All instances of a daemon. ``home`` holds their disks, ``runtime`` their sockets."""

    def __init__(self, home: Path, runtime: Path, home_label: str, images: Images, network: Network) -> None:
        self.home = home / "instances"
        self.runtime = runtime / "i"
        self.elections = home / "elections"
        self.home_label = home_label
        self.images = images
        self.network = network
        self.store = image_store()
        self.open_api: ApiOpener | None = None
        self._lock = threading.Lock()
        self._instances: dict[str, Instance] = {}
        for folder in (self.home, self.runtime, self.elections):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.engine_conf = home / "containers.conf"
        self.engine_conf.write_text(_engine_conf())
        self.mounts_conf = home / "mounts.conf"
        # podman's own way to give every container and every build a directory of the machine.
        self.mounts_conf.write_text("".join(f"{path}:{path}\n" for path in build_mounts()))
        self.pip_conf = home / "pip.conf"

    def container_name(self, instance_id: str) -> str:
        """Return the name of the instance's container."""
        return f"localstalk-{self.home_label}-{instance_id}"

    @cached_property
    def _pip_mounts(self) -> list[str]:
        """Asked for by the first instance of a Python platform, because asking takes pip half a second."""
        return pip.mounts(self.pip_conf)

    def get(self, instance_id: str) -> Instance:
        """Return a launched instance; raises DriverError."""
        with self._lock:
            if instance_id not in self._instances:
                raise DriverError(f"No instance {instance_id} is running")
            return self._instances[instance_id]

    def address(self, instance_id: str) -> str | None:
        """Return the address of an instance, or None when there is no such instance."""
        with self._lock:
            found = self._instances.get(instance_id)
            return found.address if found else None

    def socket(self, instance_id: str) -> Path:
        """Return the path of the agent's socket."""
        return self.runtime / instance_id / "agent.sock"

    def launch(self, spec: InstanceSpec) -> InstanceAddresses:
        """Start an instance and run its env-launch; an instance that runs already is left alone."""
        with self._lock:
            instance = self._instances.get(spec.instance_id)
            if instance is None:
                instance = Instance(spec, self.network.take())
                self._instances[spec.instance_id] = instance
                instance.lock.acquire()
                mine = True
            else:
                mine = False
        if not mine:
            with instance.lock:
                return InstanceAddresses(instance.address, instance.address)
        try:
            self._start(instance)
            self._bootstrap(instance)
        except DriverError:
            self.terminate(spec.instance_id)
            raise
        finally:
            instance.lock.release()
        return InstanceAddresses(instance.address, instance.address)

    def _start(self, instance: Instance) -> None:
        spec = instance.spec
        image = self.images.tag("instance")
        disk = self.home / spec.instance_id
        shared = self.runtime / spec.instance_id
        elections = self.elections / spec.environment_id
        locks = disk / "locks"
        for folder in (disk / "docker", disk / "bundle", locks, shared / "election", shared / "bundle", elections):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._refresh_images(spec.instance_id)
        if self.open_api is not None:
            instance.close_api = self.open_api(spec, shared / API_SOCKET)
        name = self.container_name(spec.instance_id)
        mounts = [
            f"{disk / 'docker'}:/var/lib/containers/storage",
            f"{self.store}:/var/lib/shared:ro",
            *(f"{locks / Path(lock).name}:/var/lib/shared/{lock}" for lock in STORE_LOCKS),
            f"{ENGINE_DIRECTORY}:/opt/localstalk/engine:ro",
            f"{self.engine_conf}:/etc/containers/containers.conf:ro",
            f"{self.mounts_conf}:/etc/containers/mounts.conf:ro",
            f"{shared}:{SHARED}",
            f"{elections}:{SHARED}/election",
            f"{disk / 'bundle'}:{SHARED}/bundle:ro",
            *(f"{path}:{path}:ro" for path in build_mounts()),
            *(self._pip_mounts if kind(spec.branch, spec.generation) == "python" else ()),
        ]
        facts = {
            "instance_id": spec.instance_id,
            "region": spec.region,
            "address": instance.address,
            "account": spec.account,
            "generation": spec.generation,
            "imds_v1": spec.imds_v1,
            "branch": spec.branch,
        }
        hostname = f"ip-{instance.address.replace('.', '-')}.{spec.region}.compute.internal"
        podman(
            "run",
            "--detach",
            # The instance's own Docker engine makes containers, bridges and mounts; all of them end with the instance.
            "--privileged",
            f"--name={name}",
            f"--hostname={hostname}",
            f"--network={self.network.name}",
            f"--ip={instance.address}",
            "--pull=never",
            f"--env={FACTS}={json.dumps(facts)}",
            *common_options(self.home_label),
            *(f"--volume={mount}" for mount in mounts),
            image,
        )
        deadline = time.monotonic() + LAUNCH_SECONDS
        agents.wait(self.socket(spec.instance_id), deadline, lambda: self._why_dead(name))

    def _refresh_images(self, instance_id: str) -> None:
        """Let the instance's Docker engine look at the machine's image store anew; see STORE_LOCKS."""
        for lock in STORE_LOCKS:
            # In place: the instance sees this very file. What it holds is the last writer's token, any 64 bytes.
            (self.home / instance_id / "locks" / Path(lock).name).write_bytes(os.urandom(64))

    def _why_dead(self, name: str) -> str | None:
        state = attempt("inspect", "--format", "{{.State.Status}}", name)
        if state.returncode == 0 and state.stdout.strip() == "running":
            return None
        return attempt("logs", "--tail", "3", name).stderr.strip() or "no message"

    def _bootstrap(self, instance: Instance) -> None:
        launch = Command("app-deploy", "", 0, "", LAUNCH_SECONDS)
        answer = self._engine(instance, "env-launch", launch, "")
        if answer.status != "SUCCESS":
            raise DriverError(f"Instance {instance.spec.instance_id} could not be bootstrapped: {answer.output}")

    def terminate(self, instance_id: str) -> None:
        """Remove the instance with everything on it; silent when there is none."""
        with self._lock:
            instance = self._instances.pop(instance_id, None)
        attempt("rm", "--force", "--time=0", "--ignore", self.container_name(instance_id))
        for folder in (self.home / instance_id, self.runtime / instance_id):
            shutil.rmtree(folder, ignore_errors=True)
        if instance is not None:
            instance.end()
            self.network.give_back(instance.address)

    def run(self, instance_id: str, command: Command) -> CommandResult:
        """Run an engine command."""
        instance = self.get(instance_id)
        self._refresh_images(instance_id)
        if command.bundle is None:
            return self._engine(instance, command.name, command, "")
        handed = self._hand_over(instance_id, command.bundle)
        try:
            return self._engine(instance, command.name, command, f"{SHARED}/bundle/{handed.name}")
        finally:
            handed.unlink(missing_ok=True)

    def _hand_over(self, instance_id: str, bundle: Path) -> Path:
        """Give the instance the bundle without a copy where that is possible; returns the file to remove afterwards."""
        target = self.home / instance_id / "bundle" / uuid.uuid4().hex
        try:
            os.link(bundle, target)
        except OSError:
            try:
                shutil.copyfile(bundle, target)
            except OSError as error:
                text = f"The source bundle {bundle} cannot be handed to {instance_id}: {error.strerror}"
                raise DriverError(text) from error
        return target

    def _engine(self, instance: Instance, name: str, command: Command, bundle: str) -> CommandResult:
        spec = instance.spec
        request = {
            "name": name,
            "instance": {each.name: getattr(spec, each.name) for each in fields(EngineInstance)},
            "invocation_id": command.invocation_id,
            "deployment_id": command.deployment_id,
            "version_label": command.version_label,
            "bundle_key": command.bundle_key,
            "bundle_path": bundle,
            "properties": command.properties,
            "options": command.options,
            "elects_leader": command.elects_leader,
            "deployment_log": command.deployment_log,
        }
        # The request travels through a pipe: neither a process list nor a file shows the properties.
        sent = {"argv": ["python3", "-m", "engine"], "stdin": json.dumps(request)}
        try:
            answer = agents.ask(self.socket(spec.instance_id), sent, command.timeout)
        except agents.AgentGoneError:
            return CommandResult(spec.instance_id, "TIMEOUT", 1, "")
        if answer["timed_out"]:
            return CommandResult(spec.instance_id, "TIMEOUT", 1, "")
        if answer["returncode"] != 0:
            last = (answer["stderr"].strip().splitlines() or ["no message"])[-1]
            raise DriverError(f"The engine of {spec.instance_id} has crashed: {last}")
        data = json.loads(answer["stdout"])
        return CommandResult(
            spec.instance_id,
            data["status"],
            data["returncode"],
            data["message"],
            data["leader"],
            tuple(InstanceEvent(severity, message) for severity, message in data["events"]),
            base64.b64decode(data["archive"]) if data["archive"] is not None else None,
        )

    def deployment_log(self, instance_id: str, command: Command) -> bytes:
        """Read what there is of a deployment log; empty before the engine has begun."""
        self.get(instance_id)
        argv = ["tail", f"--bytes={DEPLOYMENT_LOG_BYTES}", f"{deployment_log.DIRECTORY}/{command.deployment_log}"]
        try:
            answer = agents.ask(self.socket(instance_id), {"argv": argv}, PROBE_SECONDS)
        except agents.AgentGoneError as error:
            raise DriverError(f"Instance {instance_id}: {error}") from error
        return str(answer["stdout"]).encode()

    def shell(self, instance_id: str, script: str, timeout: float) -> ShellResult:
        """Run a shell script as root."""
        self.get(instance_id)
        self._refresh_images(instance_id)
        # By standard input into a file first: its text stays out of process lists.
        runner = 'f=$(mktemp) && cat > "$f" && /bin/bash "$f" < /dev/null; rc=$?; rm -f "$f"; exit $rc'
        try:
            answer = agents.ask(self.socket(instance_id), {"argv": ["/bin/sh", "-c", runner], "stdin": script}, timeout)
        except agents.AgentGoneError as error:
            raise DriverError(f"Instance {instance_id}: {error}") from error
        if answer["timed_out"]:
            return ShellResult(124, answer["stdout"], f"{answer['stderr']}timed out after {timeout:.0f} s\n")
        return ShellResult(answer["returncode"], answer["stdout"], answer["stderr"])

    def probe(self, instance_id: str, path: str) -> Probe:
        """Ask the instance's web server once, when its agent answers."""
        address = self.address(instance_id)
        if address is None or self._stat(instance_id) is None:
            return Probe(None, running=False)
        return Probe(_http_status(address, path), running=True)

    def loads(self, instance_ids: Sequence[str], check_weight: Callable[[str], float]) -> dict[str, Load]:
        """Ask the agents how busy their instances are; the weight of their health checks is asked for by id."""
        found = {}
        for instance_id in instance_ids:
            stat = self._stat(instance_id) if self.address(instance_id) is not None else None
            if stat is not None:
                found[instance_id] = self.get(instance_id).load(stat, check_weight(instance_id))
        return found

    def _stat(self, instance_id: str) -> dict[str, Any] | None:
        try:
            return agents.ask(self.socket(instance_id), {"stat": True}, 1.0)
        except agents.AgentGoneError:
            return None

    def close(self) -> None:
        """Remove all instances, in one go."""
        with self._lock:
            instances = dict(self._instances)
            self._instances.clear()
        names = [self.container_name(instance_id) for instance_id in instances]
        if names:
            attempt("rm", "--force", "--time=0", "--ignore", *names)
        for instance in instances.values():
            instance.end()
        for folder in (self.home, self.runtime, self.elections):
            shutil.rmtree(folder, ignore_errors=True)
        self.engine_conf.unlink(missing_ok=True)
        self.mounts_conf.unlink(missing_ok=True)
        self.pip_conf.unlink(missing_ok=True)


def _http_status(address: str, path: str) -> int | None:
    connection = http.client.HTTPConnection(address, 80, timeout=PROBE_SECONDS)
    try:
        connection.request("GET", path, headers={"User-Agent": OWN_AGENT, "Connection": "close"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def _engine_conf() -> str:
    """Return containers.conf for the Docker engines inside instances: Docker's own subnet, limits that may be given."""
    ulimits = ", ".join(f'"{name}={value}:{value}"' for name, value in limits())
    return (
        "[containers]\n"
        # Applications reach AWS's API as their instance does.
        f'env = ["AWS_ENDPOINT_URL={URL}"]\n'
        f"default_ulimits = [{ulimits}]\n"
        "[network]\n"
        'default_subnet = "172.17.0.0/16"\n'
        "[engine]\n"
        'runtime = "runc"\n'
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n'
    )
