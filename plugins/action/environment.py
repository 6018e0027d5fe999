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
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.progress import FILE_NAME, shown

display = Display()
_LOOK_SECONDS = 0.25


class ActionModule(ActionBase):
    """The module, with its events as they come."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp=None, task_vars=None):
        """Run the module; its result is returned as it is."""
        result = super().run(tmp, task_vars)
        del tmp
        in_background = bool(self._task.async_val) and not self._connection.has_native_async
        if in_background or not self._can_listen():
            result = merge_hash(result, self._execute_module(task_vars=task_vars, wrap_async=in_background))
        else:
            with self._listening(str((task_vars or {}).get("inventory_hostname", "localhost"))):
                result = merge_hash(result, self._execute_module(task_vars=task_vars))
        if not in_background:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _can_listen(self):
        """Only a module on this machine, run by this user, can be heard; and nothing is said that no_log hides."""
        become = getattr(self._connection, "become", None)
        return self._connection.transport == "local" and not become and not self._task.no_log

    @contextmanager
    def _listening(self, host):
        folder = Path(tempfile.mkdtemp(prefix="beanstalk-", dir=constants.DEFAULT_LOCAL_TMP))
        path = folder / FILE_NAME
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
                display.display(shown(json.loads(line), host))
            if ended:
                return
