# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verification of an environment in which nothing differs from what is wanted: unchanged means verified."""

from __future__ import annotations

from typing import Any

from . import api
from .verification import State, Verdict
from .verifier import NotVerifiedError, Verifier
from .waiters import Deadline

Environment = dict[str, Any]


def verify_unchanged(
    client: Any, environment: Environment, verifier: Verifier, deadline: Deadline, *, once: bool
) -> Verdict | None:
    """Judge an environment, ``once`` or until the verdict is final; None when an operation began meanwhile."""
    current: Environment | None = environment
    while current is not None and (once or current.get("Status") == "Ready"):
        verdict = verifier.look(current, over=once or deadline.over)
        if verdict is not None:
            environment.update(current)
            return verdict
        deadline.pause()
        found = api.describe_environments(client, EnvironmentIds=[environment["EnvironmentId"]])
        current = found[0] if found else None
    return None


def not_verified(environment: Environment, verifier: Verifier, *, hint: bool) -> NotVerifiedError:
    """The error for an environment that needs no change and is not as it should be.

    ``hint``: say that the version would be deployed again if it were named.
    """
    verdict = verifier.verdict
    sentence = f"The environment {environment['EnvironmentName']} needs no change, but {verdict.reason}"
    if hint and verdict.state is State.REDEPLOY:
        sentence += "; name the version_label that it shall run, to have it deployed again"
    return NotVerifiedError(sentence, verifier.report(environment, []), verdict)
