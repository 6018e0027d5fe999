# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a step that the planner decided to the one request that carries it out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError
from . import calls
from .observer import Observer, described
from .planner.guards import termination_refusal
from .planner.model import Action, Observation, Step
from .settings import CandidateSettings

_SEEN = ("ApplicationName", "CNAME", "DateUpdated", "Status")
"""What an environment must still have that is to be terminated."""


class TooOldError(AnsibleBeanstalkError):
    """A decision is too old to be carried out; nothing was sent."""


class Changes:
    """``reader`` may retry, ``writer`` must not (run.clients.ONE_ATTEMPT).

    ``check`` raises :class:`TooOldError` or LeaseLostError where a step may no longer be carried out; it is asked right
    before the request.
    """

    def __init__(self, reader: Any, writer: Any, observer: Observer, candidate: CandidateSettings) -> None:
        self._reader, self._writer, self._observer, self._candidate = reader, writer, observer, candidate

    def make(self, observation: Observation, step: Step, check: Callable[[], None]) -> None:
        """Send the request of a step."""
        if step.action is Action.CREATE:
            self._create(step, check)
        elif step.action in (Action.TERMINATE, Action.TERMINATE_CANDIDATE):
            self._terminate(observation, step, check)
        else:
            check()
            self._other(step)

    def _other(self, step: Step) -> None:
        application = self._observer.application
        match step.action:
            case Action.SWAP | Action.SWAP_BACK:
                calls.swap(self._writer, step.environment, step.other)
            case Action.RESIZE:
                calls.resize(self._writer, step.environment, step.size)
            case Action.TAG:
                calls.tag(self._writer, self._observer.raw[step.environment]["EnvironmentArn"], step.tags)
                self._observer.tagged(step.environment, step.tags)
            case Action.ABORT_UPDATE:
                calls.abort(self._writer, step.environment)
            case Action.DELETE_VERSIONS:
                for label in step.labels:
                    calls.delete_version(self._writer, application, label)
            case Action.DELETE_TEMPLATES:
                for name in step.labels:
                    calls.delete_template(self._writer, application, name)

    def _create(self, step: Step, check: Callable[[], None]) -> None:
        live = self._observer.raw[step.other]
        tags = self._observer.user_tags(live) | dict(step.tags)
        journal = step.record.journal if step.record else None
        settings = self._candidate.make(live, self._observer.settings(live), journal.start_size if journal else None)
        given = {"name": step.name, "label": step.label, "tags": tags, "platform": self._candidate.platform(live)}
        check()
        calls.create(self._writer, live, settings, **given)

    def _terminate(self, observation: Observation, step: Step, check: Callable[[], None]) -> None:
        """The last look before the one request that cannot be taken back."""
        known = observation.by_id(step.environment)
        found = api.describe_environments(self._reader, EnvironmentIds=[step.environment])
        before = self._observer.raw.get(step.environment, {})
        if known is None or not found or any(found[0].get(key) != before.get(key) for key in _SEEN):
            raise TooOldError(message=f"The environment {step.environment} was changed meanwhile.")
        if refusal := termination_refusal(observation, replace(known, cname=described(found[0]).cname)):
            raise AnsibleBeanstalkError(message=refusal)
        check()
        calls.terminate(self._writer, step.environment)
