# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answered a request to the live name, told from access logs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle import (
    access_log_check,
    checks,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.access_log_check import who_answers
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.checks import Checks
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    Environment,
    Goal,
    Journal,
    Lock,
    Observation,
    Policy,
    Record,
    Status,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.smoke_tests import SmokeTest, SmokeTester

LOG = "/var/log/nginx/access.log"


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, dict[str, list[str]]]]:
    """What each environment's log request gives, by instance and file; an environment that is not in it refuses."""
    found: dict[str, dict[str, dict[str, list[str]]]] = {}

    def request(_client: Any, environment: str, *_rest: Any) -> dict[str, dict[str, list[str]]]:
        if environment not in found:
            raise AnsibleBeanstalkError(message="no logs now")
        return found[environment]

    monkeypatch.setattr(access_log_check, "request_tails", request)
    return found


@pytest.mark.parametrize(("holder", "answer"), [("new", ("new", "i-new")), ("old", ("old", "i-old")), (None, ("", ""))])
def test_the_environment_whose_log_has_the_word_answered(
    logs: dict[str, Any], holder: str | None, answer: tuple[str, str]
) -> None:
    logs.update({one: {f"i-{one}": {LOG: ["GET /?jack-cname-check=of-another-run"]}} for one in ("new", "old")})
    sent: list[str] = []

    def send(word: str) -> None:
        sent.append(word)
        if holder:
            logs[holder][f"i-{holder}"][LOG].append(f'"GET /?{word} HTTP/1.1" 200')

    assert who_answers(None, send, ["new", "old"], 1) == answer
    assert len(set(sent)) == 1
    assert sent[0].startswith("jack-cname-check=")


def test_an_environment_whose_logs_cannot_be_had_says_nothing(logs: dict[str, Any]) -> None:
    assert who_answers(None, lambda _word: None, ["new", "old"], 1) == ("", "")


def environment(identity: str, cname: str) -> Environment:
    return Environment(identity, identity, "blog", Status.READY, "Green", cname, "v1", 0, 0)


@pytest.mark.parametrize(
    ("who", "seconds", "good", "sentence"),
    [
        ("new", 5, 3, "seen in the log of i-1"),
        ("", 5, 3, "no log tells which environment answered"),
        ("old", 5, 0, "i-1 of the environment that was live before still answers"),
        ("old", 500, 3, "no log tells which environment answered"),
    ],
)
def test_an_answer_of_the_old_environment_counts_for_nothing(
    monkeypatch: pytest.MonkeyPatch, who: str, seconds: float, good: int, sentence: str
) -> None:
    """Once DNS had its time it is this machine's resolver that is late."""
    monkeypatch.setattr(checks, "who_answers", lambda *_: (who, "i-1" if who else ""))
    tester = SmokeTester([SmokeTest()])
    monkeypatch.setattr(tester, "run", lambda *_: (3, ""))
    raw = {one: {"EnvironmentId": one} for one in ("new", "old")}
    observer: Any = SimpleNamespace(raw=raw)
    one = Checks(observer, tester, Policy(), lambda _service: None, lambda: 1000.0)
    journal = Journal("c", Goal.RECREATE, 0, "old", "v1", "v1", candidate="new", swapped=1000.0 - seconds)
    there = (environment("new", "live"), environment("old", "other"))
    lock = Lock(record=Record(journal=journal))
    observation = Observation(1000.0, 0, "me", "blog/live", "blog", "live", there, lock)
    found = one.cname(observation, "new")
    assert (found.good, found.sentence) == (good, sentence)


def test_the_word_is_added_to_the_path_of_the_first_check(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for path in ("/", "/status?full=1"):
        tester = SmokeTester([SmokeTest(path=path)])
        monkeypatch.setattr(tester, "_problem", lambda _cname, check: asked.append(check.path))
        tester.call("blog.example.com", "jack-cname-check=1")
    assert asked == ["/?jack-cname-check=1", "/status?full=1&jack-cname-check=1"]
