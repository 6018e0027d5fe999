# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets by reference need a platform version that can fetch them.

Source: "Fetching secrets and parameters to environment variables" of the AWS Elastic Beanstalk Developer Guide.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..core import api
from ..core.errors import AnsibleBeanstalkError, AnsibleBeanstalkRefusedError
from ..option_settings.keys import SECRETS, Settings
from ..platform import resolution
from ..platform.generation import recognise

SINCE = datetime(2025, 3, 26, tzinfo=UTC)


def check_platform(client: Any, settings: Settings, platform: Mapping[str, Any]) -> None:
    """Raise AnsibleBeanstalkRefusedError when ``settings`` have references and the platform version is too old.

    ``platform`` has PlatformArn or SolutionStackName, as an environment or a call has them. One call, and none without
    references. Nothing is refused when the version's date cannot be asked, or when the platform is the user's own.
    """
    if not any(key.namespace == SECRETS and value is not None for key, value in settings.items()):
        return
    name = platform.get("SolutionStackName") or platform.get("PlatformArn") or ""
    if recognise(name).is_legacy or _is_too_old(client, platform):
        raise AnsibleBeanstalkRefusedError(
            message=f"The platform {name} cannot fetch secrets by ARN ({SECRETS}): that came with the versions of "
            f"{SINCE:%Y-%m-%d}; choose a newer one."
        )


def _is_too_old(client: Any, platform: Mapping[str, Any]) -> bool:
    stack = platform.get("SolutionStackName") or ""
    arn = platform.get("PlatformArn") or resolution.arn_of_stack(stack, client.meta.partition, client.meta.region_name)
    if "::platform/" not in arn:
        return False
    try:
        return bool(api.describe_platform(client, arn)["DateCreated"] < SINCE)
    except AnsibleBeanstalkError:
        return False
