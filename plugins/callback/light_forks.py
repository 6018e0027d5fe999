# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: light_forks
type: aggregate
version_added: 0.1.0
short_description: Forks leave the objects of their parent alone
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Ansible forks a process for every task of every host. The garbage collector of each looks at all that it got from
    its parent, finds nothing, and has the kernel copy the memory that it touched on the way.
  - With this plugin it looks at the fork's own objects only. Nothing is printed, and no result changes.
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

from ansible.plugins.callback import CallbackBase


class CallbackModule(CallbackBase):
    """See DOCUMENTATION."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "jack.beanstalk.light_forks"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        os.register_at_fork(after_in_child=gc.freeze)
