# SPDX-License-Identifier: GPL-3.0-or-later
"""The parts of the executor that need no service: records, probes, stages, parameters."""

from __future__ import annotations

import base64
import http.server
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
import yaml
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import (
    AnsibleBeanstalkError,
    AnsibleBeanstalkRefusedError,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle import evidence, smoke_tests
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.arguments import ARGUMENTS
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.job import (
    policy_of,
    window,
    writer_config,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    Action,
    Debt,
    Entry,
    Goal,
    Journal,
    Lock,
    Policy,
    Record,
    Result,
    Retired,
    Step,
    World,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.record import from_document, to_document
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.smoke_tests import Check, Prober
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.stages import (
    Stage,
    position,
    reached,
    stops_at,
)
from ansible_collections.jack.beanstalk.plugins.modules import cycle as cycle_module
from botocore.config import Config

JOURNAL = Journal("c1", Goal.RECREATE, 10.0, "e-1", "v1", "v1")


def test_a_record_can_be_stored_and_read() -> None:
    record = Record(
        journal=replace(JOURNAL, healthy=12.5),
        retired=(Retired("e-0", "v0", 1.0, 2.0, "why", True),),
        ledger=(Entry("c0", "me", Result.DONE, 1.0, "e-1", "v1"),),
        debt=Debt("e-1", 3, 1),
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
    ],
)
def test_a_record_that_is_not_understood_stops_the_run(document: dict[str, Any]) -> None:
    with pytest.raises(AnsibleBeanstalkError, match="cannot be read"):
        from_document(document)


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
        (Check(), ""),
        (Check(body="v1", headers={"X-Version": "v1"}), ""),
        (Check(status=(204,)), "status 200"),
        (Check(body="v2"), "does not contain"),
        (Check(headers={"x-version": "v2"}), "the header x-version is not v2"),
        (Check(latency=1e-9), "seconds"),
        (Check(path="/moved"), "status 302"),
        (Check(path="/moved", status=(302,)), ""),
    ],
)
def test_probes(service: str, check: Check, problem: str) -> None:
    good, said = Prober([check], service).run("blog.us-east-1.elasticbeanstalk.com", 2)
    assert good == (0 if problem else 2)
    assert problem in said
    assert bool(problem) == bool(said)


def test_name_and_password_in_the_url_are_sent_without_being_asked_for(service: str) -> None:
    Site.sent.clear()
    assert Prober([Check()], service.replace("://", "://key:secret@")).run("blog", 1) == (1, "")
    assert Site.sent[0] == "Basic " + base64.b64encode(b"key:secret").decode()
    assert set(Site.sent[1:]) == {None}, "the environment itself learns nothing"


def test_good_answers_must_come_in_a_row(service: str) -> None:
    Site.bad_after = 4
    assert Prober([Check(path="/x")], service).run("blog", 5) == (2, "/x: status 503")


def test_no_answer_is_said_and_no_probes_are_good() -> None:
    good, said = Prober([Check(timeout=1)], "http://127.0.0.1:9/").run("blog", 1)
    assert good == 0
    assert "no answer" in said
    assert Prober([]).run("blog", 3) == (3, "")


def world(journal: Journal | None) -> World:
    lock = Lock("me", "", 1, 100.0, record=Record(journal=journal))
    return World(10.0, 0.0, "me", "a/p", "a", "p.x", (), lock)


@pytest.mark.parametrize(
    ("changes", "step", "stages"),
    [
        ({}, Step(Action.CREATE, ""), [Stage.BEFORE_CANDIDATE]),
        ({"first_create": 1.0}, Step(Action.WAIT, ""), []),
        ({"first_create": 1.0}, Step(Action.CREATE, ""), []),
        ({"first_create": 1.0, "healthy": 2.0}, Step(Action.WAIT, ""), [Stage.AFTER_CANDIDATE]),
        ({"healthy": 2.0}, Step(Action.SWAP, ""), [Stage.AFTER_CANDIDATE, Stage.BEFORE_SWAP]),
        ({"healthy": 2.0, "first_swap": 3.0}, Step(Action.SWAP, ""), []),
        ({"swapped": 4.0}, Step(Action.PROVE, ""), []),
        ({"swapped": 4.0, "proven": 5.0}, Step(Action.DRAIN, ""), [Stage.AFTER_SWAP]),
        ({"swapped": 4.0, "proven": 5.0}, Step(Action.TERMINATE, ""), [Stage.AFTER_SWAP, Stage.BEFORE_RETIRE]),
        ({"swapped": 4.0, "proven": 5.0, "terminating": 6.0}, Step(Action.WAIT, ""), []),
        ({"swapped": 4.0}, Step(Action.RELEASE, "", result=Result.DONE), [Stage.AFTER_RETIRE]),
        ({"failed": "x"}, Step(Action.SWAP_BACK, ""), []),
    ],
)
def test_stages_are_reached_once(changes: dict[str, Any], step: Step, stages: list[Stage]) -> None:
    where = position(world(replace(JOURNAL, **changes)), step)
    assert [stage for stage in Stage if reached(stage, where)] == stages


def test_a_failing_cycle_stops_at_every_stage_and_reaches_none() -> None:
    where = position(world(replace(JOURNAL, failed="x")), Step(Action.WAIT, ""))
    assert all(stops_at(stage, where) for stage in Stage)
    abandoned = position(world(replace(JOURNAL, failed="x", abandoned=True)), Step(Action.WAIT, ""))
    assert not any(stops_at(stage, abandoned) for stage in Stage)


def test_windows() -> None:
    assert window("02:00-04:30") == (120, 270)
    assert window("") is window(None) is None
    with pytest.raises(AnsibleBeanstalkRefusedError, match="not of the form"):
        window("2-4")


def test_parameters_have_the_policys_own_defaults() -> None:
    params = {name: spec.get("default") for name, spec in ARGUMENTS.items()}
    assert policy_of(params) == Policy()
    with pytest.raises(AnsibleBeanstalkRefusedError, match="version_label is needed"):
        policy_of({**params, "goal": "deploy"})
    with pytest.raises(AnsibleBeanstalkRefusedError, match="settle must be longer"):
        policy_of({**params, "settle": 10})


def test_calls_that_change_something_are_never_repeated_by_the_sdk() -> None:
    config = Config(**writer_config({"aws_config": {"retries": {"max_attempts": 9}, "user_agent_extra": "mine"}}))
    assert config.retries == {"total_max_attempts": 1}
    assert config.user_agent_extra == "mine"
    assert config.connect_timeout + config.read_timeout + Policy().step_fresh < Policy().settle


def test_parameters_and_documentation_agree() -> None:
    def described(options: dict[str, Any]) -> dict[str, Any]:
        facts = ("required", "default", "type", "elements", "choices")
        return {
            name: {key: option[key] for key in facts if key in option}
            | ({"options": described(option["suboptions"])} if "suboptions" in option else {})
            for name, option in options.items()
        }

    shown = {name: {key: fact for key, fact in one.items() if key != "no_log"} for name, one in ARGUMENTS.items()}
    del shown["progress_file"]  # is documented in a fragment
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
    assert Prober([]).leads_to_old("live", "new", "old") is expected
    assert not Prober([], "http://service/").leads_to_old("live", "new", "old")
    assert not Prober([]).leads_to_old("live", None, "old")


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
