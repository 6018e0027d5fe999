# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules use; the code itself is in _beanstalk/, which is private to this collection."""

from __future__ import annotations

# pylint: disable=unused-import
from ._beanstalk.bundle import make_bundle, source_spec  # noqa: F401
from ._beanstalk.bundle_types import BundleError, NameRefusedError  # noqa: F401
