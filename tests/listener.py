# SPDX-License-Identifier: GPL-3.0-or-later
"""A listener in place of AWS, for tests that nothing gets there."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Listener:
    """What stands where AWS would be: it counts, and refuses."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        seen = self.requests

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                seen.append(f"{self.command} {self.path}")
                self.send_error(403)

            do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_CONNECT = answer  # noqa: N815 - the names of http.server

            def log_message(self, *_arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self) -> Listener:
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_raised: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def environment(self, folder: Path) -> dict[str, str]:
        """The environment of somebody who works with AWS: a profile, a session, endpoints, a proxy."""
        (folder / "config").write_text(f"[profile shop]\nregion = eu-central-1\nendpoint_url = {self.url}\n")
        (folder / "credentials").write_text("[shop]\naws_access_key_id = AKIA0REAL\naws_secret_access_key = real\n")
        return {
            "AWS_CONFIG_FILE": str(folder / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(folder / "credentials"),
            "AWS_PROFILE": "shop",
            "AWS_SESSION_TOKEN": "real-session",
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ENDPOINT_URL_S3": self.url,
            "HTTPS_PROXY": self.url,
        }
