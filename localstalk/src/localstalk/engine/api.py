# SPDX-License-Identifier: GPL-3.0-or-later
"""The instance's way to AWS's API, which is localstalk's: an address of its own, and AWS configuration that names it.

The other end is a unix socket of the daemon, so that nobody outside of the machine can come this way.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

ADDRESS = "169.254.170.1"
"""Link-local, so that the instance's own containers reach it as they reach the metadata service."""

PORT = 8170
URL = f"http://{ADDRESS}:{PORT}"
USERS = ("root", "ec2-user", "webapp")


def configuration(region: str) -> str:
    """Return an AWS configuration file. The AWS CLI of Amazon Linux takes the region from the metadata service."""
    return f"[default]\nregion = {region}\nendpoint_url = {URL}\n"


def open_way(socket: str, region: str) -> None:
    """Let everything on this instance reach the API behind the unix socket."""
    subprocess.run(["ip", "address", "add", f"{ADDRESS}/32", "dev", "lo"], check=True)
    subprocess.Popen(
        ["socat", f"TCP-LISTEN:{PORT},bind={ADDRESS},reuseaddr,fork,backlog=64", f"UNIX-CONNECT:{socket}"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    for user in USERS:
        home = Path(f"~{user}").expanduser()
        (home / ".aws").mkdir(exist_ok=True)
        (home / ".aws/config").write_text(configuration(region))
