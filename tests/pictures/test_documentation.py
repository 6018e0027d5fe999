# SPDX-License-Identifier: GPL-3.0-or-later
"""The documentation site as a reader sees it, on a phone and on a desk; pictures of it are in build/pictures."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser import Browser, open_browser, start_chromium

__all__ = ["open_browser", "start_chromium"]  # fixtures
BUILD = Path(__file__).resolve().parents[2] / "build"
PAGES = {
    "index": "index.html",
    "guide": "docs/guides/troubleshooting.html",
    "modules": "collection/index.html",
    "module": "collection/environment_module.html",
    "role": "collection/hooks_role.html",
    "localstalk": "localstalk/README.html",
}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_can_be_read(browser: Browser, name: str, width: int, scheme: str) -> None:
    page = BUILD / "docs" / PAGES[name]
    assert page.is_file(), f"{page} is made by scripts/documentation, which `make docs` runs first"
    browser.prefer(scheme)
    browser.resize(width)
    browser.get(page.as_uri())
    browser.picture(BUILD / "pictures" / f"docs-{name}-{width}-{scheme}.png")
    assert browser.complaints() == []
    # Examples scroll within their own box.
    assert browser.overflow("html, body, table") == []
    assert browser.faint() == []
