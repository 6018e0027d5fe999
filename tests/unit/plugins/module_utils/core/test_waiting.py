# SPDX-License-Identifier: GPL-3.0-or-later
"""Events and waiting, on a scripted service and a clock that only moves when somebody sleeps.

Event texts are literal ones from real environments (docs/elastic_beanstalk.md §3).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import waiters
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import (
    AnsibleBeanstalkError,
    AnsibleBeanstalkWaitError,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.operation import (
    QUIET_SECONDS,
    Operation,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe import events
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.engine import ApiSource, ServiceClock
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.lane import Lane
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import (
    ItemProgress,
    ProgressFile,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.watcher import ApplicationWatcher
from botocore.exceptions import EndpointConnectionError
from inline import Inline

START = datetime(2026, 3, 3, 12, 0, 0, tzinfo=UTC)
OURS = "11111111-2222-3333-4444-555555555555"


class Script:
    """A service whose environment passes through states at given seconds."""

    meta = SimpleNamespace(region_name="eu-central-1")
    exceptions = type("Exceptions", (), {"ClientError": type("ClientError", (Exception,), {})})

    def __init__(self) -> None:
        self.now = 0.0
        self.calls: list[str] = []
        self.history: list[dict[str, Any]] = []
        self.status: list[tuple[float, dict[str, Any] | None]] = [(0.0, {"Status": "Updating", "VersionLabel": "old"})]
        self.labels: list[tuple[float, dict[str, tuple[str, str]]]] = [(0.0, {})]

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def event(self, at: float, message: str, severity: str = "INFO", request: str | None = OURS) -> None:
        found = {
            "EventDate": START + timedelta(seconds=at),
            "Message": message,
            "Severity": severity,
            "EnvironmentName": "blog-prod",
        }
        if request:
            found["RequestId"] = request
        self.history.append(found)

    def _at_now(self, states: list[tuple[float, Any]]) -> Any:
        return [state for at, state in states if at <= self.now][-1]

    def describe_events(self, StartTime: datetime, **_filters: Any) -> dict[str, Any]:  # noqa: N803
        self.calls.append("DescribeEvents")
        moment = START + timedelta(seconds=self.now)
        found = [event for event in self.history if StartTime <= event["EventDate"] <= moment]
        return {"Events": sorted(found, key=lambda event: event["EventDate"], reverse=True)}

    def describe_environments(self, **_filters: Any) -> dict[str, Any]:
        self.calls.append("DescribeEnvironments")
        state = self._at_now(self.status)
        fixed = {"EnvironmentId": "e-1", "EnvironmentName": "blog-prod", "ApplicationName": "blog", "Health": "Green"}
        return {"Environments": [] if state is None else [{**fixed, **state}]}

    def describe_instances_health(self, **_filters: Any) -> dict[str, Any]:
        self.calls.append("DescribeInstancesHealth")
        return {
            "InstanceHealthList": [
                {
                    "InstanceId": name,
                    "HealthStatus": health,
                    "Deployment": {"VersionLabel": label, "Status": "Deployed"},
                }
                for name, (label, health) in self._at_now(self.labels).items()
            ]
        }

    def watch(
        self, label: str | None = "new", timeout: float = 600, interval: float = 5, expected: float | None = None
    ) -> Watch:
        return Watch(self, label, timeout, interval, expected)


class ScriptClock:
    """The script's time as the engine's."""

    def __init__(self, script: Script) -> None:
        self.now, self.sleep, self.wait = script.clock, script.sleep, script.sleep

    def wake(self) -> None:
        """Nobody else runs here."""


class ScriptSource(ApiSource):
    """The script as a service whose clock is right."""

    def now(self) -> datetime:
        return START


class Heard:
    """What came of it."""

    outcome: Operation
    error: BaseException | None = None

    def finished(self, _name: str, result: Any, error: BaseException | None) -> None:
        self.outcome, self.error = result, error

    def heartbeat(self, _name: str, waiting_for: str, _seconds: float) -> None:
        assert waiting_for.startswith("the environment blog-prod to become Ready; its status is ")

    def warning(self, text: str) -> None:
        raise AssertionError(text)


class Watch:
    """One operation, followed by a lane of the engine."""

    def __init__(
        self, script: Script, label: str | None, timeout: float, interval: float, expected: float | None
    ) -> None:
        self.clock, self.expected, self.heard = ScriptClock(script), expected, Heard()
        answer = {
            "EnvironmentId": "e-1",
            "EnvironmentName": "blog-prod",
            "ApplicationName": "blog",
            "ResponseMetadata": {"RequestId": OURS, "HTTPHeaders": {"date": "Tue, 03 Mar 2026 12:00:00 GMT"}},
        }
        source = ScriptSource(script, ServiceClock(self.clock))
        service_clock = SimpleNamespace(now=lambda: START)
        services = SimpleNamespace(eb=script, clock=self.clock, service_clock=service_clock, scaling=lambda: None)
        deadline = waiters.Deadline(timeout, interval, self.clock.now)
        self.operation = Operation(services, ItemProgress(ProgressFile()), "blog", answer, label, deadline)
        self.lane = Lane(
            self.clock,
            lambda application: ApplicationWatcher(source, application, self.clock, interval),
            lambda *_place: pytest.fail("an operation takes no lock"),
            Inline(),
            Inline(),
            self.heard,
        )
        self.deadline = script.now + timeout

    @property
    def seconds(self) -> float | None:
        return self.operation.seconds

    def run(self, quiet: float = 0.0) -> Operation:
        flow = self.operation.follow(quiet=bool(quiet), expected=self.expected)
        self.lane.add("blog-prod", flow, self.deadline)
        self.lane.run()
        if self.heard.error is not None:
            raise self.heard.error
        return self.heard.outcome


def good_deployment() -> Script:
    script = Script()
    script.event(0.2, "Environment update is starting.")
    script.event(0.3, "Deploying new version to instance(s).")
    script.event(20, "Instance deployment completed successfully.")
    script.event(20, "Instance deployment completed successfully.")
    script.event(29.5, "New application version was deployed to running EC2 instances.")
    script.event(29.9, "Environment update completed successfully.")
    script.status.append((29.9, {"Status": "Ready", "VersionLabel": "new"}))
    script.labels.append((20, {"i-a": ("new", "Ok"), "i-b": ("new", "Info")}))
    return script


def test_a_good_deployment_costs_few_calls() -> None:
    script = good_deployment()
    outcome = script.watch().run(QUIET_SECONDS)
    assert outcome.environment["VersionLabel"] == "new"
    assert script.now == 30
    assert script.calls == ["DescribeEvents"] * 3 + ["DescribeEnvironments", "DescribeInstancesHealth"]
    assert [event["Message"] for event in outcome.seen] == [event["Message"] for event in script.history]


def test_an_end_that_is_expected_is_slept_up_to() -> None:
    script = good_deployment()
    watch = script.watch(expected=30)
    watch.run(QUIET_SECONDS)
    # A moment later: at 30 it would be too early as often as not.
    assert script.now == 30.2
    assert script.calls == ["DescribeEvents", "DescribeEnvironments", "DescribeInstancesHealth"]
    assert watch.seconds == pytest.approx(29.7)
    # An end that comes later is looked for soon, then in the usual steps; one far away is not slept up to.
    script = good_deployment()
    script.watch(expected=28).run(QUIET_SECONDS)
    assert script.now == pytest.approx(30.7)
    script = good_deployment()
    script.watch(expected=300).run(QUIET_SECONDS)
    assert script.calls.count("DescribeEvents") == 2


def test_looks_become_rarer_the_longer_an_end_keeps_one_waiting() -> None:
    script = Script()
    script.event(1799, "Environment update completed successfully.")
    script.status.append((1799, {"Status": "Ready", "VersionLabel": "new"}))
    script.labels.append((20, {"i-a": ("new", "Ok")}))
    for expected, most in ((None, 200), (60.0, 200), (1800.0, 100)):
        script.now, script.calls = 0.0, []
        assert script.watch(timeout=3600, expected=expected).run(QUIET_SECONDS).instances
        assert script.now <= 1799 + 10
        assert script.calls.count("DescribeEvents") <= most


def test_a_status_that_follows_the_last_event() -> None:
    script = good_deployment()
    script.status[-1] = (33, {"Status": "Ready", "VersionLabel": "new"})
    script.watch().run(QUIET_SECONDS)
    assert script.now == 33


def test_the_middle_of_an_immutable_deployment_is_not_its_end() -> None:
    script = good_deployment()
    script.status[-1] = (300, {"Status": "Ready", "VersionLabel": "new"})
    script.history[-1]["EventDate"] = START + timedelta(seconds=300)
    assert script.watch().run().environment["Status"] == "Ready"
    assert script.now >= 300


@pytest.mark.parametrize(
    "text",
    [
        "Failed to deploy application.",
        "Update environment operation is complete, but with errors. For more information, see troubleshooting "
        "documentation.",
        "Launched environment: blog-prod. However, there were issues during launch. See event log for details.",
        "Instance id(s) 'i-0a' did not pass health check after command execution. Aborting the operation.",
    ],
)
def test_ready_after_a_failure_is_a_failure(text: str) -> None:
    script = Script()
    script.event(9, "Instance deployment failed to build the Docker image. The deployment failed.", "ERROR", None)
    script.event(10, text, "ERROR")
    script.status.append((10, {"Status": "Ready", "VersionLabel": "old"}))
    script.labels.append((0, {"i-a": ("old", "Ok")}))
    with pytest.raises(AnsibleBeanstalkWaitError) as caught:
        script.watch().run()
    assert str(caught.value.message) == (
        "Deploying version new to the environment blog-prod failed: "
        "Instance deployment failed to build the Docker image. The deployment failed."
    )
    assert len(caught.value.report["events"]) == 2
    assert script.now < 20


def test_failure_of_an_earlier_request_does_not_count() -> None:
    script = good_deployment()
    script.event(0.1, "Failed to deploy application.", "ERROR", "somebody-elses")
    assert script.watch().run().environment["VersionLabel"] == "new"


def test_an_instance_that_missed_the_deployment() -> None:
    script = good_deployment()
    script.labels[-1] = (20, {"i-a": ("new", "Ok"), "i-b": ("old", "Ok")})
    with pytest.raises(AnsibleBeanstalkWaitError, match=r"not every instance runs version new: i-b \(old, Deployed\)"):
        script.watch().run()


def test_instances_that_become_healthy_a_little_later() -> None:
    script = good_deployment()
    script.labels[-1] = (20, {"i-a": ("new", "Pending")})
    script.labels.append((60, {"i-a": ("new", "Ok")}))
    assert script.watch().run().instances
    assert 60 <= script.now <= 65


def test_a_warning_passes_in_the_end_and_is_told() -> None:
    script = good_deployment()
    script.labels[-1] = (20, {"i-a": ("new", "Warning")})
    outcome = script.watch().run()
    assert outcome.warnings == ["The environment blog-prod: not every instance is healthy: i-a is Warning."]


def test_severe_health_is_a_failure() -> None:
    script = good_deployment()
    script.labels[-1] = (20, {"i-a": ("new", "Severe")})
    with pytest.raises(AnsibleBeanstalkWaitError, match="ended, but not every instance is healthy: i-a is Severe"):
        script.watch().run()


def test_the_deadline_tells_the_last_state() -> None:
    script = Script()
    script.event(1, "Environment update is starting.")
    with pytest.raises(AnsibleBeanstalkWaitError, match="not done after 60 seconds; its status is Updating") as caught:
        script.watch(timeout=60).run()
    assert caught.value.report["environment"]["status"] == "Updating"
    assert [event["message"] for event in caught.value.report["events"]] == ["Environment update is starting."]
    assert script.now == 60


def test_a_launch_that_ends_terminated() -> None:
    script = Script()
    script.event(1, "Environment must have instance profile associated with it.", "ERROR")
    script.event(2, "Failed to launch environment.", "ERROR")
    script.status.append((2, None))
    with pytest.raises(AnsibleBeanstalkWaitError, match="terminated: Environment must have instance profile"):
        script.watch().run()


def test_ready_with_the_old_label_and_no_word_of_failure() -> None:
    script = Script()
    script.event(5, "Environment update completed successfully.")
    script.status.append((5, {"Status": "Ready", "VersionLabel": "old"}))
    with pytest.raises(AnsibleBeanstalkWaitError, match="ended without the new version: it runs version old, not new"):
        script.watch().run()


def test_an_outage_of_the_network_is_waited_out(monkeypatch: pytest.MonkeyPatch) -> None:
    script = good_deployment()
    working = script.describe_environments

    def broken(**filters: Any) -> dict[str, Any]:
        if script.now < 70:
            raise EndpointConnectionError(endpoint_url="https://elasticbeanstalk")
        return working(**filters)

    monkeypatch.setattr(script, "describe_environments", broken)
    assert script.watch().run().environment["VersionLabel"] == "new"
    assert script.now == 70
    script.now = 0.0
    monkeypatch.setattr(script, "describe_events", lambda **_filters: broken() if script.now < 1e9 else {})
    with pytest.raises(AnsibleBeanstalkError, match=r"Gave up at the deadline, still waiting: .*: .*Could not connect"):
        script.watch(timeout=60).run()


def test_waiting_in_line() -> None:
    script = Script()
    script.status.append((42, {"Status": "Ready", "VersionLabel": "old"}))
    found = waiters.wait_until_ready(script, "e-1", waiters.Deadline(60, 5, script.clock, script.sleep))
    assert found["Status"] == "Ready"
    assert script.now == 45
    busy = Script()
    with pytest.raises(AnsibleBeanstalkWaitError, match="not Ready within 60 seconds: another operation is running"):
        waiters.wait_until_ready(busy, "e-1", waiters.Deadline(60, 5, busy.clock, busy.sleep))


def test_events_in_one_instant_are_neither_lost_nor_doubled() -> None:
    script = Script()
    cursor = events.EventCursor(script, START)
    script.event(1, "Instance deployment completed successfully.")
    script.now = 1
    assert len(cursor.poll()) == 1
    script.event(1, "Instance deployment completed successfully.")
    script.event(1, "Added instance [i-a] to your environment.", request=None)
    assert len(cursor.poll()) == 2
    assert cursor.poll() == []
    script.now = 30
    script.event(30, "Instance deployment completed successfully.")
    script.event(20, "Stored late, within the overlap.")
    assert [event["Message"] for event in cursor.poll()] == [
        "Stored late, within the overlap.",
        "Instance deployment completed successfully.",
    ]
    assert cursor.poll() == []
    assert len(cursor.events) == 5


def test_failing_instances_are_found_in_the_texts() -> None:
    script = Script()
    script.event(1, "Added instance [i-00000000000000001] to your environment.")
    script.event(2, "[Instance: i-00000000000000002] Command failed on instance. Return code: 1 Output: …", "ERROR")
    script.event(3, "Unsuccessful command execution on instance id(s) 'i-00000000000000003'. Aborting.", "ERROR")
    script.event(
        4,
        "The following instances have not responded in the allowed command timeout time (they might still finish "
        "eventually on their own): [i-00000000000000004].",
        "WARN",
    )
    assert events.failing_instances(script.history) == [f"i-0000000000000000{number}" for number in (2, 3, 4)]
