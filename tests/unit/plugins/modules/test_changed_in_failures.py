# SPDX-License-Identifier: GPL-3.0-or-later
"""A task that failed says whether it had changed something before: each module, failing after its first write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def refused(faults: Any) -> Callable[..., None]:
    """Let operations of a service be refused from now on."""

    def call(*operations: str, service: str = "elasticbeanstalk") -> None:
        faults.add(kind="error", code="AccessDenied", http_status=403, service=service, operations=list(operations))

    return call


def test_application_whose_tags_are_refused(run: Run, refused: Callable[..., None]) -> None:
    assert run("application", name="half-application")["changed"]
    refused("UpdateTagsForResource")
    failed = run("application", name="half-application", description="New", tags={"a": "b"})
    assert failed["failed"]
    assert failed["changed"], "the description is another now"
    again = run("application", name="half-application", description="New", tags={"a": "b"})
    assert again["failed"]
    assert not again["changed"]


def test_version_that_is_refused_after_its_upload(run: Run, refused: Callable[..., None], bundle: Any) -> None:
    run("application", name="half-version")
    refused("CreateApplicationVersion")
    failed = run("application_version", application="half-version", version_label="v1", src=bundle("v1"))
    assert failed["failed"]
    assert failed["changed"], "the bundle is in S3"


def test_prune_that_is_refused_from_the_second_on(run: Run, faults: Any, bundle: Any, eb: Any) -> None:
    run("application", name="half-pruned")
    for label in ("v1", "v2", "v3"):
        assert run(
            "application_version",
            application="half-pruned",
            version_label=label,
            src=bundle(label),
            poll_interval=0.1,
        )["changed"]
    # A lost answer to the first deletion is no change that anybody knows of; a refusal of all is none at all.
    faults.add(kind="error", code="AccessDenied", http_status=403, operations=["DeleteApplicationVersion"])
    prune = {"application": "half-pruned", "keep": 1, "used_within_days": 0}
    nothing = run("application_version_prune", **prune)
    assert nothing["failed"]
    assert not nothing["changed"]
    faults.clear()
    assert run("application_version_prune", **{**prune, "keep": 2})["changed"]
    assert len(eb.describe_application_versions(ApplicationName="half-pruned")["ApplicationVersions"]) == 2


def test_environment_whose_lock_alone_was_written_is_unchanged(run: Run, refused: Callable[..., None]) -> None:
    run("application", name="half-locked")
    refused("CreateEnvironment")
    failed = run(
        "environment",
        application="half-locked",
        name="half-locked",
        cname_prefix="half-locked",
        platform="Docker running on 64bit Amazon Linux 2023",
        option_settings={
            "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}
        },
        lock={},
        poll_interval=0.2,
    )
    assert failed["failed"]
    assert not failed["changed"]
