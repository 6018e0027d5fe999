# SPDX-License-Identifier: GPL-3.0-or-later
"""One cycle or deployment on the engine that can be told to kill itself, or to lose the answer to a request.

Its name begins with "ansible" because the owner of a lease is an Ansible process (_beanstalk/lock/process.py).
Usage: ansible_run.py cycle|deployment APPLICATION [NAME:VALUE ...]
kill:PHASE:N     SIGKILL before or after the N-th effect of those that may change something
lose:OPERATION   the answer to the first such request is lost after it took effect
stop:swap        SIGSTOP between announcing the swap and sending it
skew:SECONDS     this machine's clock is wrong
probe:URL        smoke tests, by this service of addresses
progress:PATH    somebody follows this file, and waits
OPTION:VALUE     an option of the module; VALUE is JSON where it can be read so
Prints one line of JSON: the module's result.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit"))

import conftest  # noqa: E402, F401 - makes the collection importable
from ansible_collections.amazon.aws.plugins.module_utils.modules import aws_argument_spec  # noqa: E402
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle import arguments as cycles  # noqa: E402
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.job import cycle_item  # noqa: E402
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment import (  # noqa: E402
    arguments as deployments,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.job import (  # noqa: E402
    environment_item,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.effects import (  # noqa: E402
    Acquire,
    Background,
    Call,
    Reconciler,
    Release,
    WriteRecord,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.engine import (  # noqa: E402
    Engine,
    Services,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import (  # noqa: E402
    ItemProgress,
    ProgressFile,
)
from botocore.exceptions import ReadTimeoutError  # noqa: E402

KINDS = {"cycle": (cycles.ITEMS, cycle_item), "deployment": (deployments.ITEMS, environment_item)}
QUICK: dict[str, dict[str, Any]] = {
    "cycle": {
        "force": True,
        "poll_interval": 0.5,
        "bake_time": 1,
        "request_settle_time": 4,
        "max_decision_age": 2,
        "dns_ttl": 1,
        "dns_margin": 1,
        "drain_timeout": 10,
        "smoke_test_successes": 1,
        "lock": {"ttl": 12, "wait_timeout": 0},
    },
    "deployment": {"poll_interval": 0.5, "wait_timeout": 120, "lock": {"ttl": 12, "wait_timeout": 60}},
}
OPERATIONS = {
    "create": "CreateEnvironment",
    "resize": "UpdateEnvironment",
    "swap": "SwapEnvironmentCNAMEs",
    "tag": "UpdateTagsForResource",
    "terminate": "TerminateEnvironment",
    "update": "UpdateEnvironment",
}


class FragileJob:
    """A job whose reconciler meets faults; it knows nothing of them, as it only yields what it wants."""

    def __init__(self, job: Any, faults: Mapping[str, str]) -> None:
        self._job, self._faults = job, faults
        self._count, self._lost, self._stopped = 0, False, False

    def reconcile(self, services: Services, progress: ItemProgress) -> Reconciler:
        if operation := OPERATIONS.get(self._faults.get("lose", "")):
            for client in (services.eb, services.writer):
                client.meta.events.register(f"after-call.elastic-beanstalk.{operation}", self._lose)
        return self._broken(self._job.reconcile(services, progress))

    def failed(self, error: BaseException) -> dict[str, Any]:
        return self._job.failed(error)  # type: ignore[no-any-return]

    def _broken(self, reconciler: Reconciler) -> Reconciler:
        value, error, announced = None, None, False
        while True:
            try:
                effect = reconciler.throw(error) if error is not None else reconciler.send(value)
            except StopIteration as end:
                return end.value
            counted = self._counts(effect, announced=announced)
            if isinstance(effect, Call) and announced and self._faults.get("stop") == "swap" and not self._stopped:
                self._stopped = True
                os.kill(os.getpid(), signal.SIGSTOP)
            self._count += counted
            self._die("before", counted=counted)
            value = error = None
            try:
                value = yield effect
            except Exception as problem:
                error = problem
            self._die("after", counted=counted)
            announced = isinstance(effect, WriteRecord) and self._announces(effect)

    def _counts(self, effect: Any, *, announced: bool) -> bool:
        """Whether an effect may change something: of a cycle's calls, that which follows its announcement does."""
        if self._faults["kind"] == "deployment":
            return isinstance(effect, (Acquire, Background, Call, Release))
        return isinstance(effect, (Acquire, WriteRecord)) or (announced and isinstance(effect, Call))

    def _announces(self, effect: WriteRecord) -> bool:
        """Whether a record is followed by the request that it announces; of the swap only, when that is asked for."""
        journal = (effect.record or {}).get("journal") or {}
        return bool(journal.get("last_swap")) if "stop" in self._faults else not effect.free

    def _die(self, phase: str, *, counted: bool) -> None:
        if counted and self._faults.get("kill") == f"{phase}:{self._count}":
            os.kill(os.getpid(), signal.SIGKILL)

    def _lose(self, **_answer: Any) -> None:
        if not self._lost:
            self._lost = True
            raise ReadTimeoutError(endpoint_url="the service", error="the answer was lost")


def main(kind: str, application: str, *options: str) -> None:
    """Run, and say how it ended."""
    given = {name: rest for name, _, rest in (option.partition(":") for option in options)}
    faults = {name: given.pop(name) for name in ("kill", "lose", "stop", "skew", "probe", "progress") if name in given}
    if "skew" in faults:
        right = time.time
        time.time = lambda: right() + float(faults["skew"])
    params = {"application": application, "cname_prefix": f"{application}-live", **QUICK[kind]}
    params |= {"name_prefix": application} if kind == "cycle" else {"name": f"{application}-first"}
    params |= {"url_service": faults["probe"], "smoke_tests": [{}]} if "probe" in faults else {}
    for name, text in given.items():
        place, _, part = name.partition(".")
        try:
            value = json.loads(text)
        except ValueError:
            value = text
        params[place] = {**params[place], part: value} if part else value
    spec, make = KINDS[kind]
    connection = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "region": os.environ["AWS_REGION"]}
    connection |= {"access_key": os.environ["AWS_ACCESS_KEY_ID"], "secret_key": os.environ["AWS_SECRET_ACCESS_KEY"]}
    good, bad = spec.checked([{"item": application, **params}], aws_argument_spec(), connection)
    if bad:
        raise SystemExit(str(bad))
    file = ProgressFile(faults.get("progress"))
    item = make(application, good[application], False, file)
    item.job = FragileJob(item.job, {"kind": kind, **faults})
    Engine(abandoned=file.abandoned).run([item])
    sys.stdout.write(json.dumps(item.result, default=str) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
