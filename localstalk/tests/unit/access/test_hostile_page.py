# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser with a page of somebody else's, and another user of the machine. With the sim driver."""

from __future__ import annotations

import contextlib
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, open_browser, start_chromium  # noqa: F401 - fixtures
from hostile import from_a_name_that_leads_here, from_other_origins, hostile_site

from localstalk.testing import Localstalk


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Localstalk]:
    made = Localstalk(tmp_path / "home", "--driver", "sim")
    yield made
    made.close()


def test_pages_of_other_origins_get_nowhere(browser: Browser, running: Localstalk) -> None:
    from_other_origins(browser, running)


def test_pages_whose_name_leads_here_get_nowhere(browser: Browser, tmp_path: Path) -> None:
    from_a_name_that_leads_here(browser, tmp_path / "home", "--driver", "sim")


def test_pages_get_nowhere_without_authentication_either(browser: Browser, tmp_path: Path) -> None:
    from_a_name_that_leads_here(browser, tmp_path / "home", "--driver", "sim", "--no-auth")


def test_a_site_that_ended_answers_no_open_connection() -> None:
    with hostile_site() as port:
        ahead = socket.create_connection(("127.0.0.1", port), timeout=60)
        # Connections are taken in their order, so that one is taken too.
        assert b"nice pictures" in urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60).read()
    with ahead, contextlib.suppress(ConnectionError):
        ahead.sendall(b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        assert ahead.recv(1) == b""
