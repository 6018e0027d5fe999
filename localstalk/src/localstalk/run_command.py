# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems Manager's Run Command: moto's commands, which are carried out on the instances instead of only noted.

``AWS-RunShellScript`` is the document that localstalk knows. Its script runs as root, as the agent on a real instance
runs it; the states and the answers of GetCommandInvocation follow the API reference of AWS Systems Manager.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from localstalk.drivers.base import Driver, DriverError

DOCUMENT = "AWS-RunShellScript"
MAX_OUTPUT = 24_000
"""GetCommandInvocation returns so many characters of each stream; the rest is in S3 when a bucket was named."""

DEFAULT_SECONDS = 3600.0
TIMED_OUT = 124
_BUSY = ("Pending", "InProgress")


def install(driver: Callable[[], Driver]) -> None:
    """Let moto's Systems Manager run its commands with the driver that there is then."""
    import moto.ssm.models as service
    from moto.core.exceptions import ServiceException

    class InvalidDocument(ServiceException):  # type: ignore[misc]
        code = "InvalidDocument"

    class InvalidInstanceId(ServiceException):  # type: ignore[misc]
        code = "InvalidInstanceId"

    original = getattr(service.Command, "noted", service.Command)

    class Command(original):  # type: ignore[misc, valid-type]
        """A command that runs: one thread for each instance."""

        noted = original

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            if self.document_name != DOCUMENT:
                raise InvalidDocument(f"localstalk has no document {self.document_name}, only {DOCUMENT}.")
            missing = [name for name in self.instance_ids if not self._is_running(name)]
            if missing or not self.instance_ids:
                raise InvalidInstanceId(
                    f"Instances [[{', '.join(missing)}]] not in a valid state for account {self.account_id}"
                )
            self.status = self.status_details = "InProgress"
            for invocation in self.invocations:
                _begin(invocation)
            for invocation in self.invocations:
                threading.Thread(target=self._carry_out, args=(invocation,), daemon=True).start()

        def _get_instance_ids_from_targets(self) -> list[str]:
            found: list[str] = super()._get_instance_ids_from_targets() if self.targets else []
            return found

        def _is_running(self, instance_id: str) -> bool:
            from moto.ec2.models import ec2_backends

            backend = ec2_backends[self.account_id][self.backend_region]
            found = [each for each in backend.all_instances() if each.id == instance_id]
            return any(each.state == "running" for each in found)

        def _carry_out(self, invocation: dict[str, Any]) -> None:
            parameters = self.parameters
            seconds = float((parameters.get("executionTimeout") or [DEFAULT_SECONDS])[0])
            folder = (parameters.get("workingDirectory") or [""])[0]
            lines = [f"cd {_quoted(folder)} || exit 1"] if folder else []
            _run(driver(), invocation, "\n".join([*lines, *parameters.get("commands", [])]) + "\n", seconds)
            states = [each["Status"] for each in self.invocations]
            if not any(state in _BUSY for state in states):
                self.status = self.status_details = next((state for state in states if state != "Success"), "Success")
                self.error_count = sum(state != "Success" for state in states)

    service.Command = Command


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _begin(invocation: dict[str, Any]) -> None:
    invocation.update(
        Status="InProgress",
        StatusDetails="InProgress",
        ResponseCode=-1,
        ExecutionStartDateTime=_stamp(),
        ExecutionElapsedTime="",
        ExecutionEndDateTime="",
    )


def _run(driver: Driver, invocation: dict[str, Any], script: str, seconds: float) -> None:
    began = time.monotonic()
    try:
        done = driver.shell(invocation["InstanceId"], script, seconds)
    except DriverError as error:
        state, code, out, err = "Failed", 1, "", str(error)
    else:
        code, out, err = done.returncode, done.stdout, done.stderr
        late = code == TIMED_OUT and time.monotonic() - began >= seconds
        state = "TimedOut" if late else "Success" if code == 0 else "Failed"
    invocation.update(
        StandardOutputContent=out[:MAX_OUTPUT],
        StandardErrorContent=err[:MAX_OUTPUT],
        ResponseCode=code,
        ExecutionElapsedTime=f"PT{time.monotonic() - began:.3f}S",
        ExecutionEndDateTime=_stamp(),
        StatusDetails=state,
        # Last: whoever sees the end may read the rest.
        Status=state,
    )


def _stamp() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
