# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults: what is to go wrong, and how often. Kept apart from what they hit, and repeatable under their seeds.

A fault is plain data from the admin API: a ``kind`` and the fields of that kind (:data:`KINDS`). What can go wrong asks
:class:`Faults` whether it does; with no faults around, the answer costs nothing.
"""

from __future__ import annotations

import itertools
import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal[
    "throttle", "error", "latency", "drop", "stuck", "health", "instance", "cpu", "command", "election", "ssm", "dns",
    "restart",
]  # fmt: skip
Check = Callable[[Any], Any]


class FaultError(ValueError):
    """A fault that makes no sense; the text is one sentence that names the field."""


def _number(least: float, most: float) -> Check:
    def check(value: Any) -> float:
        number = float("nan") if isinstance(value, bool) else float(value)
        if not least <= number <= most:
            raise ValueError
        return number

    return _plainly(check, f"must be a number from {least:g} to {most:g}")


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        number = int(str(value))
        if not least <= number <= most:
            raise ValueError
        return number

    return _plainly(check, f"must be a whole number from {least} to {most}")


def _plainly(check: Check, text: str) -> Check:
    def wrapped(value: Any) -> Any:
        try:
            return check(value)
        except (TypeError, ValueError):
            raise ValueError(text) from None

    return wrapped


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or len(value) > 1000:
        raise ValueError("must be a text of 1 to 1000 characters")
    return value


def _names(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, list) or not parts or not all(isinstance(each, str) and each for each in parts):
        raise ValueError("must be a list of names (or names with commas between them)")
    return tuple(parts)


def _one_of(*choices: str) -> Check:
    def check(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}")
        return str(value)

    return check


HEALTH = {
    "Ok": "Green", "Info": "Green", "Warning": "Yellow", "Degraded": "Red", "Severe": "Red", "Unknown": "Grey",
    "NoData": "Grey",
}  # fmt: skip
"""Health statuses that a fault can force, and their colours."""
OPERATIONS = ("create", "deploy", "config", "terminate", "rebuild", "restart", "swap", "tags")
"""Workflows that can get stuck, as :class:`~localstalk.model.state.Operation` calls them."""
FIELDS: dict[str, Check] = {
    "service": _text,
    "operations": _names,
    "account": _text,
    "region": _text,
    "rate": _number(0, 1e6),
    "burst": _number(1, 1e6),
    "code": _text,
    "message": _text,
    "http_status": _whole(400, 599),
    "seconds": _number(0, 3600),
    "times": _whole(1, 1_000_000),
    "probability": _number(0, 1),
    "seed": _whole(0, 2**63),
    "environment": _text,
    "instance": _text,
    "operation": _one_of(*OPERATIONS),
    "health": _one_of(*HEALTH),
    "state": _one_of("unhealthy", "missing", "killed"),
    "percent": _number(0, 100),
    "command": _one_of("app-deploy", "config-deploy", "restart-app-server", "tail-log", "bundle-log"),
    "version": _text,
    "offset": _number(-4, 86_400),
    "outcome": _one_of("FAILURE", "TIMEOUT"),
}
_WHICH_CALLS = {"service": "elasticbeanstalk", "operations": (), "account": None, "region": None}
_HOW_OFTEN = {"times": None, "probability": 1.0, "seed": 0}
_WHERE = {"environment": None, "instance": None}
_MUST = object()
KINDS: dict[str, dict[str, Any]] = {
    "throttle": {"rate": _MUST, "burst": _MUST, **_WHICH_CALLS},
    "error": {"code": _MUST, "message": "Injected fault.", "http_status": 400, **_WHICH_CALLS, **_HOW_OFTEN},
    "latency": {"seconds": _MUST, **_WHICH_CALLS, **_HOW_OFTEN},
    "drop": {**_WHICH_CALLS, **_HOW_OFTEN},
    "stuck": {"operation": None, "environment": None, "seconds": None},
    "health": {"health": _MUST, "environment": None},
    "instance": {"state": _MUST, **_WHERE},
    "cpu": {"percent": _MUST, **_WHERE},
    "command": {"command": "app-deploy", "outcome": "FAILURE", "version": None, **_WHERE, **_HOW_OFTEN},
    "election": {"environment": None},
    "ssm": {**_WHERE},
    "dns": {"offset": _MUST, "environment": None},
    "restart": {"seconds": _MUST},
}
"""The fields of each kind with their defaults; None means: any."""
_CALLS = ("throttle", "error", "latency", "drop")


@dataclass
class Fault:
    """One fault. ``values`` holds every field of its kind; ``left`` counts down, None is without end."""

    id: str
    kind: str
    values: dict[str, Any]
    left: int | None = None
    hits: int = 0
    random: random.Random = field(default_factory=random.Random, repr=False)
    buckets: dict[tuple[str, str], tuple[float, float]] = field(default_factory=dict, repr=False)
    """Of ``throttle``: tokens and the time at which they were counted, by account and region."""

    def applies(self, **subject: object) -> bool:
        """Whether every field that was given has the subject's value."""
        return all(self.values.get(name) in (None, value) for name, value in subject.items())

    def strikes(self) -> bool:
        """Whether it happens this time."""
        if self.left == 0 or self.random.random() >= self.values.get("probability", 1.0):
            return False
        if self.left is not None:
            self.left -= 1
        self.hits += 1
        return True

    def refuses(self, account: str, region: str, now: float) -> bool:
        """Take a token; whether there was none. ``now`` is in real seconds."""
        burst = self.values["burst"]
        tokens, counted = self.buckets.get((account, region), (burst, now))
        tokens = min(burst, tokens + (now - counted) * self.values["rate"])
        refused = tokens < 1
        self.buckets[account, region] = (tokens if refused else tokens - 1, now)
        self.hits += refused
        return bool(refused)

    def describe(self) -> dict[str, Any]:
        """What the admin API shows."""
        given = {name: list(value) if isinstance(value, tuple) else value for name, value in self.values.items()}
        return {"id": self.id, "kind": self.kind, "hits": self.hits, "left": self.left} | given


@dataclass(frozen=True)
class ApiCall:
    """A call as far as faults tell calls apart."""

    service: str
    operation: str
    account: str
    region: str


@dataclass(frozen=True)
class Verdict:
    """What is to happen to a call: wait ``delay`` real seconds, then refuse it, or lose its answer."""

    delay: float = 0.0
    error: tuple[str, str, int] | None = None
    """Code, message and HTTP status."""
    drop: bool = False


UNHARMED = Verdict()


class Faults:
    """All faults of a daemon. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._faults: dict[str, Fault] = {}
        self._ids = itertools.count(1)

    def __bool__(self) -> bool:
        return bool(self._faults)

    def add(self, wanted: object) -> Fault:
        """Add a fault given as ``{"kind": ..., field: value}``; raises :class:`FaultError`."""
        kind, values = read(wanted)
        with self._lock:
            number = str(next(self._ids))
            # Without its id two equal faults would always strike together.
            generator = random.Random(f"{values.get('seed', 0)}/{number}")  # noqa: S311 - repeatable runs
            fault = Fault(number, kind, values, values.get("times"), random=generator)
            self._faults[number] = fault
            return fault

    def overview(self) -> list[dict[str, Any]]:
        """Every fault, oldest first."""
        with self._lock:
            return [fault.describe() for fault in self._faults.values()]

    def clear(self, fault_id: str | None = None) -> bool:
        """Remove one fault, or all; whether there was any."""
        with self._lock:
            if fault_id is not None:
                return self._faults.pop(fault_id, None) is not None
            found = bool(self._faults)
            self._faults.clear()
            return found

    # --- calls ---

    def meet(self, call: ApiCall, now: float) -> Verdict:
        """What happens to ``call`` at ``now`` (real seconds); the oldest fault that refuses it wins."""
        if not self._faults:
            return UNHARMED
        delay, error, drop = 0.0, None, False
        with self._lock:
            for fault in self._faults.values():
                if fault.kind not in _CALLS or not _concerns(fault, call):
                    continue
                if fault.kind == "throttle":
                    if error is None and fault.refuses(call.account, call.region, now):
                        error = ("Throttling", "Rate exceeded", 400)
                elif fault.strikes():
                    if fault.kind == "latency":
                        delay += fault.values["seconds"]
                    elif fault.kind == "drop":
                        drop = True
                    elif error is None:
                        error = (fault.values["code"], fault.values["message"], fault.values["http_status"])
        return Verdict(delay, error, drop)

    # --- environments and instances ---

    def stuck(self, operation: str, environment: str, age: float) -> bool:
        """Whether a workflow that began so many seconds of the clock ago is held where it is."""
        limits = [each.values["seconds"] for each in self._all("stuck", operation=operation, environment=environment)]
        return any(limit is None or age < limit for limit in limits)

    def health(self, environment: str) -> tuple[str, str] | None:
        """Colour and status that an environment is to have."""
        found = self._find("health", environment=environment)
        return (HEALTH[found.values["health"]], found.values["health"]) if found else None

    def instance(self, state: str, environment: str, instance: str) -> bool:
        """Whether an instance is in that state."""
        return self._find("instance", state=state, environment=environment, instance=instance) is not None

    def cpu(self, environment: str, instance: str) -> float | None:
        """Percent of its processors that an instance is to show as busy."""
        found = self._find("cpu", environment=environment, instance=instance)
        return float(found.values["percent"]) if found else None

    def election(self, environment: str) -> bool:
        """Whether each batch of a deployment elects a leader of its own."""
        return self._find("election", environment=environment) is not None

    def command(self, command: str, environment: str, instance: str, version: str) -> str | None:
        """How a command on an instance is to end: FAILURE, TIMEOUT, or None for what it really came to."""
        subject = {"command": command, "environment": environment, "instance": instance, "version": version}
        if not self._faults:
            return None
        with self._lock:
            for fault in self._faults.values():
                if fault.kind == "command" and fault.applies(**subject) and fault.strikes():
                    return str(fault.values["outcome"])
        return None

    def unreachable(self, environment: str, instance: str) -> bool:
        """Whether Systems Manager has lost its connection to an instance."""
        return self._find("ssm", environment=environment, instance=instance) is not None

    def dns(self, environment: str) -> float:
        """Seconds after the end of a swap, below zero before it, at which the names lead elsewhere."""
        found = self._find("dns", environment=environment)
        return float(found.values["offset"]) if found else 0.0

    def _find(self, kind: Kind, **subject: str) -> Fault | None:
        return next(iter(self._all(kind, **subject)), None)

    def _all(self, kind: Kind, **subject: str) -> list[Fault]:
        if not self._faults:
            return []
        with self._lock:
            return [each for each in self._faults.values() if each.kind == kind and each.applies(**subject)]


def _concerns(fault: Fault, call: ApiCall) -> bool:
    operations = fault.values["operations"]
    return (not operations or call.operation in operations) and fault.applies(
        service=call.service, account=call.account, region=call.region
    )


def read(wanted: object) -> tuple[str, dict[str, Any]]:
    """Check a fault; returns its kind and all of its fields. Raises :class:`FaultError` with one sentence."""
    if not isinstance(wanted, Mapping):
        raise FaultError("A fault is a JSON object with a kind and the fields of that kind.")
    kind = wanted.get("kind")
    if kind not in KINDS:
        raise FaultError(f"kind must be one of {', '.join(KINDS)}.")
    known = KINDS[str(kind)]
    values = dict(known)
    for name, value in wanted.items():
        if name == "kind":
            continue
        if name not in known:
            raise FaultError(f"{name} is not a field of {kind}; its fields are {', '.join(known)}.")
        try:
            values[name] = FIELDS[name](value)
        except ValueError as error:
            raise FaultError(f"{name} {error}.") from None
    for name, value in values.items():
        if value is _MUST:
            raise FaultError(f"{name} is missing; {kind} needs it.")
    if kind == "instance" and values["state"] == "killed" and not (values["instance"] or values["environment"]):
        raise FaultError("instance or environment is missing; killed needs one of them.")
    return str(kind), values
