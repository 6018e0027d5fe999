# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs a module that does something for many hosts, prints its progress, and collects the result of each item."""

from __future__ import annotations

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.shown import shown
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.failure import details
from ansible_collections.jack.beanstalk.plugins.plugin_utils.details import write_details
from ansible_collections.jack.beanstalk.plugins.plugin_utils.progress import ProgressActionBase, display

_HIDDEN = ("invocation",)  # it has the settings of all
_ELSEWHERE = "runs on the controller and is waited for: use connection: local, without become and async."
_EACH_BY_ITSELF = ("free", "host_pinned")  # strategies that do not know run_once


class BatchActionBase(ProgressActionBase):
    """The results come by the file of progress: one at a time, and those that are there outlive the module.

    ``ITEMS`` is the module's option with the items, and the key of their results.
    """

    _supports_async = False
    ITEMS = ""

    def run(self, tmp=None, task_vars=None):
        """Run the module. It fails only when it cannot be run at all: the failure of an item is a result."""
        if self._task.async_val or not self.can_follow():
            return {"failed": True, "msg": f"{self.ITEMS} {_ELSEWHERE}"}
        strategy = self._task.get_play().strategy
        if self._task.run_once and strategy.endswith(_EACH_BY_ITSELF):
            text = f"{self.ITEMS} works once for all hosts of a batch, and the strategy {strategy} has each host do it"
            return {"failed": True, "msg": f"{text}: use strategy: linear."}
        results = {}

        def heard(line):
            if "result" in line:
                results[line["item"]] = line["result"]
            self.show(line, line["item"])

        answer = self.run_and_follow(task_vars, heard)
        wanted = [str(one.get("item")) for one in self._task.args.get(self.ITEMS) or [] if isinstance(one, dict)]
        if answer.get("failed"):
            if not results and not wanted:
                return {name: value for name, value in answer.items() if name not in _HIDDEN}
            results = {name: results.get(name) or _lost(answer) for name in wanted}
        told = {name: answer[name] for name in ("api_calls", "warnings", "deprecations") if name in answer}
        # Of a task that runs once, Ansible's recap would count the changes of all for the first host.
        return {**told, "changed": False, self.ITEMS: results, **_failures(results)}


def _failures(results):
    """Which items failed, and the file with what is known of them, which each of them names as well."""
    failed = [name for name, result in results.items() if result.get("failed")]
    # A cycle that ended well without its candidate has what is known of that.
    known = {name: {**results[name], **(results[name].get("failure") or {})} for name in results}
    told = [name for name in results if name in failed or results[name].get("failure")]
    lines = [line for name in told for line in details(name, known[name])]
    if not lines:
        return {"failed_items": failed}
    try:
        path = write_details(lines)
    except OSError as error:
        display.warning(f"Events and logs of what failed could not be written down: {error}.")
        return {"failed_items": failed}
    for name in told:
        results[name] = {**results[name], "details_file": path}
    return {"failed_items": failed, "details_file": path}


def _lost(answer):
    """The result of an item whose module ended before it did."""
    why = str(answer.get("module_stderr") or answer.get("msg") or "no reason was given").strip().splitlines()[-1]
    text = shown(
        f"The run ended before this environment did ({why}); what was begun goes on in Elastic Beanstalk. Run it again."
    )
    return {"changed": False, "failed": True, "msg": text}
