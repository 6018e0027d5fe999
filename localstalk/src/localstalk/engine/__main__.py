# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one engine command: a request as JSON on standard input, exactly one JSON answer on standard output."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import sys
from pathlib import Path

from . import logs
from .al1 import Al1Engine
from .deployment_log import DeploymentLog
from .docker import write_private
from .engine import Engine
from .layout import Layout
from .request import Answer, Request


def remember(layout: Layout, request: Request) -> None:
    """Keep what ``get-config`` shows, readable by root only."""
    data = {
        "properties": dict(request.properties),
        "options": {namespace: dict(options) for namespace, options in request.options.items()},
        "instance": vars(request.instance),
        "version_label": request.version_label,
        "deployment_id": request.deployment_id,
    }
    write_private(layout.state, json.dumps(data))


def execute(layout: Layout, request: Request) -> Answer:
    """Run a request; log requests do not wait for other commands, all others run one at a time."""
    if request.name == "tail-log":
        return Answer("SUCCESS", 0, logs.tail(layout))
    if request.name == "bundle-log":
        return Answer("SUCCESS", 0, "", archive=base64.b64encode(logs.bundle(layout)).decode())
    layout.state.parent.mkdir(parents=True, exist_ok=True)
    with layout.state.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        remember(layout, request)
        if layout.generation == "al1":
            return Al1Engine(layout, request).execute()
        engine = Engine(layout, request)
        if not request.deployment_log:
            return engine.execute()
        with DeploymentLog(layout, request) as deployment_log:
            engine.log.listener = deployment_log.take
            return engine.execute()


def main() -> int:
    """Serve one request."""
    os.umask(0o022)
    request = Request.from_json(sys.stdin.read())
    layout = Layout(Path(os.environ.get("LOCALSTALK_ROOT", "/")), request.instance.generation)
    sys.stdout.write(execute(layout, request).to_json())
    return 0


if __name__ == "__main__":
    sys.exit(main())
