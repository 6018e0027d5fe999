# SPDX-License-Identifier: GPL-3.0-or-later
"""EC2's instance metadata service (both versions), for hooks and applications that ask who they are.

Without it, such a question would leave the instance, and some other machine might even answer it.
"""

from __future__ import annotations

import http.server
import json
import os
import secrets
import socketserver
import subprocess
from collections.abc import Mapping

ADDRESS = "169.254.169.254"
PORT = 8169
"""Port 80 of the address leads here: nginx has the instance's own port 80 on all addresses."""

ACCOUNT = "123456789012"
FACTS = "LOCALSTALK_INSTANCE"
"""Environment variable of the agent: instance_id, region, address as a JSON object."""


def document(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the instance identity document."""
    return {
        "accountId": ACCOUNT,
        "architecture": "x86_64",
        "availabilityZone": f"{facts['region']}a",
        "imageId": "ami-00000000000000000",
        "instanceId": facts["instance_id"],
        "instanceType": "t3.micro",
        "privateIp": facts["address"],
        "region": facts["region"],
        "version": "2017-09-30",
    }


def tree(facts: Mapping[str, str]) -> dict[str, str]:
    """Return path below ``/latest/`` -> text."""
    name = f"ip-{facts['address'].replace('.', '-')}.{facts['region']}.compute.internal"
    return {
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


def lookup(path: str, facts: Mapping[str, str]) -> str | None:
    """Return what ``GET path`` answers: a value, the list of what lies below a directory, or None."""
    below = path.split("?")[0].removeprefix("/").partition("/")[2].rstrip("/")
    values = tree(facts)
    if below in values:
        return values[below]
    start = f"{below}/" if below else ""
    found: dict[str, None] = {}
    for name in values:
        if name.startswith(start):
            first, more, _ = name[len(start) :].partition("/")
            found[first + more] = None
    return "\n".join(found) if found else None


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one question; tokens of version 2 are given to anybody and not asked for, as with optional tokens."""

    facts: Mapping[str, str] = {}

    def do_GET(self) -> None:
        """Answer with a value or a list."""
        text = lookup(self.path, self.facts)
        self._answer(404 if text is None else 200, text or "")

    def do_PUT(self) -> None:
        """Give a token."""
        known = self.path == "/latest/api/token"
        self._answer(200 if known else 404, secrets.token_urlsafe(40) if known else "")

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


def serve() -> None:
    """Serve until the instance ends."""
    Handler.facts = json.loads(os.environ[FACTS])
    for chain in ("OUTPUT", "PREROUTING"):
        rule = ["-d", ADDRESS, "-p", "tcp", "--dport", "80", "-j", "REDIRECT", "--to-ports", str(PORT)]
        subprocess.run(["iptables", "-w", "-t", "nat", "-A", chain, *rule], check=True)
    # Nothing else of the link-local range may leave the instance: the machine below may be somebody's real one.
    subprocess.run(["ip", "route", "add", "unreachable", "169.254.0.0/16"], check=True)
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    with Server(("", PORT), Handler) as server:
        server.serve_forever()
