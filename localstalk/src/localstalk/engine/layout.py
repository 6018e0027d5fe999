# SPDX-License-Identifier: GPL-3.0-or-later
"""Where everything lies on an instance (docs/elastic_beanstalk.md §5, §6), below a root that tests may replace."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/aws/bin"


@dataclass(frozen=True)
class Layout:
    """The paths of one instance. ``generation`` is ``al2023``, ``al2`` or ``al1``."""

    root: Path
    generation: str = "al2023"

    def at(self, path: str) -> Path:
        """Return an absolute path of the instance as a path on this machine."""
        return self.root / path.lstrip("/")

    @property
    def search_path(self) -> str:
        """PATH for everything that the engine starts; under a test's root its own programs come first."""
        if self.root == Path("/"):
            return PATH
        return f"{self.at('/usr/bin')}:{os.environ.get('PATH', PATH)}"

    @property
    def opt(self) -> Path:
        """EB's own directory."""
        return self.at("/opt/elasticbeanstalk")

    @property
    def staging(self) -> Path:
        """Where the bundle is extracted."""
        return self.at("/tmp/deployment/application" if self.generation == "al1" else "/var/app/staging")  # noqa: S108

    @property
    def current(self) -> Path:
        """Where the application lies once it is deployed."""
        return self.at("/var/app/current")

    @property
    def bundle(self) -> Path:
        """The source bundle as it was downloaded."""
        name = "deploy/appsource/source_bundle" if self.generation == "al1" else "deployment/app_source_bundle"
        return self.opt / name

    @property
    def manifest(self) -> Path:
        """EB's note of application, version label and deployment id."""
        return self.opt / ("deploy/manifest" if self.generation == "al1" else "deployment/app_version_manifest.json")

    @property
    def env_list(self) -> Path:
        """Environment properties in the form that ``docker run --env-file`` reads."""
        return self.opt / "deployment/env.list"

    @property
    def state(self) -> Path:
        """What the engine remembers of its last command; root only, because it holds environment properties."""
        return self.opt / "config/private/localstalk-state.json"

    @property
    def log(self) -> Path:
        """The directory of all log files."""
        return self.at("/var/log")

    @property
    def engine_log(self) -> Path:
        """The log of the engine itself."""
        return self.log / ("eb-activity.log" if self.generation == "al1" else "eb-engine.log")

    def shown(self, path: Path) -> str:
        """Return a path as the instance's own log would print it."""
        try:
            return "/" + str(path.relative_to(self.root))
        except ValueError:
            return str(path)
