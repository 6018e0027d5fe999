# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments: describe."""

from __future__ import annotations

from typing import Any

from localstalk.elasticbeanstalk.base import RegionBase
from localstalk.elasticbeanstalk.state import Call


class Environments(RegionBase):
    """DescribeEnvironments."""

    def describe_environments(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """All of them."""
        return {"Environments": []}

    def overview(self) -> list[dict[str, Any]]:
        """One line per living environment."""
        return []

    def public_url(self, name: str) -> str | None:
        """The plain URL of a CNAME or CNAME prefix."""
        return None
