# SPDX-License-Identifier: GPL-3.0-or-later
"""The modules that ask, and the swap, on one pair of environments."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]
QUICK = {"poll_interval": 0.2, "wait_timeout": 120}
SETTINGS = {
    "aws:autoscaling:asg": {"MinSize": 1, "MaxSize": 1},
    "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"},
}


@pytest.fixture
def pair(run: Run, bundle: Callable[[str], str]) -> Iterator[dict[str, str]]:
    """Two environments of one application; their ids by name."""
    run("application", name="infos", tags={"Team": "web"})
    run("application_version", application="infos", version_label="v1", src=bundle("v1"), **QUICK)
    ids = {}
    for name in ("infos-old", "infos-new"):
        made = run("environment", **environment(name))
        assert not made.get("failed"), made["msg"]
        ids[name] = made["environment"]["environment_id"]
    yield ids
    for name in ids:
        run("environment", **QUICK, application="infos", environment_id=ids[name], state="absent")


def environment(name: str) -> dict[str, Any]:
    return {
        "application": "infos",
        "name": name,
        "cname_prefix": name,
        "platform": "Docker running on 64bit Amazon Linux 2023",
        "version_label": "v1",
        "option_settings": SETTINGS,
        **QUICK,
    }


def test_questions(run: Run, pair: dict[str, str], tmp_path: Path) -> None:
    applications = run("application_info", names=["infos"])["applications"]
    assert [(item["application_name"], item["tags"]) for item in applications] == [("infos", {"Team": "web"})]

    versions = run("application_version_info", application="infos")
    assert versions["versions"][0]["environments"] == ["infos-new", "infos-old"]
    assert versions["api_calls"] == 2

    told = run("environment_events_info", application="infos", name="infos-old", since="1h")["events"]
    assert told[0]["message"] == "createEnvironment is starting."
    assert [event["event_date"] for event in told] == sorted(event["event_date"] for event in told)
    assert (
        run("environment_events_info", application="infos", limit=1)["events"][0]["event_date"]
        >= told[-1]["event_date"]
    )
    wrong = run("environment_events_info", application="infos", since="yesterday")
    assert wrong["msg"] == (
        "since is 'yesterday'; give a time such as 2026-03-03T12:00:00Z, or so long ago: 90m, 2h, 1d."
    )

    instances = run("instance_info", application="infos")["instances"]
    assert [(item["environment_name"], item["current"]) for item in instances] == [
        ("infos-new", True),
        ("infos-old", True),
    ]

    found = run("platform_info", branch="docker running on 64bit amazon linux 2023")["platforms"]
    assert [item["newest"] for item in found].count(True) == 1

    logs = run("environment_logs", application="infos", name="infos-old", poll_interval=0.2)
    assert list(logs["logs"]) == [instances[1]["instance_id"]]
    assert logs["missing"] == []
    written = run("environment_logs", application="infos", name="infos-old", poll_interval=0.2, dest=str(tmp_path))
    path = Path(written["files"][0])
    assert path.is_relative_to(tmp_path / instances[1]["instance_id"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_deployment_log_and_analysis(run: Run, pair: dict[str, str], tmp_path: Path) -> None:
    one = {"application": "infos", "name": "infos-old", "poll_interval": 0.2}
    told = run("environment_logs", kind="deployment", **one)
    ((path, lines),) = told["logs"][pair["infos-old"]].items()
    assert path.startswith("/var/log/deployments/eb-deployment-")
    assert lines[0].endswith("[INFO] Starting Application deployment")
    assert lines[-1].endswith("[INFO] Completed Application deployment")
    assert told["api_calls"] == 3
    written = run("environment_logs", kind="deployment", dest=str(tmp_path), **one)["files"]
    assert [Path(file).relative_to(tmp_path) for file in written] == [Path(pair["infos-old"] + path)]

    (analyzed,) = run("environment_logs", kind="analyze", **one)["logs"].values()
    assert "infos-old" in analyzed["analysis"][0]


def test_swap(run: Run, pair: dict[str, str]) -> None:
    old, new = pair["infos-old"], pair["infos-new"]
    wanted = {"application": "infos", "cname_prefix": "infos-old", "environment_id": new, "poll_interval": 0.2}
    predicted = run("environment_swap", check=True, **wanted)
    swapped = run("environment_swap", **wanted)
    assert predicted["changed"]
    assert swapped["changed"]
    assert predicted["diff"] == swapped["diff"]
    assert swapped["before"] == {
        new: "infos-new.us-east-1.elasticbeanstalk.com",
        old: "infos-old.us-east-1.elasticbeanstalk.com",
    }
    assert swapped["after"] == {new: swapped["before"][old], old: swapped["before"][new]}
    assert swapped["environment"]["cname_prefix"] == "infos-old"
    assert swapped["previous_id"] == old
    again = run("environment_swap", **wanted)
    assert not again["changed"]
    assert not run("environment_swap", check=True, **wanted)["changed"]
    for change, message in (
        ({"environment_id": "e-nothing"}, "The application infos has no environment e-nothing."),
        ({"cname_prefix": "nobody"}, "No environment of infos holds the CNAME prefix nobody"),
    ):
        assert message in run("environment_swap", **{**wanted, **change})["msg"]
