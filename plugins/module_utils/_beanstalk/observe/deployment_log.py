# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Elastic Beanstalk's own log of a deployment, which one instance uploads to its bucket while the deployment goes on.

Amazon Linux 2 and 2023, platform versions since March 2026. Source: AWS's Developer Guide, "Viewing deployment logs";
where the objects are, and what they hold, is in docs/elastic_beanstalk.md §13.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from ..core.errors import denied_action, error_code, translate_errors
from ..core.reading import Allowance, read_whole
from .unpacking import last_lines

FOLDER = "resources/environments/logs/deployments"
ON_INSTANCE = "/var/log/deployments"
_MISSING = ("NoSuchKey", "NoSuchBucket", "404")
_MOST_BYTES = 2 << 20  # Elastic Beanstalk ends its own at 1 MB
_SECONDS = 30.0
_PAGES = 10
_ERROR = "[ERROR]"


class DeploymentLog(NamedTuple):
    """``name`` is that of the file below :data:`ON_INSTANCE`, where instances keep it, too."""

    name: str
    lines: list[str]


@translate_errors("read the deployment log")
def deployment_log(s3: Any, bucket: str, environment_id: str, request_id: str = "") -> DeploymentLog | None:
    """The log of the deployment that a request began, as far as it has come; without a request, of the newest one.

    None where there is none (yet), and where the caller may not read it: nothing depends on it. One request with
    ``request_id``, two without.
    """
    folder = f"{FOLDER}/{environment_id}/"
    try:
        key = f"{folder}eb-deployment-{request_id}.log" if request_id else _newest(s3, bucket, folder)
        if not key:
            return None
        body = s3.get_object(Bucket=bucket, Key=key)["Body"]
        with body:
            text = read_whole(body, Allowance(_MOST_BYTES, _SECONDS)).decode(errors="replace")
    except s3.exceptions.ClientError as error:
        if error_code(error) in _MISSING or denied_action(error):
            return None
        raise
    return DeploymentLog(key.rpartition("/")[2], last_lines(text))


def _newest(s3: Any, bucket: str, folder: str) -> str:
    """The key of the object that was written last, logs of instances that start by themselves included."""
    return max(_objects(s3, bucket, folder), key=lambda one: one["LastModified"], default={"Key": ""})["Key"]


def _objects(s3: Any, bucket: str, folder: str) -> Iterator[dict[str, Any]]:
    more: dict[str, str] = {}
    for _page in range(_PAGES):
        answer = s3.list_objects_v2(Bucket=bucket, Prefix=folder, **more)
        yield from answer.get("Contents", [])
        if not answer.get("IsTruncated"):
            return
        more = {"ContinuationToken": answer["NextContinuationToken"]}


def failed_step(lines: Sequence[str]) -> list[str]:
    """The step that failed and the end of what it printed, as the log has it; empty when nothing failed."""
    first = next((at for at, line in enumerate(lines) if _ERROR in line), len(lines))
    return list(lines[first:])
