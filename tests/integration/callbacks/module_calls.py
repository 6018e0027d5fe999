# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes each call of one of this collection's modules, with its parameters, as a line of JSON to $MODULE_CALLS."""

from __future__ import annotations

import json
import os
from pathlib import Path

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: module_calls
type: notification
short_description: Record the calls of this collection's modules
description: For tests.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "module_calls"

    def v2_runner_on_ok(self, result):
        self._note(result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._note(result)

    def _note(self, result):
        name = str(result._task.resolved_action)
        # Modules that work for a batch do not return what they were called with, as it has the settings of all.
        arguments = result._result.get("invocation", {}).get("module_args") or (
            result._task_fields["args"] if name.endswith((".environments", ".cycles")) else None
        )
        if name.startswith("jack.beanstalk.") and arguments is not None:
            with Path(os.environ["MODULE_CALLS"]).open("a") as file:
                file.write(json.dumps({"module": name.rpartition(".")[2], "arguments": arguments}) + "\n")
