# SPDX-License-Identifier: GPL-3.0-or-later
"""Who the leader is in environments that only the platform engine's log tells about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}
COMMAND = "aws:elasticbeanstalk:command"


@pytest.fixture
def make(run: Run, bundle: Callable[[str], str]) -> Callable[..., dict[str, Any]]:
    """Deploy a version to an environment of two instances."""
    run("application", name="matrix")
    for label in ("v1", "v2"):
        run("application_version", application="matrix", version_label=label, src=bundle(label), **QUICK)

    def deploy(name: str, label: str = "v1", **settings: Any) -> dict[str, Any]:
        done = run(
            "environment",
            application="matrix",
            name=name,
            cname_prefix=name,
            platform="Docker running on 64bit Amazon Linux 2023",
            version_label=label,
            instance_profile="aws-elasticbeanstalk-ec2-role",
            load_balancer="application",
            min_size=2,
            max_size=2,
            option_settings={COMMAND: settings} if settings else {},
            **QUICK,
        )
        assert not done.get("failed"), done["msg"]
        return done

    return deploy


def ask(run: Run, name: str) -> dict[str, Any]:
    answer = run("leader_info", application="matrix", cname_prefix=name, poll_interval=0.2, wait_timeout=30)
    assert not answer.get("failed"), answer["msg"]
    assert answer["api_calls"] <= 7
    return dict(answer["leader"])


def instances(run: Run, name: str) -> set[str]:
    found = run("instance_info", application="matrix", names=[name])["instances"]
    return {item["instance_id"] for item in found}


@pytest.mark.parametrize(
    "policy",
    [
        {"DeploymentPolicy": "AllAtOnce"},
        {"DeploymentPolicy": "Rolling", "BatchSizeType": "Fixed", "BatchSize": 1},
        {"DeploymentPolicy": "Immutable"},
    ],
    ids=lambda policy: policy["DeploymentPolicy"],
)
def test_after_a_deployment(run: Run, make: Callable[..., Any], policy: dict[str, Any]) -> None:
    name = f"matrix-{policy['DeploymentPolicy'].lower()[:12]}"
    make(name, **policy)
    first = ask(run, name)
    assert (first["state"], first["version_label"], first["command"]) == ("found", "v1", "app-deploy")
    assert first["instance_id"] in instances(run, name)
    make(name, "v2", **policy)
    second = ask(run, name)
    assert (second["state"], second["version_label"]) == ("found", "v2"), second
    assert second["instance_id"] in instances(run, name)
    assert {item["source"] for item in second["evidence"]} == {"engine_log"}
    run("environment", application="matrix", name=name, state="absent", **QUICK)
