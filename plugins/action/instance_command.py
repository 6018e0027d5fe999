# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of the same name and prints the lines of its script as they come."""

from __future__ import annotations

from ansible_collections.jack.beanstalk.plugins.plugin_utils.progress import ProgressActionBase


class ActionModule(ProgressActionBase):
    """The module, with its output as it comes."""

    def run(self, tmp=None, task_vars=None):
        """Run it. What was printed as it came is not printed again as the result of a task that failed."""
        result = super().run(tmp, task_vars)
        followed = self._task.args.get("follow") and self.can_follow()
        return {
            name: value
            for name, value in result.items()
            if not (followed and result.get("failed") and name == "results")
        }
