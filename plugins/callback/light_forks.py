# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: light_forks
type: aggregate
version_added: 0.1.0
short_description: Many forks cost their parent, and themselves, less
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Ansible forks a process for every task of every host. The garbage collector of each looks at all that it got from
    its parent, finds nothing, and has the kernel copy the memory that it touched on the way. With this plugin it looks
    at the fork's own objects only, and in the parent it does not look through all that there is each time that some
    was added, nor once more at the end.
  - Each fork would load Ansible's filters and tests, and those of this collection, for itself. With this plugin their
    parent has them.
  - While forks work, Ansible looks at each of them every C(internal_poll_interval) seconds. With this plugin the
    interval is longer where there are many, a second for 4000 of them, so that two hundred cost what forty do.
  - Nothing is printed, and no result changes.
requirements:
  - Enabled in C(ansible.cfg).
"""

EXAMPLES = r"""
# In ansible.cfg:
# [defaults]
# callbacks_enabled = jack.beanstalk.light_forks
"""

import gc
import os

from ansible import constants, context
from ansible.plugins.callback import CallbackBase
from ansible.plugins.loader import filter_loader, test_loader

_FORKS_PER_SECOND = 4000
# With one filter or test come all others of the same collection.
_FILTERS = ("ansible.builtin.default", "jack.beanstalk.sort_secrets")
_TESTS = ("ansible.builtin.defined",)


class CallbackModule(CallbackBase):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "jack.beanstalk.light_forks"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        os.register_at_fork(after_in_child=gc.freeze)

    def v2_playbook_on_start(self, playbook):
        """Have what every fork needs, and look at the forks less often when there are many."""
        del playbook
        for name in _FILTERS:
            filter_loader.get(name)
        for name in _TESTS:
            test_loader.get(name)
        gc.freeze()
        longer = context.CLIARGS.get("forks", 0) / _FORKS_PER_SECOND
        constants.DEFAULT_INTERNAL_POLL_INTERVAL = max(constants.DEFAULT_INTERNAL_POLL_INTERVAL, longer)

    def v2_playbook_on_stats(self, stats):
        """Leave what there is to the end of the process."""
        del stats
        gc.freeze()
