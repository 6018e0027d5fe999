# SPDX-License-Identifier: GPL-3.0-or-later
"""What ansible-playbook is to a module: the process that starts it, follows what it tells, and waits for it.

Usage: ansible_parent.py PATH ARGUMENT..., with the file to follow and the arguments of ansible_run.py.
Prints the process id of what it started, and then what that prints.
"""

from __future__ import annotations

import fcntl
import signal
import subprocess
import sys
from pathlib import Path

# Who runs the tests may ignore some, which is inherited.
for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)

path, *arguments = sys.argv[1:]
with Path(path).open("r+") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    command = [sys.executable, Path(__file__).with_name("ansible_run.py"), *arguments, f"progress:{path}"]
    with subprocess.Popen(command) as running:
        sys.stdout.write(f"{running.pid}\n")
        sys.stdout.flush()
        sys.exit(abs(running.wait()))
