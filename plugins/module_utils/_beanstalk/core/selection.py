# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options by which modules are told what is meant; the documentation is in the doc fragment of this name."""

from __future__ import annotations

from typing import Any

Arguments = dict[str, dict[str, Any]]

ONE_ENVIRONMENT: Arguments = {
    "application": {"required": True, "type": "str"},
    "cname_prefix": {"type": "str"},
    "environment_id": {"type": "str"},
    "name": {"type": "str"},
}
NAMED_BY = ("cname_prefix", "environment_id", "name")
"""Of these exactly one names the environment."""

MANY_ENVIRONMENTS: Arguments = {
    "application": {"type": "str"},
    "cname_prefix": {"type": "str"},
    "ids": {"elements": "str", "type": "list"},
    "names": {"elements": "str", "type": "list"},
}
ONE_LOCK: Arguments = {
    "application": {"required": True, "type": "str"},
    "bucket": {"type": "str"},
    "cname_prefix": {"required": True, "type": "str"},
}
