# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the module of the same name, and prints Elastic Beanstalk's events while it waits."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path

from ansible import constants
from ansible.utils.display import Display
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk import progress
from ansible_collections.jack.beanstalk.plugins.plugin_utils.direct import DirectActionBase

display = Display()
_LOOK_SECONDS = 0.25


class ActionModule(DirectActionBase):
    """The module, with its events as they come."""

    def run_module(self, task_vars, in_background):
        """Run the module; only one on this machine can be heard, and nothing is said that no_log hides."""
        host = str(task_vars.get("inventory_hostname", "localhost"))
        if in_background or self._task.no_log or not self.is_on_controller():
            return super().run_module(task_vars, in_background)
        if self.is_direct(task_vars):
            with progress.heard(lambda record: display.display(progress.shown(record, host))):
                return self.run_directly(task_vars)
        with self._listening(host):
            return self._execute_module(task_vars=task_vars)

    @contextmanager
    def _listening(self, host):
        folder = Path(tempfile.mkdtemp(prefix="beanstalk-", dir=constants.DEFAULT_LOCAL_TMP))
        path = folder / progress.FILE_NAME
        path.touch(mode=0o600)
        self._connection._shell.tmpdir = str(folder)
        over = threading.Event()
        listener = threading.Thread(target=_print_lines, args=(path, host, over), daemon=True)
        listener.start()
        try:
            yield
        finally:
            over.set()
            listener.join()
            self._connection._shell.tmpdir = None
            shutil.rmtree(folder, ignore_errors=True)


def _print_lines(path, host, over):
    """Print every line that is added to the file, until the module has ended and nothing is left."""
    with path.open(encoding="utf-8") as file:
        part = ""
        while True:
            ended = over.wait(_LOOK_SECONDS)
            lines = (part + file.read()).split("\n")
            part = lines.pop()
            for line in lines:
                display.display(progress.shown(json.loads(line), host))
            if ended:
                return
