#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add up the JUnit reports of a test run: a green run must say how much it ran."""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def main(folder: str) -> int:
    """Print the totals of every report in ``folder`` and of all; return 1 when nothing ran or something failed."""
    passed = failed = skipped = 0
    for report in sorted(Path(folder).glob("*.xml")):
        suites = ET.parse(report).getroot().iter("testsuite")  # noqa: S314 (our own pytest wrote it)
        total, bad, left = 0, 0, 0
        for suite in suites:
            total += int(suite.get("tests", 0))
            bad += int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            left += int(suite.get("skipped", 0))
        print(f"{report.stem}: {total - bad - left} passed, {bad} failed, {left} skipped")  # noqa: T201
        passed, failed, skipped = passed + total - bad - left, failed + bad, skipped + left
    print(f"{passed} passed, {failed} failed, {skipped} skipped")  # noqa: T201
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
