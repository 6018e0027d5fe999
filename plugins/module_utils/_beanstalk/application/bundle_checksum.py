# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bundle of a version in S3: the checksum with which it was uploaded, and whether it is still that one.

Zips of one label may differ, since their files are dated by the commit; so what lies in S3 is never compared with the
bundle at hand, but with what was recorded when the version was made. The record is a hint of this controller's: where
it is missing, whatever lies in S3 counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core import api
from ..core.cache import cache_of
from ..core.errors import AnsibleBeanstalkError, error_code

_RECORDED = 200
"""So many versions of an application; the checksums of older ones are dropped."""


def record_checksum(client: Any, application: str, label: str, checksum: str) -> None:
    """Note the checksum (base64 of a sha256, "" when S3 keeps none) of the bundle that was uploaded for a version."""
    if not checksum:
        return

    def add(known: dict[str, Any]) -> dict[str, Any]:
        recorded = {**(known.get("checksums") or {}), label: checksum}
        return {**known, "checksums": dict(list(recorded.items())[-_RECORDED:])}

    cache_of(client, application).change(add)


def missing_bundle(client: Any, s3: Any, version: Mapping[str, Any]) -> str:
    """Why the bundle of a version has to be uploaded again: `gone` or `replaced`; "" when it has not.

    Also "" where the credentials may not look.
    """
    place = version.get("SourceBundle") or {}
    if not place.get("S3Bucket") or not place.get("S3Key"):
        return ""
    try:
        found = api.bundle_checksum(s3, place["S3Bucket"], place["S3Key"])
    except AnsibleBeanstalkError as error:
        # Without the right to list a bucket, S3 does not tell a missing object from a forbidden one.
        if error_code(error) in ("403", "AccessDenied"):
            return ""
        raise
    if found is None:
        return "gone"
    recorded = (cache_of(client, version["ApplicationName"]).get("checksums") or {}).get(version["VersionLabel"])
    return "replaced" if recorded and found != recorded else ""
