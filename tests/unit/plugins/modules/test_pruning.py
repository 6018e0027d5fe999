# SPDX-License-Identifier: GPL-3.0-or-later
"""Deleting old versions, against localstalk."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.application.pruning import sort_out

Run = Callable[..., dict[str, Any]]
PLATFORM = "Docker running on 64bit Amazon Linux 2023"
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}


def version(number: int, status: str = "PROCESSED", prefix: str = "v") -> dict[str, Any]:
    created = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=number)
    return {"VersionLabel": f"{prefix}{number}", "DateCreated": created, "Status": status}


def test_what_stays_and_why() -> None:
    versions = [version(3), version(1), version(2, "PROCESSING"), version(5), version(4), version(0, prefix="other-")]
    environments = [{"EnvironmentName": "live", "VersionLabel": "v1"}, {"EnvironmentName": "new", "VersionLabel": None}]
    doomed, kept = sort_out(versions, environments, 1, "v")
    assert doomed == ["v3", "v4"]
    assert kept == {
        "v5": "one of the newest 1",
        "v2": "is being processed",
        "v1": "used by live",
        "other-0": "has another prefix",
    }


def test_prune(run: Run, eb: Any, faults: Any, bundle: Callable[[str], str]) -> None:
    run("application", name="prune")
    for number in range(5):
        label = f"v{number}"
        made = run("application_version", application="prune", version_label=label, src=bundle(label), **QUICK)
        assert not made.get("failed"), made
    environment = {
        "application": "prune",
        "name": "prune-live",
        "platform": PLATFORM,
        "version_label": "v0",
        "instance_profile": "aws-elasticbeanstalk-ec2-role",
        **QUICK,
    }
    assert run("environment", **environment)["changed"]
    params = {"application": "prune", "keep": 2}
    predicted = run("application_version_prune", check=True, **params)
    # While something is deployed, the version that it is about to get is not known.
    faults.add(kind="stuck", environment="prune-live")
    eb.update_environment(EnvironmentName="prune-live", VersionLabel="v1")
    postponed = run("application_version_prune", **params)
    assert (postponed["changed"], postponed["postponed"]) == (False, ["v1", "v2"])
    assert postponed["reason"] == ("An operation is running on prune-live, whose new version is not known yet.")
    faults.clear()
    assert run("environment", **environment)["changed"]
    done = run("application_version_prune", **params)
    assert done["deleted"] == predicted["deleted"] == ["v1", "v2"]
    assert done["diff"] == predicted["diff"]
    assert done["kept"] == {"v0": "used by prune-live", "v3": "one of the newest 2", "v4": "one of the newest 2"}
    assert done["api_calls"] == 4
    assert not run("application_version_prune", **params)["changed"]
    # The version of an environment that is gone stays for a while: the environment could be restored.
    assert run("environment", **environment, state="absent")["changed"]
    assert run("application_version_prune", **params)["kept"]["v0"] == "used by prune-live"
    wrong = run("application_version_prune", **{**params, "keep": 0})
    assert wrong["msg"] == "keep has to be at least 1, and used_within_days at least 0."
