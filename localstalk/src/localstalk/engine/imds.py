# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2's instance metadata service (both versions), for hooks and applications that ask who they are.

Without it, such a question would leave the instance, and some other machine might even answer it. The credentials of
the instance profile come from localstalk, by the socket through which this instance reaches AWS's API.
"""

from __future__ import annotations

import http.client
import http.server
import json
import secrets
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Mapping
from typing import Any

ADDRESS = "169.254.169.254"
PORT = 8169
"""Port 80 of the address leads here: nginx has the instance's own port 80 on all addresses."""

API_SOCKET = "api.sock"
"""Name of this instance's own way to AWS's API, in the directory that it shares with the daemon."""

ROLE_PATH = "/_localstalk/instance-role"
"""What the daemon answers there: ``{"info": …, "role": …, "credentials": …}``, or 404 without a usable profile."""

MAX_TOKEN_SECONDS = 21600
API_SECONDS = 10.0


def document(facts: Mapping[str, Any]) -> dict[str, str]:
    """Return the instance identity document."""
    return {
        "accountId": facts["account"],
        "architecture": "x86_64",
        "availabilityZone": f"{facts['region']}a",
        "imageId": "ami-00000000000000000",
        "instanceId": facts["instance_id"],
        "instanceType": "t3.micro",
        "privateIp": facts["address"],
        "region": facts["region"],
        "version": "2017-09-30",
    }


def tree(facts: Mapping[str, Any], role: Mapping[str, Any] | None = None) -> dict[str, str]:
    """Return path below ``/latest/`` -> text; ``role`` is what the daemon says of the instance profile."""
    name = f"ip-{facts['address'].replace('.', '-')}.{facts['region']}.compute.internal"
    values = {
        "dynamic/instance-identity/document": json.dumps(document(facts), indent=2),
        "meta-data/ami-id": "ami-00000000000000000",
        "meta-data/hostname": name,
        "meta-data/instance-id": facts["instance_id"],
        "meta-data/instance-type": "t3.micro",
        "meta-data/local-hostname": name,
        "meta-data/local-ipv4": facts["address"],
        "meta-data/placement/availability-zone": f"{facts['region']}a",
        "meta-data/placement/region": facts["region"],
        "meta-data/public-hostname": name,
        "meta-data/public-ipv4": facts["address"],
        "meta-data/services/domain": "amazonaws.com",
    }
    if role is not None:
        values["meta-data/iam/info"] = json.dumps(role["info"], indent=2)
        values[f"meta-data/iam/security-credentials/{role['role']}"] = json.dumps(role["credentials"], indent=2)
    return values


def lookup(path: str, facts: Mapping[str, Any], role: Mapping[str, Any] | None = None) -> str | None:
    """Return what ``GET path`` answers: a value, the list of what lies below a directory, or None."""
    below = path.split("?")[0].removeprefix("/").partition("/")[2].rstrip("/")
    values = tree(facts, role)
    if below in values:
        return values[below]
    start = f"{below}/" if below else ""
    found: dict[str, None] = {}
    for name in values:
        if name.startswith(start):
            first, more, _ = name[len(start) :].partition("/")
            found[first + more] = None
    return "\n".join(found) if found else None


class Tokens:
    """The tokens of version 2, each good for as long as who asked for it wanted."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: dict[str, float] = {}

    def give(self, seconds: str | None) -> str | None:
        """Return a new token, or None when ``seconds`` is not a number from 1 to 21600."""
        if seconds is None or not seconds.isdecimal() or not 1 <= int(seconds) <= MAX_TOKEN_SECONDS:
            return None
        token = secrets.token_urlsafe(40)
        with self._lock:
            now = time.monotonic()
            self._ends = {known: end for known, end in self._ends.items() if end > now}
            self._ends[token] = now + int(seconds)
        return token

    def good(self, token: str) -> bool:
        """Return whether a token was given and is not over."""
        with self._lock:
            return self._ends.get(token, 0.0) > time.monotonic()


class ApiConnection(http.client.HTTPConnection):
    """HTTP to the daemon by a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=API_SECONDS)
        self.path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def instance_role(api: str) -> dict[str, Any] | None:
    """Return what the daemon says of the instance profile's role, or None when there is none to be had."""
    connection = ApiConnection(api)
    try:
        connection.request("GET", ROLE_PATH)
        answer = connection.getresponse()
        found: dict[str, Any] | None = json.loads(answer.read()) if answer.status == 200 else None
        return found
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one question."""

    facts: Mapping[str, Any] = {}
    api = ""
    tokens = Tokens()

    def do_GET(self) -> None:
        """Answer with a value or a list; 401 where EC2 wants a (better) token."""
        token = self.headers.get("X-aws-ec2-metadata-token")
        if not self.facts["imds_v1"] if token is None else not self.tokens.good(token):
            self._answer(401, "")
            return
        role = instance_role(self.api) if "/iam" in self.path or self.path.endswith("/meta-data/") else None
        text = lookup(self.path, self.facts, role)
        self._answer(404 if text is None else 200, text or "")

    def do_PUT(self) -> None:
        """Give a token, but not through somebody else's proxy."""
        if self.path != "/latest/api/token":
            self._answer(404, "")
        elif "X-Forwarded-For" in self.headers:
            self._answer(403, "")
        else:
            token = self.tokens.give(self.headers.get("X-aws-ec2-metadata-token-ttl-seconds"))
            self._answer(400 if token is None else 200, token or "")

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(socketserver.ThreadingTCPServer):
    """One thread per question."""

    allow_reuse_address = True
    daemon_threads = True


def serve(facts: Mapping[str, Any], api: str) -> None:
    """Serve until the instance ends. ``api`` is the path of the socket that leads to the daemon."""
    Handler.facts = facts
    Handler.api = api
    for chain in ("OUTPUT", "PREROUTING"):
        rule = ["-d", ADDRESS, "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", str(PORT)]
        subprocess.run(["iptables", "-w", "-t", "nat", "-A", chain, *rule], check=True)
    # Nothing else of the link-local range may leave the instance: the machine below may be somebody's real one.
    subprocess.run(["ip", "route", "add", "unreachable", "169.254.0.0/16"], check=True)
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    with Server(("", PORT), Handler) as server:
        server.serve_forever()
