# SPDX-License-Identifier: GPL-3.0-or-later
"""What all regions of one localstalk share: clock, scheduler, driver and folders."""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from localstalk.clock import Clock
from localstalk.driver import Driver
from localstalk.faults import Faults
from localstalk.keys import KeyRing, create
from localstalk.quotas import QUOTAS
from localstalk.scheduler import Scheduler, blocking

T = TypeVar("T")
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"


class Control:
    """The machinery behind the API. ``seed`` makes ids repeatable; None takes them from the system."""

    def __init__(self, clock: Clock, driver: Driver, home: Path, *, seed: int | None = None, workers: int = 0) -> None:
        self.clock = clock
        self.driver = driver
        self.home = home
        self.scheduler = Scheduler(clock, workers)
        self.random = random.Random(seed)  # noqa: S311 - ids, not secrets
        self.bundles = home / "bundles"
        self.quotas = dict(QUOTAS)
        self.launch_configurations = False
        """Whether accounts may still have launch configurations, as those from before October 2024."""
        self.faults = Faults()
        self.keys = KeyRing(create())
        self.driver_reason = ""
        """Why there are no containers, when they would have been preferred."""
        self.names: dict[tuple[str, str], str] = {}
        """Environment ids by region and public name; all accounts share the names (docs/elastic_beanstalk.md §4)."""

    @property
    def simulated(self) -> bool:
        """Whether commands take no real time, so that the workflows must wait on the clock instead."""
        return self.driver.name == "sim"

    async def call_driver(self, function: Callable[..., T], *args: object) -> T:
        """Call the driver outside the lock."""
        return await blocking(function, *args)

    def environment_id(self) -> str:
        """``e-`` and ten characters."""
        return "e-" + self.letters(10)

    def instance_id(self) -> str:
        """``i-`` and 17 hexadecimal digits."""
        return f"i-{self.random.getrandbits(68):017x}"

    def letters(self, count: int) -> str:
        """Random lower-case letters and digits, as in environment ids."""
        return "".join(self.random.choices(_ALPHABET, k=count))

    def suffix(self, count: int = 12) -> str:
        """Random upper-case letters and digits, as CloudFormation appends them to names."""
        return "".join(self.random.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=count))

    def uuid(self) -> str:
        """A random UUID."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))
