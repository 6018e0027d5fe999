# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Folders on the controller that only this user can reach into."""

# ruff: noqa: PTH101, PTH103, PTH116

from __future__ import annotations

import errno
import os


def make_private(folder: str, close: bool = True) -> None:
    """Make a folder for this user alone. OSError, whose ``strerror`` says why, where it is none.

    ``close``: where it is this user's own and open to others, it is closed to them.
    """
    os.makedirs(folder, mode=0o700, exist_ok=True)
    info = os.stat(folder)
    # The mode alone says nothing: its owner may reach into a folder of mode 0700.
    if info.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, "it is not ours, and its owner could swap what is in it", folder)
    if info.st_mode & 0o077:
        if not close:
            raise PermissionError(errno.EPERM, "it is open to others", folder)
        os.chmod(folder, 0o700)
        if os.stat(folder).st_mode & 0o077:  # as on file systems without modes
            raise PermissionError(errno.EPERM, "it is open to others, and stays so", folder)
