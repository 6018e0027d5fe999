# SPDX-License-Identifier: GPL-3.0-or-later
"""A real browser without a window, for tests of pages: Debian's Chromium, driven by Selenium."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--no-proxy-server",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--window-size=1400,1000",
    "--host-resolver-rules=MAP *.example 127.0.0.1",
)  # fmt: skip
_CONTRAST = (Path(__file__).parent / "contrast.js").read_text("utf-8")


class Browser(webdriver.Chrome):
    """Chromium with what tests of pages ask beyond Selenium."""

    def complaints(self) -> list[str]:
        """What the console said since the last time: script errors, refused content, failed requests."""
        return [str(entry["message"]) for entry in self.get_log("browser")]  # type: ignore[no-untyped-call]

    def requests(self) -> list[str]:
        """URLs that pages asked for since the last time."""
        entries = self.get_log("performance")  # type: ignore[no-untyped-call]
        said = [json.loads(entry["message"])["message"] for entry in entries]
        return [each["params"]["request"]["url"] for each in said if each["method"] == "Network.requestWillBeSent"]

    def prefer(self, scheme: str) -> None:
        """Let the user like ``light`` or ``dark`` pages."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def resize(self, width: int, height: int = 900) -> None:
        """Let the window be that wide, whatever a window manager would allow."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def overflow(self, selector: str = "html, body, main, section, header, table, pre, .scroll") -> list[str]:
        """Which of the elements are wider than the window, or hold something that only scrolling sideways shows."""
        script = """const wide = [...document.querySelectorAll(arguments[0])].filter((one) => one.checkVisibility())
          .filter((one) => one.scrollWidth > one.clientWidth + 1 || one.getBoundingClientRect().right > innerWidth + 1);
          return wide.map((one) => `${one.tagName} ${one.id} ${one.className} ${one.scrollWidth}`)"""
        found: list[str] = self.execute_script(script, selector)
        return found

    def picture(self, path: Path) -> None:
        """Write what the window shows as PNG, when it stands still."""
        self.execute_script("document.getAnimations().forEach((each) => each.finish())")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.get_screenshot_as_png())

    def faint(self) -> list[Any]:
        """Visible texts whose contrast is below 4.5 to 1 (WCAG 2.2, 1.4.3): text, colours and ratio."""
        found: list[Any] = self.execute_script(_CONTRAST)
        return found


@pytest.fixture(scope="module", name="chromium")
def start_chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One Chromium for the tests of a file."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("Debian's chromium and chromium-driver are not installed (as root: scripts/setup test)")
    options = Options()
    options.binary_location = program
    for flag in (*_FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    running = Browser(options, Service(driver))
    running.set_page_load_timeout(60)
    yield running
    running.quit()


@pytest.fixture(name="browser")
def open_browser(chromium: Browser) -> Iterator[Browser]:
    """The Chromium on an empty page, with nothing in its logs."""
    chromium.get("about:blank")
    chromium.complaints(), chromium.requests()
    yield chromium
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    # A stream that stays open keeps a thread of its server.
    chromium.get("about:blank")
