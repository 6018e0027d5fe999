# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules say when they cannot do what was asked: one sentence that can be acted on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
ENVIRONMENT = {"application": "messages", "platform": "Docker running on 64bit Amazon Linux 2023", "wait_timeout": 20}


@pytest.mark.parametrize(
    ("module", "params", "message"),
    [
        ("application", {"name": "x" * 101}, "has 101 characters; Elastic Beanstalk takes 1 to 100."),
        ("application", {"name": "a/b"}, "has a slash or a control character."),
        ("application", {"name": "ok", "tags": {"aws:x": "y"}}, "is reserved; Elastic Beanstalk sets it itself."),
        (
            "application_version",
            {"application": "messages", "version_label": "new"},
            "The application messages has no version new; give src to make it.",
        ),
        (
            "application_version",
            {"application": "messages", "version_label": "new", "src": "/nowhere.zip"},
            "The source bundle /nowhere.zip is not a file.",
        ),
        (
            "application_version",
            {"application": "messages", "version_label": "a/b"},
            "The version label 'a/b' has a slash",
        ),
        ("environment", {**ENVIRONMENT, "name": "abc"}, "has 3 characters; Elastic Beanstalk takes 4 to 40."),
        ("environment", {**ENVIRONMENT, "name": "-bad-"}, "may have only letters, digits and hyphens"),
        (
            "environment",
            {**ENVIRONMENT, "name": "good", "cname_prefix": "a.b.c.d"},
            "The CNAME prefix 'a.b.c.d' may have",
        ),
        (
            "environment",
            {**ENVIRONMENT, "name": "good", "cname_prefix": "good", "tier": "Worker"},
            "An environment of the Worker tier has no CNAME; leave it out.",
        ),
        (
            "environment",
            {**ENVIRONMENT, "name": "good", "platform": None},
            "name and platform are needed to create one.",
        ),
        ("environment", {**ENVIRONMENT, "name": "good", "platform": "Docker on Mars"}, "There is no platform"),
        ("environment", {**ENVIRONMENT, "environment_id": "e-nothing"}, "There is no environment e-nothing."),
        ("environment", ENVIRONMENT, "one of the following is required: name, cname_prefix, environment_id"),
        (
            "environment",
            {**ENVIRONMENT, "name": "good", "option_settings": {"aws:autoscaling:asg": "MinSize"}},
            "are not a dictionary of option names and values.",
        ),
        (
            "leader_info",
            {"application": "messages", "cname_prefix": "nobody"},
            "The application messages has no environment nobody.",
        ),
    ],
)
def test_message(run: Run, module: str, params: dict[str, Any], message: str) -> None:
    if module != "application":
        run("application", name="messages")
    result = run(module, **params)
    assert result["failed"]
    assert message in result["msg"]
    assert "\n" not in result["msg"]


def test_names_that_others_hold(run: Run) -> None:
    settings = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}}
    for name in ("mine", "theirs"):
        run("application", name=name)
    taken = {**ENVIRONMENT, "application": "theirs", "name": "taken-name", "cname_prefix": "taken-cname"}
    taken |= {"option_settings": settings, "poll_interval": 0.2, "wait_timeout": 120}
    made = run("environment", **taken)
    assert not made.get("failed"), made["msg"]
    wanted = {**taken, "application": "mine"}
    assert run("environment", **wanted)["msg"] == (
        "The environment taken-name belongs to the application theirs, not to mine."
    )
    assert run("environment", **{**wanted, "name": "other-name"})["msg"].startswith(
        "The CNAME prefix taken-cname is taken by an environment that is not of the application mine"
    )
    by_id = {**wanted, "environment_id": made["environment"]["environment_id"], "state": "absent"}
    assert "belongs to the application theirs" in run("environment", **by_id)["msg"]
    other = run("environment", **{**taken, "cname_prefix": "other-cname", "state": "absent"})
    assert "does not hold the CNAME prefix other-cname but taken-cname" in other["msg"]
    busy = run("application", name="theirs", state="absent")
    assert busy["msg"] == "The application theirs still has environments (taken-name); terminate them first."
    assert run("environment", **{**taken, "state": "absent"})["changed"]


def test_a_launch_that_fails_at_once(run: Run) -> None:
    run("application", name="messages")
    params = {**ENVIRONMENT, "name": "no-profile", "poll_interval": 0.2}
    result = run("environment", **params)
    sentence, *rest = result["msg"].split("\n")
    assert sentence.endswith(
        "no-profile ended with the environment terminated: Environment must have instance profile associated with it."
    )
    again = "then run the same command again: it deploys to every instance that is behind."
    assert rest == [f"Next: Mend the cause, {again}"]
    assert "Failed to launch environment." in [event["message"] for event in result["events"]]
    assert result["environment"]["status"] == "Terminated"
    assert result["actions"] == ["create"]


def test_a_bucket_that_is_not_there(run: Run, bundle: Callable[[str], str]) -> None:
    run("application", name="buckets")
    params = {"application": "buckets", "version_label": "v1", "src": bundle("v1"), "poll_interval": 0.2}
    refused = run("application_version", **params, bucket="nobody-has-this-bucket")
    assert "the bucket does not exist; leave it out to use Elastic Beanstalk's own" in refused["msg"]
    made = run("application_version", **params, bucket="elasticbeanstalk-eu-west-9-123456789012")
    assert made["version"]["source_bundle"]["s3_bucket"] == "elasticbeanstalk-us-east-1-123456789012"


def test_no_server(run: Run, aws: dict[str, str]) -> None:
    result = run("application", name="x", endpoint_url="http://127.0.0.1:9")
    assert result["failed"]
    assert "Could not connect to the endpoint URL" in result["msg"]


def test_source_bundle(run: Run, tmp_path: Path) -> None:
    params = {"path": str(tmp_path), "cache_dir": str(tmp_path / "cache")}
    assert run("source_bundle", **params)["msg"].endswith(
        "is not in a git repository: use from: work_tree, or run git init."
    )
    overlay = [{"path": "x", "content": "some-long-secret-text", "mode": "rw"}]
    bad = run("source_bundle", **params, overlay=overlay)
    assert "The mode 'rw' of x is not an octal number" in bad["msg"]
    assert "some-long-secret-text" not in str(bad)
    good = run("source_bundle", **params | {"from": "work_tree"}, overlay=[{"path": "x", "content": "true"}])
    assert good["changed"]
