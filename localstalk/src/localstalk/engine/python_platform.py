# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python platform: requirements in a virtual environment on the instance, processes of a Procfile behind nginx.

Facts and texts: docs/elastic_beanstalk.md §6.1.
"""

from __future__ import annotations

import configparser
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from . import source
from .docker import write_private
from .layout import Layout
from .logs import EngineLog
from .nginx import Nginx
from .platforms import Instruction
from .process import run
from .processes import USER, Processes
from .request import CommandError, Event, Request

OPTIONS = "aws:elasticbeanstalk:container:python"
PROXY = "aws:elasticbeanstalk:environment:proxy"
STATIC_FILES = f"{PROXY}:staticfiles"
VIRTUAL_ENVIRONMENT = "/var/app/venv/staging-LQM1lest"
DEPENDENCIES = (
    ("requirements.txt", "Pip", "pip install -r requirements.txt"),
    ("Pipfile.lock", "Pipenv", "pipenv sync"),
    ("Pipfile", "Pipenv", "pipenv install --skip-lock"),
)
"""File, tool and command; the first file that the bundle has counts."""

GUNICORN = "gunicorn --bind 127.0.0.1:8000 --workers={NumProcesses} --threads={NumThreads} {WSGIPath}"
DEFAULTS = {"NumProcesses": "1", "NumThreads": "15", "WSGIPath": "application"}
PROCESS = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")
INSTALL_FAILED = "Instance deployment failed to install application dependencies. The deployment failed."
USED_PROCFILE = "Instance deployment used the commands in your 'Procfile' to initiate startup of your application."
MADE_PROCFILE = "Instance deployment successfully generated a 'Procfile'."


class PythonPlatform:
    """Implements :class:`.platforms.Platform`."""

    port = "8000"

    def __init__(self, layout: Layout, request: Request, log: EngineLog) -> None:
        self.layout = layout
        self.request = request
        self.log = log
        self.programs = layout.at(VIRTUAL_ENVIRONMENT) / "bin"
        self.properties: Mapping[str, str] = {"PYTHONPATH": f"{VIRTUAL_ENVIRONMENT}/bin", **request.properties}
        self.nginx = Nginx(layout, log.info)
        self.processes = Processes(layout, log.info)
        self.events: list[Event] = []

    def stage(self) -> None:
        """The application belongs to the user that runs it."""
        done = run(["chown", "-R", f"{USER}:{USER}", str(self.layout.staging)], env={"PATH": self.layout.search_path})
        if done.returncode != 0:
            raise CommandError(f"failed to change the owner of the application: {done.stderr}")

    def build(self) -> list[Instruction]:
        """Requirements, the start command and the web server's configuration."""
        return [
            ("InstallDependency", self._install),
            ("CheckProcfileForPythonApplication", self._announce_commands),
            ("configure proxy Nginx", lambda: self._stage_nginx(self.layout.staging)),
        ]

    def _install(self) -> None:
        self.log.info(f"This local instance has Python {sys.version_info.major}.{sys.version_info.minor}, of Debian.")
        self.log.info("checking dependencies file")
        for name, tool, command in DEPENDENCIES:
            if (self.layout.staging / name).is_file():
                self.log.info(f"Installing dependencies with {name} by using {tool}")
                self._run_in_environment(name, command)
                return

    def _run_in_environment(self, name: str, command: str) -> None:
        shown = f"{VIRTUAL_ENVIRONMENT}/bin/{command}"
        self.log.info(f"Running command: {shown}")
        argv = [str(self.programs / command.split()[0]), *command.split()[1:]]
        environment = {
            "PATH": f"{self.programs}:{self.layout.search_path}",
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "VIRTUAL_ENV": str(self.layout.at(VIRTUAL_ENVIRONMENT)),
            **_way_to_the_index(self.layout.at("/etc/pip.conf")),
        }
        done = run(argv, env=environment, cwd=self.layout.staging, on_line=lambda _, line: self.log.info(line))
        if done.returncode != 0:
            how = f"Command {shown} failed with error exit status {done.returncode}. Stderr:{done.stderr}"
            text = f"fail to install dependencies with {name} file with error {how}"
            raise CommandError(text, (Event("ERROR", INSTALL_FAILED),), done.output)

    def _announce_commands(self) -> None:
        self.commands(self.layout.staging)
        made = not (self.layout.staging / "Procfile").is_file()
        self.events.append(Event("INFO", MADE_PROCFILE if made else USED_PROCFILE))

    def commands(self, application: Path) -> dict[str, str]:
        """Return the shell commands to start, by name: of the Procfile, else gunicorn; raises CommandError."""
        procfile = application / "Procfile"
        if not procfile.is_file():
            values = {name: self.request.option(OPTIONS, name, default) for name, default in DEFAULTS.items()}
            return {"web": GUNICORN.format(**values)}
        found = {}
        for line in filter(str.strip, procfile.read_text("utf-8", errors="replace").splitlines()):
            match = PROCESS.fullmatch(line.strip())
            if match is None:
                raise CommandError(f"Procfile is invalid: the line '{line.strip()}' is not of the form 'name: command'")
            found[match.group(1)] = match.group(2)
        return found

    def _stage_nginx(self, application: Path) -> None:
        proxy = self.request.option(PROXY, "ProxyServer", "nginx")
        if proxy != "nginx":
            raise CommandError(f"This local instance has nginx only: ProxyServer of {PROXY} cannot be '{proxy}'")
        port = self.properties.get("PORT", self.port)
        self.nginx.stage(application, f"http://127.0.0.1:{port}", self.request.options.get(STATIC_FILES))

    def flip(self) -> list[Instruction]:
        """The old processes end, and only then the new ones start, with nobody to serve in between."""
        return [("stop proxy", self.nginx.stop), ("FlipApplication", self._flip)]

    def _flip(self) -> None:
        self.log.info("Fetching environment variables...")
        self.processes.stop()
        self.log.info("Removing /var/app/current/ if it exists")
        self.log.info("Renaming /var/app/staging/ to /var/app/current/")
        source.move(self.layout.staging, self.layout.current)
        self._start()

    def _start(self) -> None:
        home = f"/home/{USER}"
        environment = {
            "HOME": home,
            "USER": USER,
            "LOGNAME": USER,
            "LANG": "C.UTF-8",
            "PORT": self.port,
            "PATH": f"{self.programs}:{self.layout.search_path}",
            **self.properties,
        }
        one_line = {name: value for name, value in environment.items() if "\n" not in value}
        text = "".join(f"{name}={value}\n" for name, value in sorted(one_line.items()))
        write_private(self.layout.env_list.with_name("env"), text)
        self.processes.start(self.commands(self.layout.current), environment)

    def serve(self) -> list[Instruction]:
        """The web server, with what was configured for this application."""
        return [("start proxy with new configuration", self._serve)]

    def _serve(self) -> None:
        self.nginx.check()
        self.nginx.activate()
        self.nginx.start()

    def track(self) -> None:
        """The processes of the Procfile run."""
        port = self.properties.get("PORT", self.port)
        self.processes.track(int(port) if port.isdigit() else 0)

    def configure(self) -> None:
        """Static files and the port may have changed."""
        self._stage_nginx(self.layout.current)

    def restart(self) -> None:
        """All processes and the web server, with the properties of now."""
        self._stage_nginx(self.layout.current)
        self.nginx.stop()
        self.processes.stop()
        self._start()
        self._serve()
        self.track()

    def discard(self) -> None:
        """Nothing: the new processes have replaced the old ones, or none has started."""


def _way_to_the_index(configuration: Path) -> dict[str, str]:
    """Return the settings of a pip configuration as variables: Pipenv keeps pip from reading the file."""
    parser = configparser.RawConfigParser()
    parser.read(configuration, encoding="utf-8")
    settings = parser["global"] if parser.has_section("global") else {}
    return {f"PIP_{name.upper().replace('-', '_')}": value for name, value in settings.items()}
