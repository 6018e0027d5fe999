# SPDX-License-Identifier: GPL-3.0-or-later
"""Instances as real containers behind a real load balancer."""

from .cleaning import clean, preflight
from .driver import ContainerDriver

__all__ = ["ContainerDriver", "clean", "preflight"]
