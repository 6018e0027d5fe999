# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Messages to topics of SNS."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ..core.api import ThrottlingRetry
from ..core.errors import AnsibleBeanstalkRefusedError, translate_errors

_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:([a-z]{2}(?:-[a-z]+)+-\d+):\d{12}:[A-Za-z0-9_-]{1,256}")
_PATIENCE = {"connect_timeout": 5, "read_timeout": 10, "retries": {"total_max_attempts": 2}}
_LARGEST_SUBJECT = 99
_LARGEST_MESSAGE = 256 * 1024


def publish(client: Callable[..., Any], params: Mapping[str, Any], check_mode: bool) -> str | None:
    """Send a message; returns its id, None in check mode.

    ``client`` makes a client for a service; the topic's ARN decides the region. A subject must be one line of ASCII of
    less than 100 characters (SNS's API reference), so what is not is cut or replaced. Raises AnsibleBeanstalkError.
    """
    topic, message = params["topic"], params["text"]
    found = _TOPIC.fullmatch(topic)
    if found is None:
        raise AnsibleBeanstalkRefusedError(
            message=f"{topic} is not the ARN of a standard SNS topic (arn:aws:sns:eu-central-1:123456789012:operators)."
        )
    if not 0 < len(message.encode()) <= _LARGEST_MESSAGE:
        raise AnsibleBeanstalkRefusedError(message="A message to SNS has between 1 byte and 256 KiB.")
    if check_mode:
        return None
    config = {**_PATIENCE, **(params.get("aws_config") or {})}
    return str(_publish(client("sns", region=found[1], aws_config=config), topic, _line(params["subject"]), message))


def _line(subject: str) -> str:
    plain = " ".join(subject.encode("ascii", "replace").decode().split())
    return "".join(one for one in plain if one.isprintable())[:_LARGEST_SUBJECT]


@translate_errors("publish to the SNS topic")
@ThrottlingRetry.jittered_backoff(retries=4, delay=1, max_delay=5)  # type: ignore[untyped-decorator]
def _publish(client: Any, topic: str, subject: str, message: str) -> Any:
    named = {"Subject": subject} if subject else {}
    return client.publish(TopicArn=topic, Message=message, **named)["MessageId"]
