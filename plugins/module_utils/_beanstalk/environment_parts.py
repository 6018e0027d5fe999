# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the environment module has of its own: hiding secrets in its answers, and telling what it waits for."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.common.parameters import remove_values

from . import settings
from .progress import FILE_NAME, Progress


def guard_secrets(module: Any) -> dict[str, Any]:
    """Hide secret values of options everywhere, and no other values; returns what the module was called with.

    Ansible would blank every value of a hidden option out of every answer, a "2" in an instance id included.
    """
    params = module.params
    given = params["option_settings"]
    # AnsibleAWSModule wraps the module that does the hiding.
    inner = getattr(module, "_module", module)
    inner.no_log_values = (inner.no_log_values - _texts(given)) | settings.secret_values(given)
    shown = {key: value for key, value in params.items() if key not in ("secret_key", "session_token", "access_key")}
    return {"module_args": {**shown, "option_settings": settings.hide_values(given)}}


def _texts(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {text for item in value.values() for text in _texts(item)}
    if isinstance(value, (list, tuple)):
        return {text for item in value for text in _texts(item)}
    return {str(value)}


def listener(module: Any) -> Progress:
    """Where to tell what happens while the module waits: to its action plugin, if that listens."""
    inner = getattr(module, "_module", module)
    folder = getattr(inner, "_tmpdir", None)
    path = os.path.join(folder, FILE_NAME) if folder else None  # noqa: PTH118
    return Progress(path, lambda text: str(remove_values(text, inner.no_log_values)))
