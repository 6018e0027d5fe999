# SPDX-License-Identifier: GPL-3.0-or-later
"""Option settings in effect, from where they were given.

Precedence: API call, saved configuration, .ebextensions, default (Developer Guide, "Configuration options").
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Literal

from localstalk.model import options
from localstalk.model.state import Draft, Environment, Platform, Settings


def effective_settings(environment: Environment) -> Settings:
    """All settings."""
    return {**default_settings(environment.platform), **given_settings(environment)}


def given_settings(environment: Environment) -> Settings:
    """The effective settings without the defaults."""
    return {**environment.bundle_settings, **environment.template_settings, **environment.api_settings}


def option(environment: Environment, namespace: str, name: str, default: str = "") -> str:
    """One effective setting."""
    key = (namespace, name)
    for settings in (environment.api_settings, environment.template_settings, environment.bundle_settings):
        if key in settings:
            return settings[key]
    return default_settings(environment.platform).get(key, default)


def default_settings(platform: Platform) -> Settings:
    """What holds where nothing was given."""
    return options.defaults() if platform.generation == "al1" else _enhanced_defaults()


@cache
def _enhanced_defaults() -> Settings:
    # AL2 and later always report enhanced health, whatever the documented default.
    return options.defaults() | {("aws:elasticbeanstalk:healthreporting:system", "SystemType"): "enhanced"}


def make_draft(
    environment: Environment, status: Literal["pending", "failed"], created: datetime, updated: datetime
) -> Draft:
    """The settings as they would be, kept while they are deployed or after that failed."""
    return Draft(effective_settings(environment), status, created, updated)
