# Copyright: Contributors to the jack.beanstalk collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The named points of a cycle at which users hang tasks of their own."""

from __future__ import annotations

from enum import StrEnum

from .planner.model import Action, Journal, Observation, Result, Step


class Stage(StrEnum):
    """Where a run can stop and let others work, in order."""

    BEFORE_CANDIDATE = "before_candidate"
    AFTER_CANDIDATE = "after_candidate"
    BEFORE_SWAP = "before_swap"
    AFTER_SWAP = "after_swap"
    BEFORE_RETIRE = "before_retire"
    AFTER_RETIRE = "after_retire"


# The positions of a cycle, in order; a failing one is past every stage.
(_BEGIN, _CREATING, _LAUNCHING, _VERIFIED, _SWAPPING, _SWAP_SENT, _PROVEN, _RETIRING, _RETIRE_SENT, _ENDING) = range(10)
_FAILING = 99

_STOPS = {
    Stage.BEFORE_CANDIDATE: (_CREATING, _CREATING),
    Stage.AFTER_CANDIDATE: (_VERIFIED, _SWAPPING),
    Stage.BEFORE_SWAP: (_SWAPPING, _SWAPPING),
    Stage.AFTER_SWAP: (_PROVEN, _RETIRING),
    Stage.BEFORE_RETIRE: (_RETIRING, _RETIRING),
    Stage.AFTER_RETIRE: (_ENDING, _ENDING),
}


def position(observation: Observation, step: Step) -> int:
    """Where the run is, seen from its next step."""
    journal = observation.lock.record.journal
    if journal is None or observation.lock.owner != observation.me:
        return _BEGIN
    if journal.failed:
        return _BEGIN if journal.abandoned else _FAILING
    if step.action is Action.RELEASE:
        return _ENDING if step.result is Result.DONE else _FAILING
    return _before_swap(journal, step) if journal.swapped is None else _after_swap(journal, step)


def _before_swap(journal: Journal, step: Step) -> int:
    if step.action is Action.SWAP and journal.first_swap is None:
        return _SWAPPING
    if journal.first_swap is not None:
        return _SWAP_SENT
    if journal.healthy is not None:
        return _VERIFIED
    if step.action is Action.CREATE and journal.first_create is None:
        return _CREATING
    return _BEGIN if journal.first_create is None else _LAUNCHING


def _after_swap(journal: Journal, step: Step) -> int:
    if journal.terminating is not None:
        return _RETIRE_SENT
    if journal.cname_checked is None:
        return _SWAP_SENT
    return _RETIRING if step.action is Action.TERMINATE else _PROVEN


def stops_at(stage: Stage, where: int) -> bool:
    """Whether a run that goes until the stage must not go on."""
    return where >= _STOPS[stage][0]


def reached(stage: Stage, where: int) -> bool:
    """Whether the run is at the stage now; False when it was passed by an earlier run, or the cycle fails."""
    first, last = _STOPS[stage]
    return first <= where <= last
