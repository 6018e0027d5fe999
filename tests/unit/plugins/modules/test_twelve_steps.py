# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, modify, delete; each in check mode and for real; each a first and a second time; against localstalk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from .steps import twelve_steps

Run = Callable[..., dict[str, Any]]
PLATFORM = "Docker running on 64bit Amazon Linux 2023"
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}
PROPERTIES = "aws:elasticbeanstalk:application:environment"


def test_application(run: Run, eb: Any) -> None:
    first = {"name": "steps", "description": "One", "tags": {"CostCenter": "A1", "old": "x"}}
    second = {"name": "steps", "description": "", "tags": {"CostCenter": "A2"}}
    results = twelve_steps(run, "application", first, second)
    assert results["create do"]["application"]["tags"] == first["tags"]
    assert results["modify check"]["application"]["tags"] == {"CostCenter": "A2"}
    assert results["modify do"]["application"]["description"] == ""
    assert results["delete do"]["application"] is None
    assert eb.describe_applications(ApplicationNames=["steps"])["Applications"] == []


def test_lock(run: Run) -> None:
    first = {"application": "steps", "cname_prefix": "steps-live", "owner": "somebody", "reason": "One"}
    second = {**first, "owner": "somebody else", "reason": "Two", "force": True}
    results = twelve_steps(run, "lock", first, second)
    assert results["modify do"]["lock"]["owner"] == "somebody else"
    assert results["modify do"]["lock"]["token"] == results["create do"]["lock"]["token"] + 1
    assert results["delete do"]["lock"]["held"] is False


def test_saved_configuration(run: Run) -> None:
    run("application", name="saving")
    settings = {"aws:autoscaling:asg": {"MaxSize": 2}, PROPERTIES: {"SECRET_KEY": "not-for-the-log"}}
    first = {"application": "saving", "name": "small", "platform": PLATFORM, "description": "One"}
    first |= {"option_settings": settings}
    second = {**first, "description": "Two", "option_settings": {"aws:autoscaling:asg": {"MaxSize": 3}}}
    results = twelve_steps(run, "saved_configuration", first, second)
    assert results["modify do"]["diff"]["after"] == {"description": "Two", "aws:autoscaling:asg:MaxSize": "3"}
    assert results["delete do"]["saved_configuration"] is None
    assert "not-for-the-log" not in str(results)


def test_application_leaves_alone_what_is_not_said(run: Run) -> None:
    run("application", name="quiet", description="Said once", tags={"a": "b"})
    again = run("application", name="quiet")
    assert not again["changed"]
    assert again["application"]["description"] == "Said once"
    kept = run("application", name="quiet", tags={"c": "d"}, purge_tags=False)
    assert kept["application"]["tags"] == {"a": "b", "c": "d"}


def test_application_version(run: Run, eb: Any, bundle: Callable[[str], str]) -> None:
    run("application", name="versions")
    first = {"application": "versions", "version_label": "v1", "src": bundle("one"), "description": "One", **QUICK}
    second = {**first, "description": "Two", "tags": {"by": "test"}}
    results = twelve_steps(run, "application_version", first, second)
    made = results["create do"]["version"]
    assert made["status"] == "PROCESSED"
    assert made["source_bundle"] == {
        "s3_bucket": "elasticbeanstalk-us-east-1-123456789012",
        "s3_key": "versions/v1.zip",
    }
    assert results["create do again"]["api_calls"] == 2, "one for the version, one for its bundle in S3"
    assert results["create do"]["api_calls"] <= 6
    assert results["modify do"]["version"]["description"] == "Two"
    assert eb.describe_application_versions(ApplicationName="versions")["ApplicationVersions"] == []


@pytest.fixture
def blog(run: Run, bundle: Callable[[str], str]) -> str:
    """An application with two versions."""
    run("application", name="blog")
    for label in ("v1", "v2"):
        made = run("application_version", application="blog", version_label=label, src=bundle(label), **QUICK)
        assert not made.get("failed"), made
    return "blog"


def environment(name: str, **more: Any) -> dict[str, Any]:
    settings = {
        "aws:autoscaling:asg": {"MinSize": 2, "MaxSize": 2},
        "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"},
        PROPERTIES: {"DJANGO_SECRET_KEY": "do-not-print-this", "DEBUG": False},
    }
    return {
        "application": "blog",
        "name": name,
        "cname_prefix": name,
        "platform": PLATFORM,
        "version_label": "v1",
        "option_settings": settings,
        **QUICK,
        **more,
    }


def test_environment(run: Run, blog: str) -> None:
    first = environment("blog-steps", tags={"stage": "test"})
    settings = {**first["option_settings"], "aws:autoscaling:asg": {"MinSize": "2", "MaxSize": 3}}
    settings[PROPERTIES] = {"DJANGO_SECRET_KEY": "another-secret", "DEBUG": None}
    second = {
        **first,
        "version_label": "v2",
        "option_settings": settings,
        "tags": {"stage": "live"},
        "description": "D",
    }
    results = twelve_steps(run, "environment", first, second)
    created = results["create do"]
    assert created["actions"] == ["create"]
    assert [item["version_label"] for item in created["instances"]] == ["v1", "v1"]
    assert created["environment"]["status"] == "Ready"
    assert created["environment"]["cname_prefix"] == "blog-steps"
    changed = results["modify do"]
    assert changed["actions"] == ["update_version", "update_description", "update_settings", "update_tags"]
    assert {item["version_label"] for item in changed["instances"]} == {"v2"}
    assert changed["diff"]["after"][f"{PROPERTIES}:DJANGO_SECRET_KEY"] == "(hidden) (new value)"
    # The environment, its instances and its tags; that its settings are right was seen by the run before.
    assert results["modify do again"]["api_calls"] == 3
    assert results["delete do"]["environment"] is None
    everything = str(results)
    assert "do-not-print-this" not in everything
    assert "another-secret" not in everything


def test_environment_is_found_by_its_cname_after_a_swap(run: Run, blog: str, eb: Any, faults: Any) -> None:
    """It comes while the swap is going on, and waits for its end."""
    for name in ("blog-blue", "blog-green"):
        assert not run("environment", **environment(name)).get("failed")
    faults.add(kind="stuck", operation="swap", seconds=200)
    eb.swap_environment_cnames(SourceEnvironmentName="blog-blue", DestinationEnvironmentName="blog-green")
    live = run("environment", **environment("blog-blue", version_label="v2"))
    assert live["environment"]["environment_name"] == "blog-green"
    assert live["environment"]["cname_prefix"] == "blog-blue"
    info = run("environment_info", application="blog", cname_prefix="blog-blue")
    assert [item["environment_name"] for item in info["environments"]] == ["blog-green"]
    assert info["api_calls"] == 4
    for name in ("blog-blue", "blog-green"):
        assert run("environment", **environment(name, state="absent"))["changed"]


def test_a_failed_deployment_tells_why(run: Run, blog: str, eb: Any) -> None:
    params = environment("blog-broken")
    assert not run("environment", **params).get("failed")
    failed = run("environment", **{**params, "version_label": "no-such-version"})
    assert failed["failed"]
    assert failed["msg"] == (
        "The application blog has no version no-such-version; make it with the application_version module."
    )
    assert run("environment_info", names=["blog-broken"])["environments"][0]["version_label"] == "v1"
    run("environment", **{**params, "state": "absent"})


def test_leader(run: Run, blog: str) -> None:
    assert not run("environment", **environment("blog-leader")).get("failed")
    answer = run("leader_info", application="blog", cname_prefix="blog-leader", poll_interval=0.2)
    assert answer["leader"]["state"] == "found"
    claims = [item["instance_id"] for item in answer["leader"]["evidence"] if item["says"] == "leader"]
    assert claims == [answer["leader"]["instance_id"]]
    assert answer["api_calls"] <= 6
    assert "X-Amz-Signature" not in str(answer)
    run("environment", **environment("blog-leader", state="absent"))


def test_waiting_in_line_behind_another_operation(run: Run, blog: str, eb: Any) -> None:
    params = environment("blog-queue")
    assert not run("environment", **params).get("failed")
    eb.update_environment(EnvironmentName="blog-queue", VersionLabel="v1")
    second = run("environment", **{**params, "version_label": "v2"})
    assert not second.get("failed"), second["msg"]
    assert second["environment"]["version_label"] == "v2"
    run("environment", **{**params, "state": "absent"})


def test_protected_environments_are_not_terminated(run: Run, blog: str) -> None:
    params = environment("blog-guard", tags={"jack:protected": "true"})
    assert not run("environment", **params).get("failed")
    refused = run("environment", **{**params, "state": "absent"})
    assert refused["msg"] == "The environment blog-guard is protected by its tag jack:protected; remove the tag first."
    assert not refused["changed"] if "changed" in refused else True
    run("environment", **{**params, "tags": {}})
    assert run("environment", **{**params, "state": "absent"})["changed"]
