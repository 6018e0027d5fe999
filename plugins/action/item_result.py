# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes each host's own result of what one task did for all of them. It starts no module."""

from __future__ import annotations

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

ARGUMENTS = {
    "items": {"required": True, "type": "dict"},
    "item": {"type": "str"},
    "explain": {"type": "bool", "default": True},
    "report": {"type": "str", "default": ""},
}
# Ansible prints the whole result of a task that failed. The rest is in the file of the run, and in the batch's result.
SHORT = ("changed", "diff", "failed", "warnings")
display = Display()


class ActionModule(ActionBase):
    """The host's entry, as the result of this task."""

    def run(self, tmp=None, task_vars=None):
        """Return what was found out for the host: changed, failed with a sentence, or neither."""
        result = super().run(tmp, task_vars)
        _checked, arguments = self.validate_argument_spec(argument_spec=ARGUMENTS)
        host = arguments["item"] or str((task_vars or {}).get("inventory_hostname"))
        mine = arguments["items"].get(host)
        if mine is None:
            return result | {"failed": True, "msg": f"{host} has no result: it took no part, or the run ended before."}
        if not self._task.diff:
            mine = {name: value for name, value in mine.items() if name != "diff"}
        if mine.get("failed"):
            mine = self._told(host, mine, arguments["explain"])
        elif arguments["report"] and not self._task.no_log:
            display.display(arguments["report"])
        return result | mine

    def _told(self, host, mine, explain):
        """Print the cause of a failure; the result with its sentence, and where the rest is."""
        sentence, _newline, cause = str(mine.get("msg", "")).partition("\n")
        if cause and explain and not self._task.no_log:
            display.display(f"[{host}] {cause}")
        kept = {name: value for name, value in mine.items() if name in SHORT}
        # With more than a screen between them, it is said once more where a terminal ends.
        short = mine.get("cause")
        sentence += f" Cause: {short}" if short and short not in sentence else ""
        where = f" Events and logs: {mine['details_file']}" if "details_file" in mine else ""
        return {**kept, "msg": sentence + where}
