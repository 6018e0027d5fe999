# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Elastic Beanstalk would refuse, said before any call is made: one sentence for each mistake.

Limits: botocore's service model elasticbeanstalk/2010-12-01.
"""

from __future__ import annotations

import re

from . import cnames
from .user_errors import NameRefusedError

_ENVIRONMENT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def _length(kind: str, value: str, least: int, most: int) -> None:
    if not least <= len(value) <= most:
        raise NameRefusedError(
            f"The {kind} {value!r} has {len(value)} characters; Elastic Beanstalk takes {least} to {most}."
        )


def check_application_name(value: str) -> None:
    """1 to 100 characters, no slash (it would break the application's ARN), no control characters."""
    _length("application name", value, 1, 100)
    if "/" in value or _CONTROL.search(value):
        raise NameRefusedError(f"The application name {value!r} has a slash or a control character.")


def check_version_label(value: str) -> None:
    """1 to 100 characters without slash or control characters."""
    _length("version label", value, 1, 100)
    if "/" in value or _CONTROL.search(value):
        raise NameRefusedError(f"The version label {value!r} has a slash or a control character.")


def check_environment_name(value: str) -> None:
    """4 to 40 letters, digits and hyphens, no hyphen at either end."""
    _length("environment name", value, 4, 40)
    if not _ENVIRONMENT.fullmatch(value):
        raise NameRefusedError(
            f"The environment name {value!r} may have only letters, digits and hyphens, and no hyphen at either end."
        )


def check_cname_prefix(value: str) -> None:
    """4 to 63 letters, digits and hyphens, no hyphen at either end; or two such parts, if Elastic Beanstalk made it."""
    if cnames.is_whole(value):
        raise NameRefusedError(cnames.whole_sentence(value))
    _length("CNAME prefix", value, 4, 63)
    parts = value.split(".")
    if len(parts) > 2 or not all(_ENVIRONMENT.fullmatch(part) for part in parts):
        raise NameRefusedError(
            f"The CNAME prefix {value!r} may have only letters, digits and hyphens, and no hyphen at either end."
        )


def check_description(value: str) -> None:
    """At most 200 characters."""
    _length("description", value, 0, 200)


def check_tags(tags: dict[str, str]) -> None:
    """At most 50 tags, keys of at most 128 and values of at most 256 characters, no key that AWS reserves."""
    if len(tags) > 50:
        raise NameRefusedError(f"There are {len(tags)} tags; AWS takes at most 50.")
    for key, value in tags.items():
        _length("tag key", str(key), 1, 128)
        _length(f"value of the tag {key}", str(value), 0, 256)
        if str(key).lower().startswith(("aws:", "elasticbeanstalk:")) or str(key) == "Name":
            raise NameRefusedError(f"The tag key {key!r} is reserved; Elastic Beanstalk sets it itself.")


def own_bucket(arn: str) -> str:
    """Name of Elastic Beanstalk's own bucket, told from the ARN of anything in the account; "" when it tells none.

    Source: AWS's Developer Guide, "Using Elastic Beanstalk with Amazon S3": elasticbeanstalk-REGION-ACCOUNT.
    """
    parts = arn.split(":")
    return f"elasticbeanstalk-{parts[3]}-{parts[4]}" if len(parts) > 5 and parts[3] and parts[4] else ""
