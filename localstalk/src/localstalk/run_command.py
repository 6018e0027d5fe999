# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems Manager's Run Command: moto's commands, which are carried out on the instances instead of only noted.

``AWS-RunShellScript`` is the document that localstalk knows. Its script runs as root, as the agent on a real instance
runs it; states and answers, those of ListCommandInvocations (which moto lacks) too, follow the API reference of AWS
Systems Manager. Targets by tag are the running instances; when there is none, the command ends at once.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from localstalk.driver import Driver, DriverError

if TYPE_CHECKING:
    from localstalk.faults import Faults
    from localstalk.model.control import Control

DOCUMENT = "AWS-RunShellScript"
MAX_OUTPUT = 24_000
"""GetCommandInvocation returns so many characters of each stream; the rest is in S3 when a bucket was named."""

MAX_PLUGIN_OUTPUT = 2_500
"""ListCommandInvocations returns so many characters of both streams together."""

DEFAULT_SECONDS = 3600.0
TIMED_OUT = 124
_BUSY = ("Pending", "InProgress")
_ENVIRONMENT_TAG = "elasticbeanstalk:environment-name"


def install(control: Callable[[], Control]) -> None:
    """Let moto's Systems Manager run its commands with the driver, and suffer the faults, that there are then."""
    import moto.ssm.models as service
    from moto.core.exceptions import ServiceException
    from moto.ssm.responses import SimpleSystemManagerResponse

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
            running = _running(self.account_id, self.backend_region)
            if refusal := _refusal(self, running):
                raise InvalidInstanceId(refusal)
            self.status = self.status_details = "InProgress"
            for invocation in self.invocations:
                _begin(invocation)
            faults = control().faults
            for invocation in self.invocations:
                if faults.unreachable(running[invocation["InstanceId"]], invocation["InstanceId"]):
                    _lose(invocation)
                else:
                    threading.Thread(target=self._carry_out, args=(invocation,), daemon=True).start()
            if self.invocations:
                self._settle()
            else:
                self.status, self.status_details = "Failed", "NoInstancesInTag"

        def _get_instance_ids_from_targets(self) -> list[str]:
            found = super()._get_instance_ids_from_targets() if self.targets else []
            return sorted(_running(self.account_id, self.backend_region).keys() & set(found))

        def _carry_out(self, invocation: dict[str, Any]) -> None:
            parameters = self.parameters
            seconds = float((parameters.get("executionTimeout") or [DEFAULT_SECONDS])[0])
            folder = (parameters.get("workingDirectory") or [""])[0]
            lines = [f"cd {_quoted(folder)} || exit 1"] if folder else []
            _run(control().driver, invocation, "\n".join([*lines, *parameters.get("commands", [])]) + "\n", seconds)
            self._settle()

        def _settle(self) -> None:
            """The command has ended when all of its invocations have; the first that failed says how."""
            ended = [(each["Status"], each["StatusDetails"]) for each in self.invocations]
            if not any(status in _BUSY for status, _ in ended):
                failed = [each for each in ended if each[0] != "Success"]
                self.error_count = len(failed)
                self.status_details = failed[0][1] if failed else "Success"
                # Last: whoever sees the end may read the rest.
                self.status = failed[0][0] if failed else "Success"

    service.Command = Command
    SimpleSystemManagerResponse.describe_instance_information = lambda response: _information(
        response, control().faults
    )
    SimpleSystemManagerResponse.list_command_invocations = _list_command_invocations


def _information(response: Any, faults: Faults) -> Any:
    """DescribeInstanceInformation: which instances the service can reach; moto has no such operation."""
    from moto.core.responses import ActionResult

    running = _running(response.current_account, response.region)
    wanted = _filtered(response._get_param("Filters") or response._get_param("InstanceInformationFilterList") or [])
    now = datetime.now(UTC)
    found = [
        {
            "InstanceId": instance_id,
            "PingStatus": "ConnectionLost" if faults.unreachable(environment, instance_id) else "Online",
            "LastPingDateTime": now,
            "PlatformType": "Linux",
            "ResourceType": "EC2Instance",
        }
        for instance_id, environment in running.items()
        if wanted is None or instance_id in wanted
    ]
    return ActionResult({"InstanceInformationList": found})


def _refusal(command: Any, running: Mapping[str, str]) -> str:
    """Why the instances that a command names cannot take it; "" when they can."""
    missing = [name for name in command.instance_ids if name not in running]
    if not missing and (command.instance_ids or command.targets):
        return ""
    return f"Instances [[{', '.join(missing)}]] not in a valid state for account {command.account_id}"


def _filtered(filters: Any) -> set[str] | None:
    """The instance ids that filters leave, None for all; other filters than that by id are not known."""
    for each in filters:
        if each.get("Key", each.get("key")) == "InstanceIds":
            return set(each.get("Values", each.get("valueSet", ())))
    return None


def _running(account: str, region: str) -> dict[str, str]:
    """Names of the environments ("" without one) of all running instances, by instance id."""
    from moto.ec2.models import ec2_backends

    return {
        each.id: next((tag["value"] for tag in each.get_tags() if tag["key"] == _ENVIRONMENT_TAG), "")
        for each in ec2_backends[account][region].all_instances()
        if each.state == "running"
    }


def _list_command_invocations(response: Any) -> Any:
    """ListCommandInvocations by command: in the order of the instances, in pages of at most 50."""
    from moto.core.responses import ActionResult

    command = response.ssm_backend.get_command_by_id(response._get_param("CommandId"))
    wanted, details = response._get_param("InstanceId"), response._get_param("Details")
    start, size = int(response._get_param("NextToken") or 0), min(response._get_int_param("MaxResults") or 50, 50)
    found = sorted(command.invocations, key=lambda each: str(each["InstanceId"]))
    found = [each for each in found if wanted in (None, each["InstanceId"])]
    answer: dict[str, Any] = {
        "CommandInvocations": [_listed(command, each, bool(details)) for each in found[start : start + size]]
    }
    if start + size < len(found):
        answer["NextToken"] = str(start + size)
    return ActionResult(answer)


def _listed(command: Any, invocation: dict[str, Any], details: bool) -> dict[str, Any]:
    common = {name: invocation[name] for name in ("Status", "StatusDetails")}
    output = invocation["StandardOutputContent"]
    if invocation["StandardErrorContent"]:
        output += f"\n----------ERROR-------\n{invocation['StandardErrorContent']}"
    plugin = {
        "Name": invocation["PluginName"],
        "ResponseCode": invocation["ResponseCode"],
        "Output": output[:MAX_PLUGIN_OUTPUT],
    }
    return {
        **{name: invocation[name] for name in ("CommandId", "InstanceId", "Comment", "DocumentName")},
        **common,
        "RequestedDateTime": command.requested_date_time,
        "CommandPlugins": [plugin | common] if details else [],
    }


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


def _lose(invocation: dict[str, Any]) -> None:
    """What becomes of a command for an agent whose connection is lost: nothing ran, so there is no output."""
    invocation.update(
        StandardOutputContent="",
        StandardErrorContent="",
        ExecutionStartDateTime="",
        StatusDetails="Undeliverable",
        Status="Failed",
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
