# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the environment module has of its own: hiding secrets in its answers."""

from __future__ import annotations

from typing import Any

from ..core.errors import AnsibleBeanstalkRefusedError
from ..option_settings.given import parse
from ..option_settings.hiding import hide_values, secret_values

_NOT_SHOWN = ("access_key", "progress_file", "secret_key", "session_token")


def guard_secrets(module: Any) -> dict[str, Any]:
    """Hide secret values of options everywhere, and no other values; returns what the module was called with.

    Ansible would blank every value of a hidden option out of every answer, a "2" in an instance id included.
    """
    params = module.params
    given = params["option_settings"]
    try:
        parse(given)
    except AnsibleBeanstalkRefusedError:
        pass  # what cannot be read is hidden as a whole
    else:
        module.no_log_values.difference_update(_texts(given))
        module.no_log_values.update(secret_values(given))
    shown = {key: value for key, value in params.items() if key not in _NOT_SHOWN}
    return {"module_args": {**shown, "option_settings": hide_values(given)}}


def _texts(value: Any) -> set[str]:
    if isinstance(value, dict):
        return {text for item in value.values() for text in _texts(item)}
    if isinstance(value, (list, tuple)):
        return {text for item in value for text in _texts(item)}
    return {str(value)}
