# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP side: moto's services, Elastic Beanstalk among them, and our own pages under ``/_localstalk/``."""

from __future__ import annotations

import json
import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from werkzeug.serving import BaseWSGIServer, make_server

from localstalk import __version__, accounts, iam, injection, quotas, refusals, ui
from localstalk.access.guard import CALLER, Guard
from localstalk.calls import CallCounter
from localstalk.driver import Command, DriverError
from localstalk.keys import ACCOUNT
from localstalk.model.control import Control
from localstalk.ui import feed

if TYPE_CHECKING:
    from localstalk.model.region import Region

log = logging.getLogger(__name__)
StartResponse = Callable[..., Any]
WsgiApplication = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]
ADMIN_PATH = "/_localstalk/"
_LOG_SECONDS = 30.0
"""How long the page waits for an instance's logs."""
_MOTO_PATH = "/moto-api"


class Application:
    """The WSGI application of one daemon."""

    def __init__(self, control: Control, *, auth: bool = True) -> None:
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        class Dispatcher(DomainDispatcherApplication):  # type: ignore[misc]
            """moto lists its own source folder for every request: half of the time of a small call."""

            get_backend_for_host = cache(DomainDispatcherApplication.get_backend_for_host)

        import localstalk.elasticbeanstalk.models as models

        models.install(control)
        self.control = control
        self.guard = Guard(lambda: self.control.keys, auth=auth)
        self.calls = CallCounter()
        self.restart: Callable[[float, object], None] = _no_restart
        """What the fault of that name does: be away for seconds, after the answer on the given socket."""

        def create(service: str) -> Any:
            # Only now: moto's modules for these are not needed before.
            if service == "ssm":
                from localstalk import run_command

                run_command.install(lambda: self.control)
            if service == "iam":
                accounts.iam(ACCOUNT)
                iam.answer_simulations()
            if service == "autoscaling":
                from localstalk.model import groups

                groups.answer_limits(lambda: self.control.quotas["Environment"])
            if service == "servicequotas":
                quotas.answer_quota(lambda: self.control.quotas["Environment"])
            if service == "s3":
                from localstalk import conditional

                conditional.install()
            if service == "cloudformation":
                from localstalk.cloudformation import views

                views.install()
            return create_backend_app(service)

        self.moto = Dispatcher(create)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; nothing gets out as an exception."""
        path = environ.get("PATH_INFO", "")
        # AWS knows no such header: with moto's, everybody could choose an account.
        environ.pop("HTTP_X_MOTO_ACCOUNT_ID", None)
        start_response = _for_no_page(start_response)
        if path.startswith(ADMIN_PATH):
            return self._admin(path.removeprefix(ADMIN_PATH), environ, start_response)
        refusal = self.guard.refusal(environ)
        if refusal is not None:
            return refusals.answer(environ, start_response, *refusal)
        if path.startswith(_MOTO_PATH):
            # moto's own administration, which asks nobody who they are.
            return answer_text(start_response, 404, "moto's own pages are not to be had here.\n")
        service, operation = self.calls.note(environ)
        verdict = injection.judge(self.control, environ, service, operation)
        if verdict is None:
            return self._carry_out(environ, start_response)
        if verdict.delay:
            injection.pause(verdict.delay)
        if verdict.error is not None:
            protocol = refusals.protocol_of(environ, service)
            return refusals.answer(environ, start_response, protocol, verdict.error)
        if verdict.drop:
            return injection.hang_up(environ, self._carry_out(environ, lambda *_arguments: None))
        return self._carry_out(environ, start_response)

    def _carry_out(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        caller = environ.get(CALLER)
        if caller is not None and "HTTP_AUTHORIZATION" not in environ:
            # moto reads service, region and caller from this header only: a link means what its signer may do.
            environ["HTTP_AUTHORIZATION"] = caller.authorization
            if caller.key.token is not None:
                environ["HTTP_X_AMZ_SECURITY_TOKEN"] = caller.key.token
        try:
            answer: Iterable[bytes] = self.moto(environ, start_response)
        except Exception:
            log.exception("%s %s failed", environ.get("REQUEST_METHOD"), environ.get("PATH_INFO"))
            return _answer(start_response, 500, "text/xml", _UNKNOWN_ERROR)
        return answer

    def _admin(self, path: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        kind, _, name = path.partition("/")
        method = environ.get("REQUEST_METHOD")
        if kind == "ui" and method == "GET":
            return self._ui(name, environ, start_response)
        refusal = self.guard.administrates(environ)
        if refusal is not None:
            refusals.drain(environ)
            return answer_text(start_response, 403, f"{refusal}\n")
        if (kind, name) == ("health", "") and method == "GET":
            return answer_json(start_response, self.health())
        if (kind, name) == ("calls", "") and method == "GET":
            return answer_json(start_response, self.calls.totals())
        if (kind, name) == ("permissions", "") and method == "GET":
            return answer_json(start_response, iam.asked())
        if (kind, name) == ("environments", "") and method == "GET":
            return answer_json(start_response, self.environments())
        if kind == "url" and name and method == "GET":
            return self._url(name, start_response)
        if (kind, name) == ("dns", "") and method == "GET":
            return self._dns(start_response)
        if kind == "database" and name and method == "POST":
            return self._database(name, start_response)
        if (kind, name) == ("ui", "link") and method == "POST":
            return answer_text(start_response, 201, f"/_localstalk/ui?token={self.guard.sessions.link()}\n")
        if kind == "faults":
            return self._faults(str(method), name, environ, start_response)
        return answer_text(start_response, 404, f"There is no {method} /_localstalk/{path} here.\n")

    def _ui(self, name: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        guard, asked = self.guard, parse_qs(environ.get("QUERY_STRING", ""))
        refusal, cookie = guard.foreign(environ), None
        if refusal is None:
            if name == "" and "token" in asked:
                cookie = guard.sessions.open(asked["token"][0], environ["SERVER_PORT"])
            refusal = None if cookie else guard.sees(environ)
        if refusal is not None:
            return answer_text(start_response, 403, f"{refusal}\n")
        if name == "":
            text, headers = ui.page()
            return _answer(
                start_response, 200, "text/html", text, [*headers, *([("Set-Cookie", cookie)] if cookie else [])]
            )
        if name == "stream":
            chosen = asked.get("environment", [""])[0]
            start_response("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
            return feed.stream(self.control, self._regions, self.health(), chosen)
        if name == "log":
            return self._log(asked.get("instance", [""])[0], start_response)
        return _answer(start_response, 404, "text/plain", f"There is no /_localstalk/ui/{name} here.\n")

    def _log(self, instance_id: str, start_response: StartResponse) -> Iterable[bytes]:
        """The tail of an instance's logs, without a log request: nothing is stored, and no event tells of it."""
        command = Command("tail-log", self.control.uuid(), 0, "", _LOG_SECONDS)
        try:
            result = self.control.driver.run(instance_id, command)
        except DriverError as error:
            return answer_text(start_response, 404, f"{error}\n")
        if result.status != "SUCCESS":
            return answer_text(start_response, 503, f"{instance_id} did not answer within {_LOG_SECONDS:.0f} s.\n")
        return answer_text(start_response, 200, result.output)

    def _faults(
        self, method: str, name: str, environ: dict[str, Any], start_response: StartResponse
    ) -> Iterable[bytes]:
        pages = injection.FaultPages(self.control, self._regions, self.restart)
        status, content = pages.answer(method, name, environ)
        if isinstance(content, str):
            return answer_text(start_response, status, f"{content}\n")
        return answer_json(start_response, content, status)

    def health(self) -> dict[str, Any]:
        """Who answers here."""
        driver = self.control.driver
        return {
            "pid": os.getpid(),
            "home": str(self.control.home),
            "driver": driver.name,
            "driver_reason": self.control.driver_reason,
            "speed": self.control.clock.speed,
            "version": __version__,
        }

    def _regions(self) -> Iterator[Region]:
        from localstalk.elasticbeanstalk.models import backends

        for regions in list(backends().values()):
            for backend in list(regions.values()):
                yield backend.region

    def environments(self) -> list[dict[str, Any]]:
        """A short list of what exists, over all accounts and regions."""
        with self.control.scheduler.lock:
            return [line for region in self._regions() for line in region.overview()]

    def _url(self, name: str, start_response: StartResponse) -> Iterable[bytes]:
        for region in self._regions():
            url = region.public_url(name)
            if url is not None:
                return answer_text(start_response, 200, f"{url}\n")
        return answer_text(start_response, 404, f"No environment holds the name {name}.\n")

    def _dns(self, start_response: StartResponse) -> Iterable[bytes]:
        address = getattr(self.control.driver, "name_server", None)
        if address is None:
            return answer_text(start_response, 404, f"The {self.control.driver.name} driver has no DNS.\n")
        return answer_text(start_response, 200, f"{address}\n")

    def _database(self, name: str, start_response: StartResponse) -> Iterable[bytes]:
        try:
            return answer_json(start_response, self.control.driver.database(name))
        except DriverError as error:
            return answer_text(start_response, 503, f"{error}\n")


_UNKNOWN_ERROR = (
    "<ErrorResponse><Error><Type>Receiver</Type><Code>InternalFailure</Code><Message>The request processing has failed "
    "because of an unknown error, exception or failure.</Message></Error></ErrorResponse>"
)


def _answer(
    start_response: StartResponse, status: int, kind: str, text: str, more: Iterable[tuple[str, str]] = ()
) -> Iterable[bytes]:
    body = text.encode()
    headers = [("Content-Type", f"{kind}; charset=utf-8"), ("Content-Length", str(len(body))), *more]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]


def _for_no_page(start_response: StartResponse) -> StartResponse:
    """Let no answer say that pages of other origins may read it, and none run in the browser as if it were our page."""

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        kept = [(name, value) for name, value in headers if not name.lower().startswith("access-control-")]
        if not any(name == "Content-Security-Policy" for name, _ in kept):
            kept.append(("Content-Security-Policy", "sandbox"))
        return start_response(status, kept, *more)

    return start


def _no_restart(seconds: float, answered: object) -> None:
    """A server that somebody else runs cannot be away."""
    raise DriverError("This localstalk runs inside another process, which cannot restart it.")


def answer_text(start_response: StartResponse, status: int, text: str) -> Iterable[bytes]:
    """Answer a request with plain text."""
    return _answer(start_response, status, "text/plain", text)


def answer_json(start_response: StartResponse, content: object, status: int = 200) -> Iterable[bytes]:
    """Answer a request with JSON."""
    return _answer(start_response, status, "application/json", json.dumps(content) + "\n")


def serve_socket(
    application: WsgiApplication, host: str, bound: socket.socket, connections: set[socket.socket] | None = None
) -> BaseWSGIServer:
    """A threaded server on a socket that listens already; it has its own handle of it. ``connections`` holds the open
    connections at any time."""
    opened: set[socket.socket] = set() if connections is None else connections
    from moto.moto_server.werkzeug_app import MotoRequestHandler

    class Handler(MotoRequestHandler):  # type: ignore[misc]
        """Quiet, and with connections that stay open."""

        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = bound.family != socket.AF_UNIX

        def setup(self) -> None:
            super().setup()
            opened.add(self.connection)

        def finish(self) -> None:
            opened.discard(self.connection)
            super().finish()

        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Requests are not logged: the events are the record."""

    return make_server(host, 0, application, threaded=True, request_handler=Handler, fd=bound.fileno())


def listen(application: Application, port: int, connections: set[socket.socket] | None = None) -> BaseWSGIServer:
    """A threaded server on 127.0.0.1, bound already; port 0 picks a free one. Raises OSError when it is taken."""
    # Binding ourselves turns "address in use" into an OSError; werkzeug would print and exit.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", port))
        bound.listen(128)
        return serve_socket(application, "127.0.0.1", bound, connections)
