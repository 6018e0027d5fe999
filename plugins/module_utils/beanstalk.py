# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules use; the code itself is in _beanstalk/, which is private to this collection.

The modules of a deployment import from there directly: whatever a module imports is packed and compiled anew at each of
its tasks, and all of this file costs a quarter of a second.
"""

from __future__ import annotations

from ._beanstalk.api import CallCounter
from ._beanstalk.common import AnsibleBeanstalkError
from ._beanstalk.info import describe as describe_environment
from ._beanstalk.info import select as select_environments
from ._beanstalk.module_parts import fail, finish
from ._beanstalk.pruning import prune as prune_versions
from ._beanstalk.queries import (
    fetch_logs,
    list_applications,
    list_events,
    list_instances,
    list_platforms,
    list_versions,
)
from ._beanstalk.saved import ensure_saved
from ._beanstalk.swap import Swap

__all__ = [
    "AnsibleBeanstalkError",
    "CallCounter",
    "Swap",
    "describe_environment",
    "ensure_saved",
    "fail",
    "fetch_logs",
    "finish",
    "list_applications",
    "list_events",
    "list_instances",
    "list_platforms",
    "list_versions",
    "prune_versions",
    "select_environments",
]
