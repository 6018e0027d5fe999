# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of a project that is only looked at: what leads out of it, and what is no file, is not read.

A symbolic link counts as what it leads to, as long as that lies in the project. (The bundle itself never follows one.)
"""

from __future__ import annotations

from pathlib import Path

LARGEST = 2 * 1024 * 1024
"""Bytes of the largest file that is read for what it says."""


def is_inside(root: Path, path: Path) -> bool:
    """Whether `path` is a regular file of the project in the folder `root`, and of a size that can be read."""
    try:
        place = path.resolve()
        return place.is_relative_to(root.resolve()) and place.is_file() and place.stat().st_size <= LARGEST
    except (OSError, RuntimeError):  # a circle of links, or nothing that we may look at
        return False
