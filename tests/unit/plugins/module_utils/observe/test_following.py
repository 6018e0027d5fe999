# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs that are followed: each line is told once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkRefusedError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe import following
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.deployment_log import DeploymentLog

ARN = "arn:aws:elasticbeanstalk:eu-central-1:123456789012:environment/shop/shop"


@pytest.mark.parametrize(
    ("before", "now", "added"),
    [
        ("", "abc", "abc"),
        ("abc", "abc", ""),
        ("abc", "abcd", "d"),
        ("abc", "cde", "de"),
        ("abc", "xyz", "xyz"),
        ("aaa", "aaaa", "a"),
        ("abc", "", ""),
        ("abab", "abx", "x"),
    ],
)
def test_new_lines_are_what_follows_the_overlap(before: str, now: str, added: str) -> None:
    assert following.new_lines(list(before), list(now)) == list(added)


class Service:
    """An environment whose logs are what a test says."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.status, self.asked = "Ready", 0
        self.tails: dict[str, dict[str, list[str]]] = {}
        self.deployment: DeploymentLog | None = None
        self.told: list[tuple[str, list[str]]] = []

        def find(_client: Any, _params: Any) -> dict[str, str]:
            return {"EnvironmentId": "e-1", "Status": self.status, "EnvironmentArn": ARN}

        def request(_client: Any, _id: str, _instances: Sequence[str], _deadline: Any) -> Any:
            self.asked += 1
            return self.tails

        monkeypatch.setattr(following, "find_one", find)
        monkeypatch.setattr(following, "request_tails", request)
        monkeypatch.setattr(following, "deployment_log", lambda *_arguments: self.deployment)

    def follower(self, **params: Any) -> following.Follower:
        common = {"kind": "tail", "file": "", "lines": 2, "instance_ids": [], "poll_interval": 1, **params}
        return following.Follower(None, None, common, lambda where, lines: self.told.append((where, list(lines))))


def test_each_line_is_told_once_by_instance_and_file(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    follower = service.follower(file="nginx/access")
    service.tails = {"i-1": {"/var/log/nginx/access.log": ["a", "b", "c"], "/var/log/eb-engine.log": ["x"]}}
    follower.look()
    service.tails["i-1"]["/var/log/nginx/access.log"] = ["b", "c", "d\x1b[2J"]
    service.tails["i-2"] = {"/var/log/nginx/access.log": ["new"]}
    follower.look()
    follower.look()
    assert service.told == [("i-1 access.log", ["b", "c"]), ("i-1 access.log", ["d"]), ("i-2 access.log", ["new"])]


def test_lines_that_may_be_missing_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    follower = service.follower()
    service.tails = {"i-1": {"/var/log/web.log": ["a"]}}
    follower.look()
    service.tails = {"i-1": {"/var/log/web.log": [str(number) for number in range(100)]}}
    follower.look()
    assert service.told[1][1][:2] == ["(so many lines came at once that some may be missing)", "0"]


def test_while_an_operation_runs_its_own_log_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    follower = service.follower()
    service.status = "Updating"
    follower.look()
    service.deployment = DeploymentLog("eb-deployment-1.log", ["begun"])
    follower.look()
    service.deployment = DeploymentLog("eb-deployment-1.log", ["begun", "done"])
    follower.look()
    assert service.asked == 0, "Elastic Beanstalk would refuse it"
    assert service.told == [("e-1 eb-deployment-1.log", ["begun"]), ("e-1 eb-deployment-1.log", ["done"])]


def test_following_ends_in_time_and_when_nobody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(monkeypatch)
    params = {"kind": "tail", "file": "", "lines": 2, "instance_ids": [], "progress_file": "there"}
    for limit, over in ((0.05, False), (1000, True)):
        result = following.follow_logs(
            None,
            lambda _service: None,
            {**params, "follow_timeout": limit, "poll_interval": 0.01},
            lambda _where, _lines: None,
            lambda over=over: over,
        )
        assert result == {"logs": {}, "files": [], "missing": []}
    assert service.asked >= 1
    with pytest.raises(AnsibleBeanstalkRefusedError, match="nobody would see here: it needs connection: local"):
        following.follow_logs(None, lambda _service: None, {"progress_file": None}, print, lambda: False)
