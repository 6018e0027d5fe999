# SPDX-License-Identifier: GPL-3.0-or-later
"""Build and run the Docker application of a bundle by the instance's own ``docker`` (docs/elastic_beanstalk.md §6)."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from . import dockerrun
from .layout import Layout
from .process import Finished, run
from .request import CommandError, Event

STAGING_IMAGE = "aws_beanstalk/staging-app"
CURRENT_IMAGE = "aws_beanstalk/current-app"
START_SECONDS = 5.0
"""How long to wait for the application's port; an application that needs longer is left to the health checks."""

SETTLE_SECONDS = 0.3
"""A container that ends within this time after its port answered, or after START_SECONDS, has failed to start."""

STORE_CHANGED = "layer not known"
STORE_ATTEMPTS = 5
"""podman's word for an image that was removed from the machine's store while a build looked for cached steps there."""

STOP_SECONDS = 2
"""Grace for the old container; nginx has left it already, so nothing is in flight that EB would not cut, too."""

BUILD_EVENT = Event("ERROR", "Instance deployment failed to build the Docker image. The deployment failed.")
NO_EXPOSE = "No EXPOSE directive found in Dockerfile, abort deployment"


@dataclass(frozen=True)
class Container:
    """A running application container as nginx needs it."""

    container_id: str
    address: str
    port: int


class Docker:
    """The Docker side of a deployment; ``note`` and ``fail`` write INFO and ERROR lines to the engine's log."""

    def __init__(self, layout: Layout, note: Callable[[str], None], fail: Callable[[str], None]) -> None:
        self.layout = layout
        self.note = note
        self.fail = fail
        self.state = layout.at("/etc/elasticbeanstalk") if layout.generation == "al1" else layout.opt / "deployment"

    def _environment(self) -> dict[str, str]:
        return {
            "PATH": self.layout.search_path,
            "HOME": "/root",
            "DOCKER_BUILDKIT": "0",
            "COMPOSE_PROJECT_NAME": "current",
            # For compose files, which mount a folder of it for each service's logs ("Docker environment configuration
            # with Docker Compose" of EB's guide).
            "EB_LOG_BASE_DIR": str(self.layout.log / "eb-docker/containers"),
        }

    def run(
        self, *argv: str, cwd: Path | None = None, extra: Mapping[str, str] | None = None, log: bool = True
    ) -> Finished:
        """Run a program with its output in the engine's log."""
        if log:
            self.note(f"Running command: {' '.join(argv)}")
        return run(
            list(argv),
            env={**self._environment(), **(extra or {})},
            cwd=cwd or "/",
            on_line=(lambda _, line: self.note(line)) if log else None,
        )

    def _checked(self, what: str, *argv: str, cwd: Path | None = None, events: tuple[Event, ...] = ()) -> Finished:
        done = self.run(*argv, cwd=cwd)
        if done.returncode != 0:
            how = f"failed with error exit status {done.returncode}. Stderr:{done.stderr}"
            raise CommandError(f"{what}: Command {' '.join(argv)} {how}", events, done.output)
        return done

    # Build

    def build(self, app: dockerrun.Application) -> None:
        """Build or pull the application's image as ``aws_beanstalk/staging-app`` (compose: its services' images)."""
        staging = self.layout.staging
        if app.kind == "compose":
            self._checked(
                "failed to build docker images", "docker-compose", "build", cwd=staging, events=(BUILD_EVENT,)
            )
            self.note("Successfully built docker-compose services")
        elif app.kind == "dockerfile":
            shown = f"{staging}/"
            argv = ("docker", "build", "-t", STAGING_IMAGE, shown)
            for attempt in range(STORE_ATTEMPTS):
                self._look_at_store_anew()
                try:
                    self._checked("failed to build docker image", *argv, events=(BUILD_EVENT,))
                    break
                except CommandError as error:
                    if STORE_CHANGED not in error.text or attempt == STORE_ATTEMPTS - 1:
                        raise
            self.note(f"Successfully built {STAGING_IMAGE}")
        else:
            self._pull(app)

    def _look_at_store_anew(self) -> None:
        """Let the Docker engine read the indexes of the machine's image store, which others change, again."""
        for lock in ("overlay-images/images.lock", "overlay-layers/layers.lock"):
            path = self.layout.at(f"/var/lib/shared/{lock}")
            if path.exists():
                path.write_bytes(os.urandom(64))

    def _pull(self, app: dockerrun.Application) -> None:
        present = self.run("docker", "image", "inspect", app.image, log=False).returncode == 0
        if app.update or not present:
            text = f"Failed to pull Docker image {app.image}"
            done = self.run("docker", "pull", app.image)
            if done.returncode != 0 and not present:
                raise CommandError(f"{text}: {done.stderr.strip()}", (Event("ERROR", text),), done.output)
            if done.returncode == 0:
                self.note(f"Successfully pulled {app.image}")
            else:
                self.note(f"{text}: the image of that name on this instance is used")
        self._checked("failed to tag docker image", "docker", "tag", app.image, STAGING_IMAGE)

    def port(self, app: dockerrun.Application, image: str = STAGING_IMAGE) -> int:
        """Return the container's port that nginx passes requests to; raises CommandError when nothing names one."""
        if app.port is not None:
            return app.port
        done = self.run("docker", "image", "inspect", "--format", "{{json .Config.ExposedPorts}}", image, log=False)
        try:
            ports = sorted(int(port.split("/")[0]) for port in (json.loads(done.stdout or "null") or {}))
        except ValueError:
            ports = []
        if not ports:
            raise CommandError(NO_EXPOSE, (Event("ERROR", NO_EXPOSE),))
        return ports[0]

    # Run

    def write_environment(self, properties: Mapping[str, str], application: Path, app: dockerrun.Application) -> None:
        """Write env.list (or ``.env`` of a compose project that ships none) so that only root can read it."""
        one_line = {name: value for name, value in properties.items() if "\n" not in value}
        text = "".join(f"{name}={value}\n" for name, value in sorted(one_line.items()))
        write_private(self.layout.env_list, text)
        write_private(self.layout.env_list.with_name("env"), text)
        if app.kind == "compose" and (not (application / ".env").exists() or self._marker.exists()):
            write_private(application / ".env", text)
            write_private(self._marker, "")

    @property
    def _marker(self) -> Path:
        """Exists while the ``.env`` of the application is EB's and not the bundle's own."""
        return self.layout.opt / "deployment/.env-written"

    def forget_environment(self) -> None:
        """A new bundle is staged: its ``.env``, if any, is its own."""
        self._marker.unlink(missing_ok=True)

    def start(self, app: dockerrun.Application, properties: Mapping[str, str]) -> Container:
        """Tag the staged image as the current one, run it and wait for its port; raises CommandError."""
        port = self.port(app)
        previous = self._image_id(CURRENT_IMAGE)
        self._checked("failed to tag docker image", "docker", "tag", STAGING_IMAGE, CURRENT_IMAGE)
        try:
            container = self._start_current(app, properties, port)
        except CommandError:
            if previous:
                self.run("docker", "tag", previous, CURRENT_IMAGE)
            raise
        self.run("docker", "rmi", "--no-prune", STAGING_IMAGE)
        return container

    def restart(self, app: dockerrun.Application, properties: Mapping[str, str]) -> Container:
        """Run the current image once more, for changed properties; raises CommandError."""
        return self._start_current(app, properties, self.port(app, CURRENT_IMAGE))

    def _start_current(self, app: dockerrun.Application, properties: Mapping[str, str], port: int) -> Container:
        argv = ["docker", "run", "-d", "--env-file", str(self.layout.env_list)]
        lines = {name: value for name, value in properties.items() if "\n" in value}
        for name in sorted(lines):
            # An env file cannot hold these; by name only, so that no process list shows the value.
            argv += ["-e", name]
        for source, target in app.volumes:
            argv += ["-v", f"{source}:{target}"]
        if app.logging:
            argv += ["-v", f"{self.layout.log}/eb-docker/containers/eb-current-app:{app.logging}"]
        if app.entrypoint:
            argv += ["--entrypoint", app.entrypoint]
        argv += [CURRENT_IMAGE, *app.command.split()]
        done = self.run(*argv, extra=lines)
        if done.returncode != 0:
            text = f"failed to run docker container: Command docker run failed. Stderr:{done.stderr}"
            raise CommandError(text, (), done.output)
        container_id = done.stdout.strip().splitlines()[-1]
        self._follow_log(container_id)
        container = Container(container_id, self._address(container_id), port)
        self._wait(container)
        return container

    def _address(self, container_id: str) -> str:
        template = "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}{{.NetworkSettings.IPAddress}}"
        done = self.run("docker", "inspect", "--format", template, container_id, log=False)
        addresses = done.stdout.split()
        return addresses[0] if addresses else "127.0.0.1"

    def _running(self, container_id: str) -> bool:
        done = self.run("docker", "inspect", "--format", "{{.State.Running}}", container_id, log=False)
        return done.stdout.strip() == "true"

    def _image_id(self, name: str) -> str:
        return self.run("docker", "image", "inspect", "--format", "{{.Id}}", name, log=False).stdout.strip()

    def _wait(self, container: Container) -> None:
        """Return when the port answers or START_SECONDS are over; raises CommandError when the container has ended."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                with socket.create_connection((container.address, container.port), timeout=0.5):
                    break
            except OSError:
                if not self._running(container.container_id):
                    break
                time.sleep(0.05)
        settled = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < settled and self._running(container.container_id):
            time.sleep(0.1)
        if not self._running(container.container_id):
            output = self.run("docker", "logs", "--tail", "50", container.container_id, log=False).output
            self.run("docker", "rm", "-f", container.container_id, log=False)
            short = container.container_id[:12]
            text = f"Docker container {short} quit unexpectedly after launch: {output.strip()[-1000:]}"
            event = "Docker container quit unexpectedly after launch: Check snapshot logs for details."
            raise CommandError(text, (Event("ERROR", event),), output)

    def _follow_log(self, container_id: str) -> None:
        folder = self.layout.log / "eb-docker/containers/eb-current-app"
        folder.mkdir(parents=True, exist_ok=True)
        # Ends with its container; in a session of its own, because the engine's whole session may be killed.
        target = folder / f"eb-{container_id[:12]}-stdouterr.log"
        follow = 'docker logs -f "$1" >> "$2" 2>&1 &'
        subprocess.run(
            ["/bin/sh", "-c", follow, "follow", container_id, str(target)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=self._environment(),
            start_new_session=True,
            check=False,
        )

    # Flip

    @property
    def current_file(self) -> Path:
        """The file that names the current container."""
        return self.state / ".aws_beanstalk.current-container-id"

    def current(self) -> str:
        """Return the id of the container that serves now, or the empty text."""
        return self.current_file.read_text().strip() if self.current_file.is_file() else ""

    def keep(self, container: Container) -> None:
        """Make ``container`` the current one and remove the one before it."""
        old = self.current()
        self.current_file.parent.mkdir(parents=True, exist_ok=True)
        self.current_file.write_text(container.container_id + "\n")
        self.note(f"Docker container {container.container_id[:12]} is running {CURRENT_IMAGE}.")
        if old and old != container.container_id:
            self.remove(old)

    def remove(self, container_id: str) -> None:
        """Stop and remove a container; silent when there is none."""
        self.note(f"Stopping current app container: {container_id[:12]}...")
        self.run("docker", "stop", "-t", str(STOP_SECONDS), container_id)
        self.run("docker", "rm", "-f", container_id)

    def compose_up(self, project: Path) -> None:
        """Start the services of a compose project in ``project``; raises CommandError."""
        argv = ("docker-compose", "up", "-d", "-t", str(STOP_SECONDS), "--remove-orphans")
        self._checked("failed to start docker containers", *argv, cwd=project)

    def compose_down(self, project: Path) -> None:
        """Stop the services of the compose project in ``project``, if there is one."""
        if (project / dockerrun.COMPOSE).is_file():
            self.run("docker-compose", "down", "-t", str(STOP_SECONDS), "--remove-orphans", cwd=project)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, at no moment anybody else."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.rename(path)
