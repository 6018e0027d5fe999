# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that nobody waits for any more, as its ansible-playbook was killed or lost its terminal, changes nothing more.

What it wrote of its progress stays: the journal in AWS, and its leases, which end by themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..core.errors import AnsibleBeanstalkError

_READS = ("Describe", "Get", "Head", "List", "Check", "Request", "Retrieve", "Validate")
"""How the names of operations begin that change nothing. RequestEnvironmentInfo asks instances for their logs."""


class AbandonedError(AnsibleBeanstalkError):
    """Whoever waited for this run is gone."""

    def __init__(self) -> None:
        super().__init__(
            message="The Ansible run that waited for this has ended: nothing more is changed; run the playbook again"
        )


def refuse_writes(client: Any, abandoned: Callable[[], bool]) -> None:
    """Have a botocore client send nothing that changes something once ``abandoned`` says so, not even a retry."""

    def before_send(event_name: str = "", **_event: Any) -> None:
        operation = event_name.rpartition(".")[2]
        if not operation.startswith(_READS) and abandoned():
            raise AbandonedError

    client.meta.events.register("before-send", before_send)
