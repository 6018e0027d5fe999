# SPDX-License-Identifier: GPL-3.0-or-later
"""The Docker platform: an image that is built or pulled, or a compose project (docs/elastic_beanstalk.md §6)."""

from __future__ import annotations

from . import dockerrun, source
from .docker import Container, Docker
from .layout import Layout
from .logs import EngineLog
from .nginx import CONTAINER, Nginx
from .platforms import Instruction
from .request import Event, Request


class DockerPlatform:
    """Implements :class:`.platforms.Platform`."""

    port = "5000"

    def __init__(self, layout: Layout, request: Request, log: EngineLog) -> None:
        self.layout = layout
        self.properties = request.properties
        self.log = log
        self.docker = Docker(layout, log.info, log.error)
        self.nginx = Nginx(layout, log.info)
        self.app = dockerrun.Application("dockerfile")
        self.container: Container | None = None
        self.events: list[Event] = []

    def stage(self) -> None:
        """Tell what kind of Docker application it is."""
        self.app = dockerrun.read(self.layout.staging)
        self.docker.forget_environment()
        if self.app.kind == "compose":
            self._write_environment()

    def _write_environment(self) -> None:
        self.docker.write_environment(self.properties, self.layout.staging, self.app)

    def build(self) -> list[Instruction]:
        """The image, and the web server's configuration."""
        return [("Docker Specific Build Application", self._build)]

    def _build(self) -> None:
        self.docker.build(self.app)
        self.nginx.stage(self.layout.staging, CONTAINER)
        # Before predeploy hooks, which may still edit it (docs/elastic_beanstalk.md §6).
        self._write_environment()

    def flip(self) -> list[Instruction]:
        """The new container takes over; the web server is away for a moment only."""
        return [("FlipApplication", self._flip)]

    def serve(self) -> list[Instruction]:
        """Nothing: the new container serves already."""
        return []

    def track(self) -> None:
        """Nothing: Docker knows its containers."""

    def _flip(self) -> None:
        if self.app.kind == "compose":
            self._flip_compose()
            return
        self.docker.compose_down(self.layout.current)
        source.move(self.layout.staging, self.layout.current)
        self.container = self.docker.start(self.app, self.properties)
        self.nginx.point(self.container.address, self.container.port)
        self._serve(self.container)

    def _serve(self, container: Container) -> None:
        """Let nginx serve ``container`` instead of the one before, with EB's short stop of the proxy."""
        self.nginx.check()
        self.log.info("Executing instruction: stop proxy")
        self.nginx.stop()
        self.nginx.activate()
        self.log.info("Executing instruction: start proxy")
        self.nginx.start()
        self.docker.keep(container)

    def _flip_compose(self) -> None:
        self.nginx.stop()
        old = self.docker.current()
        if old:
            self.docker.remove(old)
            self.docker.current_file.unlink()
        self.docker.compose_down(self.layout.current)
        source.move(self.layout.staging, self.layout.current)
        self.docker.compose_up(self.layout.current)

    def configure(self) -> None:
        """Environment properties for the container that will be started."""
        self.app = dockerrun.read(self.layout.current)
        self.docker.write_environment(self.properties, self.layout.current, self.app)

    def restart(self) -> None:
        """A new container of the current image."""
        self.app = dockerrun.read(self.layout.current)
        if self.app.kind == "compose":
            self.docker.compose_down(self.layout.current)
            self.docker.compose_up(self.layout.current)
            return
        self.container = self.docker.restart(self.app, self.properties)
        self.nginx.stage(self.layout.current, CONTAINER)
        self.nginx.point(self.container.address, self.container.port)
        self._serve(self.container)

    def discard(self) -> None:
        """Remove a new container that does not serve."""
        if self.container is not None and self.container.container_id != self.docker.current():
            self.docker.remove(self.container.container_id)
