# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Follows the progress of a module while it runs: the module writes lines to a file, which is read here."""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import tempfile
import threading
from contextlib import contextmanager, suppress
from pathlib import Path

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.shape import ShapeError, load
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import LINE, format_line

display = Display()
# Ansible leaves colours out where the output is no terminal, and with nocolor.
COLOURS = {
    "ERROR": constants.COLOR_ERROR,
    "FATAL": constants.COLOR_ERROR,
    "WARN": constants.COLOR_WARN,
    "DONE": constants.COLOR_OK,
}
_POLL_SECONDS = 0.25


class ProgressActionBase(ActionBase):
    """Starts the module of the task's name as Ansible starts any module, and prints its progress meanwhile.

    The module has an option ``progress_file``. It is given to modules on this machine only, and not with ``async``,
    where nobody waits. Nothing is printed where ``no_log`` hides what the module does.
    """

    _supports_async = True

    def run(self, tmp=None, task_vars=None):
        """Run the module; its result is returned as it is."""
        result = super().run(tmp, task_vars)
        in_background = bool(self._task.async_val) and not self._connection.has_native_async
        if in_background or not self.can_follow():
            return result | self._execute_module(task_vars=task_vars, wrap_async=in_background)
        host = str((task_vars or {}).get("inventory_hostname", "localhost"))
        return result | self.run_and_follow(task_vars, lambda line: self.show(line, host))

    def can_follow(self):
        """Whether the module runs on this machine as this user, and is waited for."""
        local = self._connection.transport == "local" and not self._connection.become
        return local and not self._task.async_val

    def run_and_follow(self, task_vars, heard):
        """Run the module and give each of its lines to a function; returns the module's result."""
        with _followed_file(heard) as path:
            arguments = {**self._task.args, "progress_file": str(path)}
            return self._execute_module(module_args=arguments, task_vars=task_vars)

    def show(self, line, host):
        """Print a line that has something to print."""
        if "message" in line and not self._task.no_log:
            display.display(format_line(line, host), color=COLOURS.get(line["severity"]))


@contextmanager
def _followed_file(heard):
    """Make a file that only this user can read, and hear every line that is written to it within the block.

    It is locked for as long as somebody listens, by which the module knows that it is waited for.
    """
    # Ansible removes its folder of temporary files at its end, also after a signal.
    with tempfile.TemporaryDirectory(prefix="beanstalk-", dir=constants.DEFAULT_LOCAL_TMP) as folder:
        path = Path(folder, "progress.jsonl")
        path.touch(mode=0o600)
        over = threading.Event()
        with path.open("r+", encoding="ascii", errors="replace") as file:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(file, fcntl.LOCK_EX)
            parent = getattr(multiprocessing.parent_process(), "pid", os.getppid())
            follower = threading.Thread(target=_follow, args=(file, heard, over, parent), daemon=True)
            follower.start()
            try:
                yield path
            finally:
                over.set()
                follower.join()


def _follow(file, heard, over, parent):
    """Hear every line that is added to the file, until the module has ended and nothing is left.

    Or until ansible-playbook, the ``parent`` of this worker, has ended without it: killed, or with the terminal. Then
    nobody sees what the module does, and it is to stop.
    """
    part = ""
    while True:
        ended = over.wait(_POLL_SECONDS)
        if os.getppid() != parent:
            fcntl.flock(file, fcntl.LOCK_UN)
            return
        lines = (part + file.read()).split("\n")
        part = lines.pop()
        for line in lines:
            try:
                heard(load(line, LINE))
            except ShapeError as error:
                display.warning(f"A line of the progress of a module is dropped: {error}.")
        if ended:
            return
