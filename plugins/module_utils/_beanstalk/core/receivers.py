# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is told how a run ended: what cannot be meant is refused before anything is done."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

_ADDRESSES = {"slack": "url", "webhook": "url", "sns": "topic", "mail": "to"}
RECEIVER: dict[str, Any] = {
    "type": {"type": "str", "choices": list(_ADDRESSES), "required": True},
    "url": {"type": "str", "no_log": True},
    "topic": {"type": "str"},
    "to": {"type": "list", "elements": "str"},
    "sender": {"type": "str"},
    "host": {"type": "str"},
    "port": {"type": "int"},
    "secure": {"type": "str", "choices": ["always", "never", "starttls", "try"]},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "results": {"type": "list", "elements": "str"},
}
"""As in the role ``notify``."""


def receivers_problem(given: Any) -> str:
    """Why ``eb_notify`` of a host cannot be used, a sentence without any address; "" when it can."""
    receivers = given or []
    if not isinstance(receivers, list) or not all(isinstance(one, dict) for one in receivers):
        return "eb_notify is a list of receivers, such as {type: slack, url: https://hooks.slack.com/…}."
    validator = ArgumentSpecValidator(RECEIVER, required_if=[("type", kind, [key]) for kind, key in _ADDRESSES.items()])
    for number, one in enumerate(receivers, 1):
        checked = validator.validate(one)
        unknown = sorted(set(one) - set(RECEIVER))
        if problems := [f"there is no option {name}" for name in unknown] or checked.error_messages:
            return f"Receiver {number} of eb_notify cannot be told: {'; '.join(problems).rstrip('.')}."
    return ""
