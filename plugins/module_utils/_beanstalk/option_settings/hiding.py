# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hides values of option settings in what a module shows of its arguments."""

from __future__ import annotations

import re
from typing import Any

from ..core.errors import AnsibleBeanstalkRefusedError
from .comparison import HIDDEN
from .given import parse
from .keys import is_hidden

_SECRET_NAME = re.compile(r"SECRET|PASSW|TOKEN|KEY|CREDENTIAL|DSN|DATABASE_URL", re.IGNORECASE)


def secret_values(given: Any) -> set[str]:
    """Values that must never be shown: passwords and properties with a telling name, unless too short to search for."""
    try:
        settings = parse(given)
    except AnsibleBeanstalkRefusedError:
        return set()
    return {
        value
        for key, value in settings.items()
        if value is not None and is_hidden(key) and _SECRET_NAME.search(key.option) and len(value) >= 8
    }


def hide_values(given: Any) -> Any:
    """The settings with all hidden values replaced, as namespace to option; nothing of what cannot be read."""
    try:
        settings = parse(given)
    except AnsibleBeanstalkRefusedError:
        return HIDDEN
    shown: dict[str, dict[str, str | None]] = {}
    for key, value in settings.items():
        namespace = f"{key.resource}.{key.namespace}" if key.resource else key.namespace
        shown.setdefault(namespace, {})[key.option] = HIDDEN if is_hidden(key) else value
    return shown
