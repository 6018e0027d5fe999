# SPDX-License-Identifier: GPL-3.0-or-later
"""HAProxy's configuration as a pure function of what the load balancers should do."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

from localstalk.driver import HealthCheck

MIN_INTERVAL = 0.5
"""Seconds between two health checks at least: many more would keep a small machine busy."""

MIN_TIMEOUT = 2.0
"""Seconds that an application has for the answer to a health check at least, however fast the clock runs."""

INSTANCE_PORT = 80
FULL_WEIGHT = 100


@dataclass
class LoadBalancer:
    """One environment's load balancer: its own address, its targets (instance id -> address), and their weights."""

    address: str
    health_check: HealthCheck
    targets: dict[str, str] = field(default_factory=dict)
    weights: dict[str, int] = field(default_factory=dict)


@dataclass
class State:
    """Everything the edge does. ``names`` maps a public name to (its address, the environment it leads to)."""

    port: int
    guard: str
    balancers: dict[str, LoadBalancer] = field(default_factory=dict)
    names: dict[str, tuple[str, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Paths:
    """HAProxy's own files."""

    config: Path
    stats: Path
    master: Path
    servers: Path


def log_format() -> str:
    """Return the format of an access log line: one JSON object."""
    fields = {
        "at": "%[date,utime(%Y-%m-%dT%H:%M:%SZ)]",
        "environment": "%b",
        "instance": "%s",
        "client": "%ci",
        "method": "%[capture.req.method,json(utf8s)]",
        "path": "%[capture.req.uri,json(utf8s)]",
        "host": "%[capture.req.hdr(0),json(utf8s)]",
        "status": "%ST",
        "bytes": "%B",
        "milliseconds": "%Ta",
        "end": "%ts",
    }
    numbers = {"status", "bytes", "milliseconds"}
    parts = [f"{json.dumps(name)}: " + (value if name in numbers else f'"{value}"') for name, value in fields.items()]
    # HAProxy reads a quoted text: blanks and quotes are escaped there.
    return "{" + ", ".join(parts) + "}"


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _matcher(matcher: str) -> str:
    """Return a load balancer's matcher (``200``, ``200,302``, ``200-399``) as HAProxy's; anything else is 200."""
    return matcher.replace(" ", "") if re.fullmatch(r"\s*\d{3}(-\d{3})?(\s*,\s*\d{3}(-\d{3})?)*\s*", matcher) else "200"


def _path(path: str) -> str:
    """Return the path of a health check; ``HTTP:80/path`` of a classic load balancer is understood."""
    path = re.sub(r"^[A-Za-z]+:\d+", "", path) or "/"
    return path if re.fullmatch(r"/[!-~]*", path) else "/"


def interval(check: HealthCheck, speed: float) -> float:
    """Return the real seconds between two checks."""
    return max(MIN_INTERVAL, check.interval / speed)


def check_weight(check: HealthCheck, speed: float) -> float:
    """Return how many of AWS's health checks one of HAProxy's stands for, as those keep pace with the clock."""
    return interval(check, speed) / check.interval


def _backend(environment_id: str, balancer: LoadBalancer, speed: float) -> list[str]:
    check = balancer.health_check
    timeout = max(MIN_TIMEOUT, check.timeout / speed)
    lines = [
        f"backend {environment_id}",
        "  option httpchk",
        # As AWS's load balancer does, with the target's own address for a Host: what Django calls an allowed host.
        f"  http-check send meth GET uri {_quoted(_path(check.path))} ver HTTP/1.1 hdr Host %si"
        " hdr User-Agent ELB-HealthChecker/2.0",
        f"  http-check expect status {_matcher(check.matcher)}",
        f"  timeout check {int(timeout * 1000)}ms",
        f"  default-server inter {int(interval(check, speed) * 1000)}ms rise {check.healthy_threshold}"
        f" fall {check.unhealthy_threshold}",
    ]
    for instance_id, address in sorted(balancer.targets.items()):
        weight = balancer.weights.get(instance_id, FULL_WEIGHT)
        lines.append(f"  server {instance_id} {address}:{INSTANCE_PORT} check weight {weight}")
    return lines


def _frontend(name: str, address: str, port: int, environment_id: str) -> list[str]:
    return [
        f"frontend {name}",
        f"  bind {address}:{port}",
        "  capture request header Host len 255",
        "  http-request set-header X-Forwarded-Proto http",
        f"  http-request set-header X-Forwarded-Port {port}",
        f"  default_backend {environment_id}",
    ]


def render(state: State, paths: Paths, speed: float, version: int) -> str:
    """Return the whole configuration; ``version`` can be asked for at the stats socket (``Description``)."""
    lines = [
        "global",
        "  master-worker",
        "  log stdout len 8192 format raw local0 info",
        f"  stats socket {paths.stats} mode 600 level admin expose-fd listeners",
        f"  server-state-file {paths.servers}",
        f"  description {version}",
        # Without this, a second HAProxy could share a port with ours, and steal half of its requests.
        "  noreuseport",
        "  maxconn 4000",
        "  hard-stop-after 60s",
        "",
        "defaults",
        "  mode http",
        "  log global",
        f"  log-format {_quoted(log_format())}",
        "  load-server-state-from-file global",
        "  option http-keep-alive",
        "  option forwardfor",
        # A target that refuses the connection has not seen the request: another one may get it.
        "  option redispatch",
        "  retries 3",
        "  retry-on conn-failure",
        "  timeout connect 5s",
        "  timeout client 60s",
        "  timeout server 60s",
        "  timeout http-request 60s",
        "  timeout queue 5s",
        "",
        "frontend guard",
        f"  bind {state.guard}:{state.port}",
        '  http-request return status 404 content-type text/plain string "localstalk\'s edge"',
    ]
    for environment_id, balancer in sorted(state.balancers.items()):
        lines += ["", *_frontend(f"balancer-{environment_id}", balancer.address, state.port, environment_id)]
        lines += ["", *_backend(environment_id, balancer, speed)]
    for fqdn, (address, environment_id) in sorted(state.names.items()):
        # A name whose environment has gone leads to a closed port, as real DNS would to a dead address.
        if environment_id in state.balancers:
            lines += ["", *_frontend(f"name-{fqdn}", address, state.port, environment_id)]
    return "\n".join(lines) + "\n"
