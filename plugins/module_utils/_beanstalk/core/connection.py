# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which service a host of the inventory means: AWS, or localstalk and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def connection(mine: Mapping[str, Any]) -> dict[str, Any]:
    """The connection arguments of a host: those of ``eb_aws``, or localstalk's own where ``eb_localstalk`` is set.

    A host with ``eb_localstalk`` never gets an endpoint or a profile of ``eb_aws``, whichever file of the inventory
    wins: without what the role localstalk found out, this is a KeyError.
    """
    chosen = mine["localstalk_aws"] if "eb_localstalk" in mine else mine.get("eb_aws") or {}
    return {"region": mine["eb_region"], **chosen}
