# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying faults out on HTTP calls, and the admin pages on which they are set."""

from __future__ import annotations

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from localstalk.driver import DriverError
from localstalk.faults import ApiCall, Fault, FaultError, Verdict

if TYPE_CHECKING:
    from localstalk.model.control import Control
    from localstalk.model.region import Region

StartResponse = Callable[..., Any]
_SCOPE = re.compile(r"Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/")
_LARGEST_BODY = 65536
pause = time.sleep
"""Latency is real: clients wait on the wall."""


def caller(environ: dict[str, Any]) -> tuple[str, str]:
    """Account and region of a request, found as moto does."""
    from moto.iam.models import get_account_id_from

    signed = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, region = (signed["key"], signed["region"]) if signed else ("", "us-east-1")
    return str(os.environ.get("MOTO_ACCOUNT_ID") or get_account_id_from(key)), region


def judge(control: Control, environ: dict[str, Any], service: str, operation: str) -> Verdict | None:
    """What the faults do to a request; None when there are none."""
    if not control.faults:
        return None
    clock = control.clock
    return control.faults.meet(ApiCall(service, operation, *caller(environ)), clock.seconds() / clock.speed)


def hang_up(environ: dict[str, Any], answer: Iterable[bytes]) -> Iterable[bytes]:
    """Close the connection in place of an answer that is ready: the effect has happened, nobody learns of it."""
    for _ in answer:
        """Whatever is computed while an answer is sent happens too."""
    connection = environ.get("werkzeug.socket")
    if connection is not None:
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionAbortedError("the answer was dropped by a fault")


class FaultPages:
    """``GET``, ``POST`` and ``DELETE`` of ``/_localstalk/faults``; answers are status and content."""

    def __init__(
        self, control: Control, regions: Callable[[], Iterator[Region]], restart: Callable[[float, object], None]
    ) -> None:
        self.control = control
        self.regions = regions
        self.restart = restart

    def answer(self, method: str, fault_id: str, environ: dict[str, Any]) -> tuple[int, object]:
        """Content is JSON, or one sentence where the status is an error."""
        faults = self.control.faults
        if method == "GET" and not fault_id:
            return 200, faults.overview()
        if method == "POST" and not fault_id:
            return self._add(environ)
        if method == "DELETE":
            if not faults.clear(fault_id or None) and fault_id:
                return 404, f"There is no fault {fault_id}."
            return 200, faults.overview()
        return 405, f"{method} is not possible on faults."

    def _add(self, environ: dict[str, Any]) -> tuple[int, object]:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > _LARGEST_BODY:
            return 400, "A fault is a JSON object of 64 KiB at most."
        try:
            wanted = json.loads(environ["wsgi.input"].read(length) or b"null")
            fault = self.control.faults.add(wanted)
        except FaultError as error:
            return 400, str(error)
        except ValueError:
            return 400, "A fault is a JSON object with a kind and the fields of that kind."
        if fault.kind != "restart" and fault.values.get("state") != "killed":
            return 201, fault.describe()
        # Dying is not a state that lasts: it is done, and then over.
        self.control.faults.clear(fault.id)
        if fault.kind == "restart":
            return self._restart(fault, environ.get("werkzeug.socket"))
        return self._kill(fault.values["environment"], fault.values["instance"], fault.describe())

    def _restart(self, fault: Fault, answered: object) -> tuple[int, object]:
        try:
            self.restart(fault.values["seconds"], answered)
        except DriverError as error:
            return 503, str(error)
        return 201, fault.describe() | {"hits": 1}

    def _kill(self, environment: str | None, instance: str | None, described: dict[str, Any]) -> tuple[int, object]:
        with self.control.scheduler.lock:
            alive = [
                each_instance
                for region in self.regions()
                for each in region.running()
                if environment in (None, each.name)
                for each_instance in each.instances
                if instance in (None, each_instance)
            ]
        if not alive:
            return 404, f"There is no instance {instance or f'in {environment}'}."
        try:
            self.control.driver.terminate(alive[0])
        except DriverError as error:
            return 503, str(error)
        return 201, described | {"instance": alive[0], "hits": 1}
