# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the user has to mend before anything is done; each message is one sentence for the user."""

from __future__ import annotations


class BundleError(Exception):
    """A source bundle cannot be made."""


class NameRefusedError(BundleError):
    """A name that Elastic Beanstalk would refuse."""
