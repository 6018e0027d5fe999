# SPDX-License-Identifier: GPL-3.0-or-later
"""Elastic Beanstalk in one account and region: all operations, one topic per base class."""

from __future__ import annotations

from localstalk.elasticbeanstalk.composition import Composition
from localstalk.elasticbeanstalk.events import Events
from localstalk.elasticbeanstalk.information import Information


class Region(Information, Composition, Events):
    """Every operation of the service model, by its snake-case name."""
