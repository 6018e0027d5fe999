# SPDX-License-Identifier: GPL-3.0-or-later
"""What must hold after every run, whatever went wrong in it: the promises of the design, checked by one function."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.process import has_ended
from chaos.local import client, environments


@dataclass(frozen=True)
class Ended:
    """How a run ended: what it said, whether it called itself a success (None: it was killed), and how long it took."""

    output: str
    succeeded: bool | None
    seconds: float = 0.0
    limit: float = 60.0


@dataclass(frozen=True)
class Left:
    """What is there afterwards: environments that hold the name, and what their instances run."""

    live: Sequence[str]
    healthy: bool
    environments: int
    labels: Sequence[str]
    wanted: str
    owners: Mapping[str, str] = field(default_factory=dict)
    """Who holds a lease now: one whose process has ended is nobody's."""


def left_behind(aws: dict[str, str], application: str, wanted: str) -> Left:
    """What is there of an application with one live environment."""
    eb = client(aws, "elasticbeanstalk")
    found = environments(aws, application)
    live = [one for one in found if one["CNAME"].startswith(f"{application}-live.")]
    labels = []
    for one in live:
        health = eb.describe_instances_health(EnvironmentId=one["EnvironmentId"], AttributeNames=["All"])
        labels += [str(each["Deployment"]["VersionLabel"]) for each in health["InstanceHealthList"]]
    healthy = all(one["Status"] == "Ready" and one["Health"] == "Green" for one in live)
    ids = [str(one["EnvironmentId"]) for one in live]
    return Left(ids, healthy, len(found), labels, wanted, _owners(aws, application))


def _owners(aws: dict[str, str], application: str) -> dict[str, str]:
    bucket = client(aws, "elasticbeanstalk").create_storage_location()["S3Bucket"]
    s3 = client(aws, "s3")
    key = f"jack.beanstalk/locks/{application}.json"
    if not s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"]:
        return {}
    leases: dict[str, Any] = json.loads(s3.get_object(Bucket=bucket, Key=key)["Body"].read())["leases"]
    return {
        name: str(lease["owner"])
        for name, lease in leases.items()
        if lease["owner"] and not has_ended(lease["process"] or {})
    }


def broken_promises(ended: Ended, left: Left, canaries: Sequence[str] = ()) -> list[str]:
    """The promises that do not hold, by their numbers in the design; none is good."""
    found = []
    if len(left.live) != 1:
        found.append(f"1: the name is held by {list(left.live)}")
    if ended.succeeded is None:
        # What it began goes on in Elastic Beanstalk, and what it left is for the next run.
        return found
    if not left.healthy:
        found.append("1: the live environment is not healthy")
    if left.owners:
        found.append(f"3: the lock is still held: {dict(left.owners)}")
    if left.environments != 1:
        found.append(f"4: {left.environments} environments are left")
    found += [f"5: a secret was told: {one}" for one in canaries if one in ended.output]
    if ended.seconds > ended.limit:
        found.append(f"7: it took {ended.seconds:.0f} seconds, and the limit was {ended.limit:.0f}")
    if "Traceback (most recent call last)" in ended.output:
        found.append("7: it ended with a traceback and not with a sentence")
    if ended.succeeded and set(left.labels) != {left.wanted}:
        found.append(f"10: it said that {left.wanted} runs, and {sorted(set(left.labels))} do")
    return found
