# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One wanted environment as an item of a run, and its result as a module returns it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from ..run.effects import Reconciler
from ..run.engine import Item, Services
from ..run.items import failure_sentence, mask_of
from ..run.progress import ItemProgress, ProgressFile
from .reconciler import EnvironmentReconciler

# For the logs that say why an operation failed, or who led it.
_REPORT_SECONDS = 90.0


class EnvironmentJob:
    """``params`` are those of the module ``environment``, connection arguments included."""

    def __init__(self, params: Mapping[str, Any], check_mode: bool) -> None:
        self._params, self._check_mode = params, check_mode
        self._reconciler: EnvironmentReconciler | None = None
        self._warnings: list[str] = []

    def reconcile(self, services: Services, progress: ItemProgress) -> Reconciler:
        """Bring it about; the result is a dictionary with ``changed``."""
        self._reconciler = EnvironmentReconciler(services, self._params, self._check_mode, progress)
        try:
            result = yield from self._reconciler.run()
        finally:
            self._remove_bundle()
        return self._warned(result)

    def failed(self, error: BaseException) -> dict[str, Any]:
        """The result of an item that ended with an exception: what is wrong, what to do, and whether it had changed."""
        done = self._reconciler.actions if self._reconciler and not self._check_mode else []
        report = dict(getattr(error, "report", {}))
        return self._warned(
            {**report, "failed": True, "msg": failure_sentence(error), "changed": bool(done), "actions": done}
        )

    def _warned(self, result: Mapping[str, Any]) -> dict[str, Any]:
        warnings = [*(self._reconciler.warnings if self._reconciler else []), *self._warnings]
        return {**result, "warnings": warnings} if warnings else dict(result)

    def _remove_bundle(self) -> None:
        """Remove the bundle where that is asked for, whatever the outcome: it may hold secrets."""
        src = self._params["src"]
        if not src or not self._params["remove_src"] or self._check_mode:
            return
        try:
            os.unlink(src)  # noqa: PTH108
        except FileNotFoundError:
            return
        except OSError as error:
            text = f"The source bundle {src} could not be removed ({error.strerror}): remove it, it may hold secrets."
            self._warnings.append(text)


def environment_item(
    name: str,
    params: Mapping[str, Any],
    check_mode: bool,
    file: ProgressFile,
) -> Item:
    """An item for the engine. Its lines and its result are masked with its own secrets, and nobody else's."""
    return Item(
        name=name,
        params=params,
        timeout=limit(params),
        silence_timeout=params["wait_timeout"],
        interval=params["poll_interval"],
        job=EnvironmentJob(params, check_mode),
        progress=ItemProgress(file, name, mask_of(params)),
    )


def limit(params: Mapping[str, Any]) -> float:
    """Seconds after which an item has ended, one way or the other: waits for lock and operations, and the report."""
    lock = params.get("lock") or {}
    return float(params["wait_timeout"]) + float(lock.get("wait_timeout") or 0) + _REPORT_SECONDS
