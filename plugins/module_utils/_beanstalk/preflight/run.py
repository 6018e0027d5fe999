# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look before a deployment: read, then check."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..core.errors import AnsibleBeanstalkRefusedError
from ..core.shown import shown
from .checks import access, application, environment, network, settings
from .facts import Facts
from .findings import ERROR, OK, WARNING, Finding, error
from .reading import Reader
from .wanted import Wanted

CHECKS: tuple[Callable[[Facts, Wanted], Iterator[Finding]], ...] = (
    access.identity,
    access.permissions,
    access.unread,
    access.instance_profile,
    access.service_role,
    network.vpc,
    network.subnets,
    network.way_out,
    network.key_pair,
    network.quotas,
    environment.platform,
    environment.cname,
    environment.live_environment,
    settings.validated,
    settings.launch_template,
    settings.tags,
    settings.properties,
    settings.secrets,
    settings.bucket,
    settings.base_image,
    application.secret_files,
    application.source,
)


def findings_of(facts: Facts, wanted: Wanted) -> list[Finding]:
    """What all checks find, in their order."""
    return [finding for check in CHECKS for finding in check(facts, wanted)]


def preflight(client: Callable[[str], Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """The module's result. ``client`` makes a client of a service by its name."""
    try:
        wanted = Wanted.of(params)
    except AnsibleBeanstalkRefusedError as refused:
        found = [error(str(refused.message), "Correct eb_option_settings, eb_environment_properties or eb_secrets.")]
    else:
        found = findings_of(Reader(client, wanted).read(), wanted)
    return {
        "findings": [{name: shown(text) for name, text in one._asdict().items()} for one in found],
        **{f"{level}_count": sum(one.level == level for one in found) for level in (OK, WARNING, ERROR)},
    }
