# SPDX-License-Identifier: GPL-3.0-or-later
"""Platform hooks of AL2 and AL2023 (``.platform/hooks`` and ``.platform/confighooks``).

See docs/elastic_beanstalk.md §5.4 and §5.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from .layout import Layout
from .logs import EngineLog
from .process import run
from .request import CommandError


def run_hooks(layout: Layout, log: EngineLog, folder: str, application: Path, environment: Mapping[str, str]) -> None:
    """Run the hooks in ``folder`` (such as ``.platform/hooks/prebuild``) of ``application`` in lexicographic order.

    Their working directory is ``application``. What they print goes to eb-hooks.log. Files that are not executable are
    made so (platform versions since April 2022). Raises CommandError at the first one that does not exit with 0.
    """
    shown = layout.shown(application)
    log.info(f"Executing platform hooks in {folder}/")
    directory = application / folder
    if not directory.is_dir():
        log.info(f"The dir {folder}/ does not exist")
        log.info(f"Finished running scripts in {shown}/{folder}")
        return
    hooks = sorted(path for path in directory.iterdir() if path.is_file())
    log.info(f"Following platform hooks will be executed in order: [{' '.join(path.name for path in hooks)}]")
    hooks_log = EngineLog(layout.log / "eb-hooks.log")

    def report(stream: str, line: str) -> None:
        hooks_log.error(line) if stream == "stderr" else hooks_log.info(line)

    for hook in hooks:
        name = f"{folder}/{hook.name}"
        log.info(f"Running platform hook: {name}")
        hooks_log.info(f"Running platform hook: {name}")
        hook.chmod(hook.stat().st_mode | 0o111)
        finished = run([str(hook)], env=environment, cwd=application, on_line=report)
        if finished.returncode != 0:
            raise CommandError(failure_text(name, finished.returncode, finished.stderr))
    log.info(f"Finished running scripts in {shown}/{folder}")


def failure_text(name: str, returncode: int, stderr: str) -> str:
    """Return how the engine reports a program that failed; Go's words for exit statuses and signals."""
    if stderr.startswith("fork/exec "):
        return f"Command {name} failed with error fork/exec {name}: {stderr.rsplit(': ', 1)[-1]}"
    how = f"exit status {returncode}" if returncode >= 0 else f"signal: {-returncode}"
    return f"Command {name} failed with error {how}. Stderr:{stderr}"
