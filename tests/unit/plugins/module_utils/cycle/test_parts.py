# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of a cycle that need no service: records, smoke tests, stages, parameters."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import (
    AnsibleBeanstalkError,
    AnsibleBeanstalkRefusedError,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle import evidence, smoke_tests
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.arguments import (
    ARGUMENTS,
    ITEMS,
    policy_of,
    window,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    Action,
    Entry,
    Goal,
    Journal,
    Lock,
    Observation,
    PendingResize,
    Policy,
    Record,
    Result,
    Retired,
    Step,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.record import from_document, to_document
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.smoke_tests import SmokeTest, SmokeTester
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.stages import (
    Stage,
    position,
    reached,
    stops_at,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.deployment_log import DeploymentLog
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.clients import ONE_ATTEMPT, Clients
from ansible_collections.jack.beanstalk.plugins.modules import cycle as cycle_module

ROOT = Path(__file__).resolve().parents[5]
JOURNAL = Journal("c1", Goal.RECREATE, 10.0, "e-1", "v1", "v1")


def test_a_record_can_be_stored_and_read() -> None:
    record = Record(
        journal=replace(JOURNAL, healthy=12.5),
        retired=(Retired("e-0", "v0", 1.0, 2.0, "why", True),),
        ledger=(Entry("c0", "me", Result.DONE, 1.0, "e-1", "v1"),),
        pending_resize=PendingResize("e-1", 3, 1),
    )
    assert from_document(to_document(record)) == record
    assert from_document({}) == Record()


@pytest.mark.parametrize(
    "document",
    [
        {"journal": {"cycle": "c"}},
        {"journal": {**to_document(Record(journal=JOURNAL))["journal"], "phase": "new"}},
        {"journal": {**to_document(Record(journal=JOURNAL))["journal"], "goal": "other"}},
        {"retired": [{"environment": "e"}]},
        {"ledger": ["x"]},
        {"ledger": {"cycle": "c0"}},
        {"journal": {**to_document(Record(journal=JOURNAL))["journal"], "started": "yesterday"}},
        {"journal": {**to_document(Record(journal=JOURNAL))["journal"], "min_size": 1.5}},
        {"journal": {**to_document(Record(journal=JOURNAL))["journal"], "abandoned": "no"}},
        {"journal": "c1"},
        {"pending_resize": {"environment": "e-1", "start_size": -1, "min_size": 1}},
        {"retired": [{"environment": "e", "label": ["v"], "since": 1, "keep_until": 2}]},
    ],
)
def test_a_record_that_is_not_understood_stops_the_run(document: dict[str, Any]) -> None:
    with pytest.raises(AnsibleBeanstalkError, match=r"^The record of cycles in LOCK cannot be read: .+\. Update the"):
        from_document(document, "LOCK")


def test_a_record_says_what_is_wrong_with_it() -> None:
    document = to_document(Record(journal=JOURNAL)) | {"ledger": ({"cycle": "c0", "owner": "me", "result": "fine"},)}
    with pytest.raises(AnsibleBeanstalkError) as refused:
        from_document(document)
    assert "ledger[0].result is a text, and not one of done, " in str(refused.value)


class Site(http.server.BaseHTTPRequestHandler):
    bad_after = 99
    served = 0
    sent: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        Site.served += 1
        Site.sent.append(self.headers["Authorization"])
        if self.path.startswith("/where/"):
            self.answer(200, f"http://127.0.0.1:{self.server.server_address[1]}/\n")  # type: ignore[attr-defined]
        elif self.path == "/moved":
            self.answer(302, "", {"Location": "/"})
        else:
            self.answer(200 if Site.served <= Site.bad_after else 503, "version v1", {"X-Version": "v1"})

    def answer(self, status: int, text: str, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[str]:
    Site.bad_after, Site.served = 99, 0
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/where/"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("check", "problem"),
    [
        (SmokeTest(), ""),
        (SmokeTest(body="v1", headers={"X-Version": "v1"}), ""),
        (SmokeTest(status=(204,)), "status 200"),
        (SmokeTest(body="v2"), "does not contain"),
        (SmokeTest(headers={"x-version": "v2"}), "the header x-version is not v2"),
        (SmokeTest(latency=1e-9), "seconds"),
        (SmokeTest(path="/moved"), "status 302"),
        (SmokeTest(path="/moved", status=(302,)), ""),
    ],
)
def test_probes(service: str, check: SmokeTest, problem: str) -> None:
    good, said = SmokeTester([check], service).run("blog.us-east-1.elasticbeanstalk.com", 2)
    assert good == (0 if problem else 2)
    assert problem in said
    assert bool(problem) == bool(said)


def test_name_and_password_in_the_url_are_sent_without_being_asked_for(service: str) -> None:
    Site.sent.clear()
    assert SmokeTester([SmokeTest()], service.replace("://", "://key:secret@")).run("blog", 1) == (1, "")
    assert Site.sent[0] == "Basic " + base64.b64encode(b"key:secret").decode()
    assert set(Site.sent[1:]) == {None}, "the environment itself learns nothing"


def test_tls_where_an_address_stands_for_the_name_is_said(service: str) -> None:
    assert SmokeTester([SmokeTest(scheme="https")], service).run("blog", 1) == (
        0,
        "/: https cannot be asked here: blog is reached by http only",
    )


def test_good_answers_must_come_in_a_row(service: str) -> None:
    Site.bad_after = 4
    assert SmokeTester([SmokeTest(path="/x")], service).run("blog", 5) == (2, "/x: status 503")


def test_no_answer_is_said_and_no_probes_are_good() -> None:
    good, said = SmokeTester([SmokeTest(timeout=1)], "http://127.0.0.1:9/").run("blog", 1)
    assert good == 0
    assert "no answer" in said
    assert SmokeTester([]).run("blog", 3) == (3, "")


def observation(journal: Journal | None) -> Observation:
    lock = Lock("me", "", 1, 100.0, record=Record(journal=journal))
    return Observation(10.0, 0.0, "me", "a/p", "a", "p.x", (), lock)


@pytest.mark.parametrize(
    ("changes", "step", "stages"),
    [
        ({}, Step(Action.CREATE, ""), [Stage.BEFORE_CANDIDATE]),
        ({"first_create": 1.0}, Step(Action.WAIT, ""), []),
        ({"first_create": 1.0}, Step(Action.CREATE, ""), []),
        ({"first_create": 1.0, "healthy": 2.0}, Step(Action.WAIT, ""), [Stage.AFTER_CANDIDATE]),
        ({"healthy": 2.0}, Step(Action.SWAP, ""), [Stage.AFTER_CANDIDATE, Stage.BEFORE_SWAP]),
        ({"healthy": 2.0, "first_swap": 3.0}, Step(Action.SWAP, ""), []),
        ({"swapped": 4.0}, Step(Action.CHECK_CNAME, ""), []),
        ({"swapped": 4.0, "cname_checked": 5.0}, Step(Action.DRAIN, ""), [Stage.AFTER_SWAP]),
        ({"swapped": 4.0, "cname_checked": 5.0}, Step(Action.TERMINATE, ""), [Stage.AFTER_SWAP, Stage.BEFORE_RETIRE]),
        ({"swapped": 4.0, "cname_checked": 5.0, "terminating": 6.0}, Step(Action.WAIT, ""), []),
        ({"swapped": 4.0}, Step(Action.RELEASE, "", result=Result.DONE), [Stage.AFTER_RETIRE]),
        ({"failed": "x"}, Step(Action.SWAP_BACK, ""), []),
    ],
)
def test_stages_are_reached_once(changes: dict[str, Any], step: Step, stages: list[Stage]) -> None:
    where = position(observation(replace(JOURNAL, **changes)), step)
    assert [stage for stage in Stage if reached(stage, where)] == stages


def test_a_failing_cycle_stops_at_every_stage_and_reaches_none() -> None:
    where = position(observation(replace(JOURNAL, failed="x")), Step(Action.WAIT, ""))
    assert all(stops_at(stage, where) for stage in Stage)
    abandoned = position(observation(replace(JOURNAL, failed="x", abandoned=True)), Step(Action.WAIT, ""))
    assert not any(stops_at(stage, abandoned) for stage in Stage)


def test_windows() -> None:
    assert window("02:00-04:30") == (120, 270)
    assert window("") is window(None) is None
    with pytest.raises(AnsibleBeanstalkRefusedError, match="not of the form"):
        window("2-4")


def parameters(**more: Any) -> dict[str, Any]:
    """The module's parameters as Ansible gives them."""
    given = {"application": "blog", "cname_prefix": "blog", **more}
    good, bad = ITEMS.checked([{"item": "blog", **given}], aws_argument_spec(), {})
    if bad:
        raise AnsibleBeanstalkRefusedError(message=bad["blog"])
    return good["blog"]


def test_parameters_have_the_policys_own_defaults() -> None:
    assert policy_of(parameters()) == Policy()
    assert policy_of(parameters(lock={"ttl": 60}, min_age=0)) == Policy(lock_ttl=60, min_age=0)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"goal": "deploy"}, "version_label is needed"),
        ({"request_settle_time": 10}, "request_settle_time must be longer"),
        ({"window": "at night"}, "not of the form 02:00-04:30"),
        ({"stop_at": "before_swap"}, "stop_at needs lock.owner"),
        ({"purge_properties": "some"}, "give true, false or all"),
        ({"until": "before_swap"}, "until is called stop_at now"),
        ({"soap": 3}, "there is no option soap"),
        (
            {"smoke_tests": [{"path": "/a", "host": "https://www.example.com"}]},
            "host of the smoke test of /a: https://www.example.com is no name of a host",
        ),
        ({"smoke_tests": [{"port": 70000}]}, "port of the smoke test of /: there is no port 70000"),
        ({"smoke_tests": [{"ca_path": "/nonexistent"}]}, "/nonexistent is no file of certificates"),
    ],
)
def test_parameters_that_cannot_be_used_are_refused_alone(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AnsibleBeanstalkRefusedError, match=sentence):
        parameters(**given)


def test_calls_that_change_something_are_never_repeated_by_the_sdk() -> None:
    given = {"region": "eu-central-1", "access_key": "x", "secret_key": "x"}
    aws_config = {"retries": {"max_attempts": 9}, "user_agent_extra": "mine"}
    config = Clients({**given, "aws_config": aws_config}).new("elasticbeanstalk", ONE_ATTEMPT).meta.config
    assert config.retries["total_max_attempts"] == 1
    assert config.user_agent_extra == "mine"
    assert config.connect_timeout + config.read_timeout + Policy().max_decision_age < Policy().request_settle_time


def test_parameters_and_documentation_agree() -> None:
    def described(options: dict[str, Any]) -> dict[str, Any]:
        facts = ("required", "default", "type", "elements", "choices")
        return {
            name: {key: option[key] for key in facts if key in option}
            | ({"options": described(option["suboptions"])} if "suboptions" in option else {})
            for name, option in options.items()
        }

    unsaid = ("no_log", "apply_defaults")
    shown = {name: {key: fact for key, fact in one.items() if key not in unsaid} for name, one in ARGUMENTS.items()}
    assert described(yaml.safe_load(cycle_module.DOCUMENTATION)["options"]) == shown


@pytest.mark.parametrize(
    ("live", "expected"),
    [({"192.0.2.1"}, True), ({"192.0.2.2"}, False), ({"192.0.2.1", "192.0.2.2"}, False), (set(), False)],
)
def test_dns_is_only_held_against_a_swap_when_it_certainly_leads_to_the_old_endpoint(
    monkeypatch: pytest.MonkeyPatch, live: set[str], expected: bool
) -> None:
    names = {"old": {"192.0.2.1"}, "new": {"192.0.2.2"}, "live": live}
    monkeypatch.setattr(smoke_tests, "_addresses", names.__getitem__)
    assert SmokeTester([]).leads_to_old("live", "new", "old") is expected
    assert not SmokeTester([], "http://service/").leads_to_old("live", "new", "old")
    assert not SmokeTester([]).leads_to_old("live", None, "old")


def test_what_cannot_be_learnt_of_a_failed_candidate_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    event = {
        "EventDate": datetime(2026, 8, 1, tzinfo=UTC),
        "Severity": "ERROR",
        "Message": "Failed to launch environment.",
    }

    def refused(*_arguments: Any) -> None:
        raise AnsibleBeanstalkError(message="Must be Ready")

    monkeypatch.setattr(evidence.api, "describe_events", lambda _client, **_filters: [event])
    monkeypatch.setattr(evidence, "request_tails", refused)
    found = evidence.failure_of(None, "e-2", 1.0)
    assert found["problem"] == "Must be Ready"
    assert found["lines"][0].endswith("ERROR Failed to launch environment.")


def test_a_failed_candidate_tells_its_cause_from_the_deployment_log(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = datetime(2026, 8, 1, tzinfo=UTC)
    texts = [f"Instance deployment failed on attempt {number}." for number in range(7)]
    events = [
        {"EventDate": moment, "Severity": "ERROR", "Message": text, "RequestId": "req-1"} for text in reversed(texts)
    ]
    monkeypatch.setattr(evidence.api, "describe_events", lambda _client, **_filters: events)
    monkeypatch.setattr(evidence, "request_tails", lambda *_which: {})
    log = DeploymentLog(
        "eb-deployment-req-1.log",
        ["[INFO] Starting Application deployment", "[ERROR] DockerBuild failed", "no space left", "[ERROR] failed"],
    )
    found = evidence.failure_of(None, "e-2", 1.0, {"req-1": log}.get)
    assert found["lines"][:2] == ["Cause (DockerBuild, eb-deployment-req-1.log):", "  no space left"]
    assert [line.partition("ERROR ")[2] for line in found["lines"][2:]] == texts[2:]
    assert list(found["logs"]["e-2"]) == ["/var/log/deployments/eb-deployment-req-1.log"]


def test_the_phases_of_a_report_are_actions_of_the_planner() -> None:
    role = yaml.safe_load((ROOT / "roles/report/vars/main.yml").read_text())
    assert set(role["__report_phases"]) <= {str(action) for action in Action}
