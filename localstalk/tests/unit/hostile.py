# SPDX-License-Identifier: GPL-3.0-or-later
"""A web page of somebody else's in the user's browser, and all that it tries against localstalk."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from browser import Browser

from localstalk.testing import Localstalk

FORM = "application/x-www-form-urlencoded"
KEYS = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/elasticbeanstalk/aws4_request"
CREATE = "Action=CreateApplication&ApplicationName=pwned&Version=2010-12-01"
LIST = "/?Action=DescribeEnvironments&Version=2010-12-01"
FAULT = json.dumps({"kind": "drop", "service": "elasticbeanstalk"})
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    (LIST, {}),
    (LIST, {"mode": "no-cors"}),
    ("/", {}),
    ("/", {"method": "POST", "body": CREATE, "headers": {"Content-Type": FORM}}),
    ("/", {"method": "POST", "body": CREATE, "headers": {"Content-Type": FORM}, "mode": "no-cors"}),
    ("/", {"method": "POST", "body": CREATE, "headers": {"Content-Type": FORM, "Authorization": f"{KEYS}, x"}}),
    ("/pwned", {"method": "PUT"}),
    ("/pwned/bundle.zip", {"method": "PUT", "body": "PK"}),
    ("/pwned/bundle.zip?AWSAccessKeyId=localstalk&Expires=4000000000&Signature=x", {"method": "PUT", "body": "PK"}),
    ("/pwned?delete", {"method": "POST", "body": "<Delete/>", "mode": "no-cors"}),
    ("/_localstalk/faults", {"method": "POST", "body": FAULT, "mode": "no-cors"}),
    ("/_localstalk/faults", {"method": "POST", "body": FAULT, "headers": {"Content-Type": "application/json"}}),
    ("/_localstalk/faults", {"method": "DELETE"}),
    ("/_localstalk/health", {"credentials": "include"}),
    ("/_localstalk/environments", {}),
    ("/_localstalk/ui/link", {"method": "POST", "mode": "no-cors", "credentials": "include"}),
    ("/_localstalk/ui", {"credentials": "include"}),
    ("/moto-api/reset", {"method": "POST", "mode": "no-cors"}),
]
_ATTACK = """
const [target, requests, done] = [arguments[0], arguments[1], arguments[2]];
const told = [];
const attempt = async (path, options) => {
  try {
    const answer = await fetch(target + path, options);
    const opaque = answer.type === "opaque";
    told.push([path, opaque ? "opaque" : answer.status, opaque ? "" : await answer.text()]);
  } catch (error) { told.push([path, "blocked", ""]); }
};
const form = (path, name, value) => new Promise((resolve) => {
  const frame = document.createElement("iframe");
  frame.name = `frame-${Math.random()}`;
  document.body.append(frame);
  const sent = document.createElement("form");
  Object.assign(sent, { method: "POST", action: target + path, enctype: "text/plain", target: frame.name });
  const field = document.createElement("input");
  Object.assign(field, { name, value });
  sent.append(field);
  document.body.append(sent);
  let loads = 0;
  frame.onload = () => { loads += 1; if (frame.dataset.sent) resolve(); };
  frame.dataset.sent = "yes";
  sent.submit();
});
const load = (tag, path) => new Promise((resolve) => {
  const element = document.createElement(tag);
  element.onload = () => { told.push([path, `${tag} loaded`, ""]); resolve(); };
  element.onerror = resolve;
  element.src = target + path;
  document.body.append(element);
});
const stream = () => new Promise((resolve) => {
  const source = new EventSource(`${target}/_localstalk/ui/stream`, { withCredentials: true });
  source.onmessage = (event) => { told.push(["stream", 200, event.data]); source.close(); resolve(); };
  source.onerror = () => { source.close(); resolve(); };
});
(async () => {
  for (const [path, options] of requests) await attempt(path, options);
  await form("/_localstalk/faults", '{"kind":"drop","x":"', '"}');
  await form("/", "Action", "CreateApplication");
  await load("script", "/_localstalk/ui");
  await load("img", "/_localstalk/health");
  await stream();
  done(told);
})();
"""


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b"<!DOCTYPE html><title>nice pictures</title><body>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Site(http.server.ThreadingHTTPServer):
    """Closed, it answers nobody any more, also not on the connections that a browser opens ahead of its requests."""

    daemon_threads = False  # server_close waits for them

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Page)
        self._taken: list[socket.socket] = []

    def process_request(self, request: Any, client_address: Any) -> None:
        self._taken.append(request)
        super().process_request(request, client_address)

    def server_close(self) -> None:
        for each in self._taken:
            with suppress(OSError):  # most are closed already
                each.shutdown(socket.SHUT_RDWR)
        super().server_close()


@contextmanager
def hostile_site() -> Iterator[int]:
    """A web server of somebody else's; its port. Its names are 127.0.0.1 and all that end with ``.example``."""
    with _Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def attack(browser: Browser, target: str) -> list[list[Any]]:
    """Let the page that is open try everything: what it could read, as path, status and text."""
    browser.set_script_timeout(60)
    told: list[list[Any]] = browser.execute_async_script(_ATTACK, target, REQUESTS)
    return told


def from_other_origins(browser: Browser, running: Localstalk) -> None:
    """Pages of another site and of another port, in a browser that has the page of localstalk open."""
    browser.get(running.open_page())
    assert browser.execute_script("return document.title") == "localstalk"
    with hostile_site() as port:
        for host in ("evil.example", "127.0.0.1"):
            browser.get(f"http://{host}:{port}/")
            assert browser.title == "nice pictures"
            told = attack(browser, running.url)
            assert {status for _, status, _ in told} <= {"blocked", "opaque"}, told
            assert_untouched(running)


def from_a_name_that_leads_here(browser: Browser, home: Path, *arguments: str) -> None:
    """A page of the same origin: its name first led to another server on the same port (DNS rebinding)."""
    with hostile_site() as port:
        browser.get(f"http://evil.example:{port}/")
        assert browser.title == "nice pictures"
    running = Localstalk(home, "--port", str(port), *arguments)
    try:
        told = attack(browser, f"http://evil.example:{port}")
        assert len(told) >= len(REQUESTS)
        assert {status for _, status, _ in told} <= {403, 400, "opaque"}, told
        said = "".join(text for _, _, text in told)
        assert running.environ["AWS_ACCESS_KEY_ID"] not in said
        assert str(home) not in said
        assert_untouched(running)
    finally:
        browser.get("about:blank")
        running.close()


def assert_untouched(running: Localstalk) -> None:
    assert json.loads(running.ask("faults")) == []
    assert running.client("elasticbeanstalk").describe_applications()["Applications"] == []
    assert running.client("s3").list_buckets()["Buckets"] == []
    refused = ("CreateApplication", "PUT", "POST", "DELETE")
    assert not [each for each in json.loads(running.ask("calls")) if each.partition(":")[2] in refused]
