# SPDX-License-Identifier: GPL-3.0-or-later
"""A localstalk in this process: real HTTP and boto3, the sim driver, and a clock that only tests move."""

from __future__ import annotations

import itertools
import json
import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from control_plane import Localstalk

from localstalk import accounts
from localstalk.clock import ManualClock
from localstalk.drivers.sim import SimDriver
from localstalk.elasticbeanstalk import models
from localstalk.elasticbeanstalk.responses import Response
from localstalk.model.control import Control
from localstalk.model.errors import ServiceError
from localstalk.server import Application, listen

_ACCOUNTS = itertools.count(100000000001)
_ANSWERED: Counter[str] = Counter()
_REFUSED: Counter[str] = Counter()


def pytest_configure() -> None:
    """With LOCALSTALK_RECORD, note which operations tests call: tests/operations_table.py makes a table of it."""
    if "LOCALSTALK_RECORD" not in os.environ:
        return
    call = Response._call

    def noted(self: Response, request_id: str) -> tuple[int, dict[str, str], str]:
        try:
            answer = call(self, request_id)
        except ServiceError:
            _REFUSED[self.querystring.get("Action", [""])[0]] += 1
            raise
        _ANSWERED[self.querystring["Action"][0]] += 1
        return answer

    Response._call = noted  # type: ignore[method-assign]


def pytest_sessionfinish() -> None:
    folder = os.environ.get("LOCALSTALK_RECORD")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        content = json.dumps({"answered": _ANSWERED, "refused": _REFUSED})
        (Path(folder) / f"{os.getpid()}.json").write_text(content, encoding="utf-8")


class _Server:
    def __init__(self, control: Control) -> None:
        self.application = Application(control)
        self.server = listen(self.application, 0)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Server]:
    home = tmp_path_factory.mktemp("server")
    running = _Server(Control(ManualClock(), SimDriver(home, home, 1), home))
    yield running
    running.stop()


@pytest.fixture
def localstalk(server: _Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Localstalk]:
    # An account of its own is the cheapest clean slate: moto's other services keep their state per account.
    account = str(next(_ACCOUNTS))
    monkeypatch.setenv("MOTO_ACCOUNT_ID", account)
    driver = SimDriver(tmp_path, tmp_path, 1)
    control = Control(ManualClock(), driver, tmp_path, seed=1)
    models.install(control)
    server.application.control = control
    server.application.moto.app_instances.pop("elasticbeanstalk", None)
    made = Localstalk(control, driver, f"http://127.0.0.1:{server.server.port}", account)
    made.eb.create_storage_location()
    accounts.iam(account)
    yield made
    for client in (made.eb,):
        client.close()
