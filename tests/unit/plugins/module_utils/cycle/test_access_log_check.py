# SPDX-License-Identifier: GPL-3.0-or-later
"""Who answered a request to the live name, told from access logs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle import (
    access_log_check,
    executor,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.access_log_check import who_answers
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.account import Account
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.executor import Executor
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.planner.model import (
    Action,
    Environment,
    Goal,
    Journal,
    Lock,
    Policy,
    Record,
    Status,
    Step,
    World,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.smoke_tests import Check, Prober

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
    logs.update({one: {f"i-{one}": {LOG: ["GET /?jack-proof=of-another-run"]}} for one in ("new", "old")})
    sent: list[str] = []

    def send(word: str) -> None:
        sent.append(word)
        if holder:
            logs[holder][f"i-{holder}"][LOG].append(f'"GET /?{word} HTTP/1.1" 200')

    assert who_answers(None, send, ["new", "old"], 1) == answer
    assert len(set(sent)) == 1
    assert sent[0].startswith("jack-proof=")


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
def test_an_answer_of_the_old_environment_is_no_proof(
    monkeypatch: pytest.MonkeyPatch, who: str, seconds: float, good: int, sentence: str
) -> None:
    """Once DNS had its time it is this machine's resolver that is late."""
    monkeypatch.setattr(executor, "who_answers", lambda *_: (who, "i-1" if who else ""))
    prober = Prober([Check()])
    monkeypatch.setattr(prober, "run", lambda *_: (3, ""))
    raw = {one: {"EnvironmentId": one} for one in ("new", "old")}
    store: Any = SimpleNamespace(now=1000.0)
    observer: Any = SimpleNamespace(raw=raw)
    one = Executor(
        None, None, store, observer, Policy(), owner="me", prober=prober, account=Account(lambda _service: None)
    )
    journal = Journal("c", Goal.RECREATE, 0, "old", "v1", "v1", candidate="new", swapped=1000.0 - seconds)
    there = (environment("new", "live"), environment("old", "other"))
    lock = Lock(record=Record(journal=journal))
    world = World(1000.0, 0, "me", "blog/live", "blog", "live", there, lock)
    one._prove(world, Step(Action.PROVE, "", environment="new"))
    assert one._proof is not None
    assert (one._proof.good, one._proof.sentence) == (good, sentence)


def test_the_word_is_added_to_the_path_of_the_first_check(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for path in ("/", "/status?full=1"):
        prober = Prober([Check(path=path)])
        monkeypatch.setattr(prober, "_problem", lambda _cname, check: asked.append(check.path))
        prober.call("blog.example.com", "jack-proof=1")
    assert asked == ["/?jack-proof=1", "/status?full=1&jack-proof=1"]
