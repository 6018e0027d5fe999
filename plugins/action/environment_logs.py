# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of the same name and prints what is added to the logs that it follows."""

from __future__ import annotations

from ansible_collections.jack.beanstalk.plugins.plugin_utils.progress import ProgressActionBase


class ActionModule(ProgressActionBase):
    """The module, with its lines as they come."""
