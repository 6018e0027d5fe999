# SPDX-License-Identifier: GPL-3.0-or-later
"""Elastic Beanstalk in one account and region: all operations, one topic per base class."""

from __future__ import annotations

from localstalk.elasticbeanstalk.environments import Environments


class Region(Environments):
    """Every operation of the service model, by its snake-case name."""
