# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a module in this process."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import time
import traceback
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.testing import patch_module_args
from chaos.promises import Ended


@dataclass(frozen=True)
class Ran:
    """A module's result; empty where it ended with a traceback."""

    result: dict[str, Any]
    output: str
    seconds: float

    @property
    def succeeded(self) -> bool:
        return bool(self.result) and not self.result.get("failed")

    def ended(self, limit: float) -> Ended:
        return Ended(self.output, self.succeeded, self.seconds, limit)


def connection(aws: dict[str, str], endpoint: str = "") -> dict[str, str]:
    """Connection parameters of modules."""
    return {
        "endpoint_url": endpoint or aws["AWS_ENDPOINT_URL"],
        "region": aws["AWS_REGION"],
        "access_key": aws["AWS_ACCESS_KEY_ID"],
        "secret_key": aws["AWS_SECRET_ACCESS_KEY"],
    }


def run_module(name: str, place: dict[str, str], **params: Any) -> Ran:
    """Run a module against the service at a place; what it prints is its result."""
    module = importlib.import_module(f"ansible_collections.jack.beanstalk.plugins.modules.{name}")
    arguments = {**place, **params, "_ansible_diff": True}
    said, began = io.StringIO(), time.monotonic()
    with patch_module_args(arguments), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            module.main()
        except SystemExit:
            pass
        except Exception:
            traceback.print_exc(file=said)
    output = said.getvalue()
    lines = [line for line in output.splitlines() if line.startswith("{")]
    result = json.loads(lines[-1]) if lines and "Traceback (most" not in output else {}
    return Ran(result, output, time.monotonic() - began)
