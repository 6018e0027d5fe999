# SPDX-License-Identifier: GPL-3.0-or-later
"""What the environment module says when a deployment failed: the sentence, the cause, and what to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import waiters
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.answers import Answers
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.api import CallCounter
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.clock import SystemClock
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.limiter import RateLimiter
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.reading import Allowance
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.job import EnvironmentJob
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe import logs
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.engine import (
    ApiSource,
    ServiceClock,
    Services,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.lane import Lane
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import ItemProgress, ProgressFile
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.single_flight import SingleFlight
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.watcher import ApplicationWatcher
from inline import Inline

NOW = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
GOOD, BAD = "i-0000000000000000a", "i-0000000000000000b"
META = {"RequestId": "req-1", "HTTPHeaders": {"date": "Tue, 03 Mar 2026 12:00:00 GMT"}}
TAIL = """----------------------------------------
/var/log/eb-engine.log
----------------------------------------
2026/03/03 12:00:09.000000 [INFO] Running platform hook: .platform/hooks/postdeploy/blog_10_migrate.sh
2026/03/03 12:00:10.000000 [ERROR] An error occurred during execution of command [app-deploy] - [PostDeploy].
"""


class Service:
    """An environment whose deployment fails on one of two instances."""

    exceptions = type("Exceptions", (), {"ClientError": type("ClientError", (Exception,), {})})

    meta = SimpleNamespace(endpoint_url="http://scripted", region_name="us-east-1")

    def __init__(self) -> None:
        self.updates = 0
        self.busy = 0

    def describe_environments(self, **_filters: Any) -> dict[str, Any]:
        environment = {
            "EnvironmentId": "e-1",
            "EnvironmentName": "blog-prod",
            "ApplicationName": "blog",
            "CNAME": "blog.us-east-1.elasticbeanstalk.com",
            "VersionLabel": "v1",
            "Status": "Ready",
            "Health": "Red",
        }
        return {"Environments": [environment]}

    def update_environment(self, **params: Any) -> dict[str, Any]:
        assert params == {"EnvironmentId": "e-1", "VersionLabel": "v2"}
        self.updates += 1
        return {**self.describe_environments()["Environments"][0], "Status": "Updating", "ResponseMetadata": META}

    def describe_events(self, **_filters: Any) -> dict[str, Any]:
        texts = [
            ("INFO", "Environment update is starting."),
            ("ERROR", "Instance deployment failed. For details, see 'eb-engine.log'."),
            ("ERROR", f"Unsuccessful command execution on instance id(s) '{BAD}'. Aborting the operation."),
            ("ERROR", "Failed to deploy application."),
        ]
        events = [
            {
                "EventDate": NOW + timedelta(seconds=at),
                "Severity": severity,
                "Message": text,
                "RequestId": "req-1",
                "EnvironmentName": "blog-prod",
            }
            for at, (severity, text) in enumerate(texts)
        ]
        return {"Events": events[::-1]}

    def describe_environment_health(self, **_params: Any) -> dict[str, Any]:
        return {"Causes": ["Incorrect application version found on 1 out of 2 instances."]}

    def request_environment_info(self, **_params: Any) -> dict[str, Any]:
        return {"ResponseMetadata": META}

    def retrieve_environment_info(self, **_params: Any) -> dict[str, Any]:
        old = NOW - timedelta(hours=1)
        return {
            "EnvironmentInfo": [
                {"Ec2InstanceId": BAD, "SampleTimestamp": old, "Message": "https://logs/old"},
                {"Ec2InstanceId": GOOD, "SampleTimestamp": NOW, "Message": "https://logs/good"},
                {"Ec2InstanceId": BAD, "SampleTimestamp": NOW, "Message": "https://logs/bad"},
            ]
        }


@pytest.fixture(autouse=True)
def nothing_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def deploy(service: Service, **more: Any) -> dict[str, Any]:
    """What the module would return."""
    params = {
        "application": "blog",
        "name": None,
        "cname_prefix": "blog",
        "environment_id": None,
        "version_label": "v2",
        "src": None,
        "remove_src": False,
        "version_description": None,
        "gather_leader": False,
        "platform": None,
        "tier": None,
        "description": None,
        "option_settings": {},
        "purge_properties": False,
        "tags": None,
        "purge_tags": True,
        "state": "present",
        "wait": True,
        "wait_timeout": 30,
        "poll_interval": 0.01,
        **more,
    }
    job, clock = EnvironmentJob(params, check_mode=False), SystemClock()
    clients = SimpleNamespace(get=lambda name: service if name == "elasticbeanstalk" else None)
    limiter, answers = RateLimiter(clock), SingleFlight(clock)
    services = Services(clients, clock, ServiceClock(clock), CallCounter(), limiter, answers, Answers(), "me")
    source = ApiSource(service, services.service_clock)
    heard = Heard()
    lane = Lane(clock, lambda name: ApplicationWatcher(source, name, clock, 0.01), no_lock, Inline(), Inline(), heard)
    lane.add("blog", job.reconcile(services, ItemProgress(ProgressFile())), clock.now() + 60)
    lane.run()
    return job.failed(heard.error) if heard.error else heard.result


def no_lock(*_place: str) -> Any:
    raise AssertionError("no lock was asked for")


class Heard:
    """What came of it."""

    error: BaseException | None = None
    result: Any = None

    def finished(self, _name: str, result: Any, error: BaseException | None) -> None:
        self.result, self.error = result, error

    def heartbeat(self, *_what: Any) -> None:
        raise AssertionError("it takes a second")

    def warning(self, text: str) -> None:
        raise AssertionError(text)


def test_the_message(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(url: str, _allowance: Any) -> bytes:
        asked.append(url)
        return TAIL.encode()

    monkeypatch.setattr(logs, "download", download)
    failed = deploy(Service())
    assert failed["failed"]
    assert failed["changed"]
    assert asked == ["https://logs/bad"]
    # The engine's log has no step that begins, so what it says of the error is the cause.
    assert failed["msg"].split("\n") == [
        "Deploying version v2 to the environment blog-prod failed.",
        "Health:",
        "  Incorrect application version found on 1 out of 2 instances.",
        f"Cause (PostDeploy, eb-engine.log of {BAD}):",
        "  An error occurred during execution of command [app-deploy] - [PostDeploy].",
        "Next: Mend what is named there, then run the same command again: it deploys to every instance that is behind.",
    ]
    assert [event["message"] for event in failed["events"]][-1] == "Failed to deploy application."
    assert failed["logs"] == {BAD: {"/var/log/eb-engine.log": TAIL.splitlines()[3:]}}
    assert failed["actions"] == ["update_version"]
    assert failed["failing_instances"] == [BAD]


def test_a_log_that_cannot_be_had_does_not_hide_the_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(_url: str, _allowance: Any) -> bytes:
        raise logs.AnsibleBeanstalkError(message="Failed to download: URLError")

    monkeypatch.setattr(logs, "download", download)
    assert (
        f"No log could be had: the log of {BAD} cannot be read: Failed to download: URLError"
        in deploy(Service())["msg"]
    )


def test_a_signed_address_is_never_shown() -> None:
    with pytest.raises(logs.AnsibleBeanstalkError) as caught:
        logs.download("http://127.0.0.1:9/log?X-Amz-Signature=abc", Allowance(100, 5))
    assert "X-Amz-Signature" not in str(caught.value)


def test_waiters_ignore_a_controller_with_a_wrong_clock() -> None:
    assert waiters.started_at({"ResponseMetadata": META}) == NOW - timedelta(seconds=1)
