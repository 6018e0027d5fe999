# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that an instance consists of: starts its Docker engine and runs what the driver asks for.

The driver connects to a unix socket and sends one JSON line, ``{"argv": […], "stdin": "…", "timeout": seconds}``.
The answer is one JSON line, ``{"returncode": …, "stdout": "…", "stderr": "…", "timed_out": …}``. ``{"stat": true}``
asks for processor time and requests instead. Every program runs in a session of its own, so that a timeout ends all
of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socketserver
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from .platforms import kind

DOCKER_SOCKET = "/var/run/docker.sock"
SHARED = Path("/run/localstalk")
AGENT_SOCKET = str(SHARED / "agent.sock")
AWS_CLI = Path("/opt/aws-cli/aws")
DOCKER_TOOLS = (Path("/usr/bin/docker"), Path("/usr/bin/docker-compose"))
PYTHON = Path("/opt/python-platform/venv")
"""What the Python platform has at /var/app/venv."""

FACTS = "LOCALSTALK_INSTANCE"
"""Environment variable: instance_id, region, address, account, generation, imds_v1 and branch as a JSON object."""
OWN_AGENT = "localstalk-probe"
"""The user agent of localstalk's own requests, which are no visits and no load balancer's checks."""
CHECKING_AGENT = "ELB-HealthChecker/"
"""How the user agent of a load balancer's health checks begins."""

ENGINE_START_SECONDS = 20.0
MAX_REQUEST = 16 * 1024 * 1024


def execute(request: dict[str, Any]) -> dict[str, Any]:
    """Run a program to its end or its timeout."""
    env = {**os.environ, **request.get("env", {})}
    try:
        process = subprocess.Popen(
            request["argv"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        return {"returncode": 127, "stdout": "", "stderr": str(error), "timed_out": False}
    timed_out = False
    try:
        stdout, stderr = process.communicate(request.get("stdin", "").encode(), timeout=request["timeout"])
    except subprocess.TimeoutExpired:
        timed_out = True
        end_session(process.pid)
        stdout, stderr = process.communicate()
    return {
        "returncode": process.returncode,
        "stdout": stdout.decode("utf-8", errors="replace"),
        "stderr": stderr.decode("utf-8", errors="replace"),
        "timed_out": timed_out,
    }


def end_session(session: int) -> None:
    """Kill all processes of a session: hooks may have made process groups of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if os.getsid(int(entry.name)) == session:
                    os.kill(int(entry.name), signal.SIGKILL)


class AccessLog:
    """Counts the requests in nginx's access log; what it has read it does not read again."""

    _STATUS = re.compile(rb'" ([1-5])\d\d \d+ ')

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read = 0
        self._visits: Counter[str] = Counter()
        self._checks: Counter[str] = Counter()
        self._lock = threading.Lock()

    def counts(self) -> tuple[dict[str, int], dict[str, int]]:
        """Requests and health checks so far, by the first digit of their status; localstalk's own are neither."""
        with self._lock, contextlib.suppress(OSError), self.path.open("rb") as file:
            self._read = 0 if file.seek(0, os.SEEK_END) < self._read else self._read
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                found = self._STATUS.search(line)
                if found and OWN_AGENT.encode() not in line:
                    kind = self._checks if CHECKING_AGENT.encode() in line else self._visits
                    kind[found.group(1).decode()] += 1
        return dict(self._visits), dict(self._checks)


ACCESS_LOG = AccessLog(Path("/var/log/nginx/access.log"))


def stat() -> dict[str, Any]:
    """Return the seconds of processor time, the requests and the health checks that there were so far."""
    seconds = 0.0
    version1, version2 = Path("/sys/fs/cgroup/cpuacct/cpuacct.usage"), Path("/sys/fs/cgroup/cpu.stat")
    with contextlib.suppress(OSError, ValueError, IndexError):
        if version1.exists():
            seconds = int(version1.read_text()) / 1e9
        elif version2.exists():
            seconds = int(version2.read_text().split()[1]) / 1e6
    requests, checks = ACCESS_LOG.counts()
    return {"cpu_seconds": seconds, "requests": requests, "checks": checks, "at": time.monotonic()}


class Handler(socketserver.StreamRequestHandler):
    """Serves one request."""

    def handle(self) -> None:
        """Read a line, act, answer with a line."""
        line = self.rfile.readline(MAX_REQUEST)
        if not line:
            return
        request = json.loads(line)
        answer = stat() if request.get("stat") else execute(request)
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(json.dumps(answer).encode() + b"\n")


class Server(socketserver.ThreadingUnixStreamServer):
    """One thread per request."""

    daemon_threads = True
    request_queue_size = 64


def link_tools(generation: str) -> None:
    """Put programs of Amazon Linux that hooks call on the path, or stand-ins for them.

    The AWS CLI of Amazon Linux 2 and before is years older than any that can be had here: better none than a newer one.
    """
    tools = [Path(__file__).parent / "bin" / name for name in ("ec2-metadata", "systemctl")]
    for tool in [*tools, AWS_CLI] if generation == "al2023" else tools:
        with contextlib.suppress(FileExistsError):
            Path("/usr/bin", tool.name).symlink_to(tool)


def start_docker() -> subprocess.Popen[bytes]:
    """Start the instance's Docker engine and wait until its socket is there."""
    Path(DOCKER_SOCKET).unlink(missing_ok=True)
    with Path("/var/log/docker").open("ab") as log:
        process = subprocess.Popen(
            ["podman", "system", "service", "--time=0", f"unix://{DOCKER_SOCKET}"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    deadline = time.monotonic() + ENGINE_START_SECONDS
    while not Path(DOCKER_SOCKET).exists():
        if process.poll() is not None or time.monotonic() > deadline:
            sys.stderr.write("the Docker engine did not start; see /var/log/docker\n")
            sys.exit(1)
        time.sleep(0.01)
    return process


def become_python() -> None:
    """Make this an instance of the Python platform, which has a virtual environment and no Docker."""
    with contextlib.suppress(FileExistsError):
        Path("/var/app/venv").symlink_to(PYTHON)
    for tool in DOCKER_TOOLS:
        tool.unlink(missing_ok=True)


def serve_amazon(facts: dict[str, Any]) -> None:
    """Serve the instance's metadata and open its way to AWS's API; the Docker engine can start meanwhile."""
    from . import api, imds

    socket = SHARED / imds.API_SOCKET
    if socket.exists():
        api.open_way(str(socket), facts["region"])
    imds.serve(facts, str(socket))


def prepare_cgroup() -> None:
    """Let containers have cgroups of their own where there is only version 2: it allows no process beside subgroups."""
    root = Path("/sys/fs/cgroup")
    if not (root / "cgroup.controllers").exists():
        return
    with contextlib.suppress(OSError):
        (root / "init").mkdir(exist_ok=True)
        for pid in (root / "cgroup.procs").read_text().split():
            (root / "init/cgroup.procs").write_text(pid)
        controllers = (root / "cgroup.controllers").read_text().split()
        (root / "cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in controllers))


def main() -> int:
    """Serve until the instance ends."""
    os.umask(0o022)
    prepare_cgroup()
    facts = json.loads(os.environ[FACTS])
    link_tools(facts["generation"])
    threading.Thread(target=serve_amazon, args=(facts,), daemon=True).start()
    docker = None
    if kind(facts["branch"], facts["generation"]) == "python":
        become_python()
    else:
        docker = start_docker()
    Path(AGENT_SOCKET).unlink(missing_ok=True)
    with Server(AGENT_SOCKET, Handler) as server:
        server.serve_forever()
    if docker is not None:
        docker.terminate()
    return 0


if __name__ == "__main__":
    sys.exit(main())
