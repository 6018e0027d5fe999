# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a failed deployment: the failing step's own output, and no log or event besides."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import (
    AnsibleBeanstalkError,
    AnsibleBeanstalkWaitError,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe import failure
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.deployment_log import DeploymentLog

INSTANCE = "i-0000000000000000b"
AT = "2026/03/03 12:00:10.000000"


def engine(step: str, *lines: str, error: str = "it broke") -> list[str]:
    """The end of an eb-engine.log whose command failed in a step."""
    return [
        f"{AT} [INFO] Executing instruction: StageApplication",
        f"{AT} [INFO] extracting the bundle",
        f"{AT} [INFO] Executing instruction: {step}",
        *lines,
        f"{AT} [ERROR] An error occurred during execution of command [app-deploy] - [{step}]. "
        f"Stop running the command. Error: {error}",
        f"{AT} [INFO] Executing cleanup logic",
        f'{AT} [INFO] CommandService Response: {{"status":"FAILURE"}}',
    ]


def found(sections: dict[str, list[str]]) -> failure.Cause:
    cause = failure.find_cause(INSTANCE, {f"/var/log/{name}": lines for name, lines in sections.items()})
    assert cause is not None
    return cause


def test_a_hook_that_failed_is_named_with_what_it_printed() -> None:
    hooks = [
        f"{AT} [INFO] Running platform hook: .platform/hooks/postdeploy/a.sh",
        f"{AT} [INFO] all is well",
        f"{AT} [INFO] Running platform hook: .platform/hooks/postdeploy/b.sh",
        f"{AT} [ERROR] column posts.slug does not exist",
    ]
    cause = found({"eb-engine.log": engine("RunAppDeployPostDeployHooks"), "eb-hooks.log": hooks})
    assert cause.heading == f"Cause (hook .platform/hooks/postdeploy/b.sh, eb-hooks.log of {INSTANCE}):"
    assert cause.lines == ("column posts.slug does not exist",)
    assert cause.next_step.startswith("Mend that hook, then run the same command again")


def test_hooks_of_an_earlier_deployment_are_no_cause() -> None:
    hooks = [f"{AT} [INFO] Running platform hook: x", f"{AT} [ERROR] long ago"]
    step = [f"{AT} [INFO] STEP 2: RUN false", f"{AT} [ERROR] exit status 1"]
    cause = found({"eb-engine.log": engine("DockerBuild", *step), "eb-hooks.log": hooks})
    assert cause.lines[:2] == ("STEP 2: RUN false", "exit status 1")
    assert "extracting" not in " ".join(cause.lines)
    assert cause.next_step.startswith("Mend the Dockerfile")


def test_an_error_of_several_lines_is_whole() -> None:
    lines = engine("InstallDependency", error="pip says:\nNo matching distribution\nfor shop")
    cause = found({"eb-engine.log": "\n".join(lines).split("\n")})
    assert cause.lines[-2:] == ("No matching distribution", "for shop")


def test_a_command_of_ebextensions_has_a_log_of_its_own() -> None:
    commands = ["2026-03-03 12:00:10,000 [INFO] Command 01_make", "2026-03-03 12:00:10,001 [ERROR] make: not found"]
    cause = found({"eb-engine.log": engine("PreBuildEbExtension"), "cfn-init-cmd.log": commands})
    assert cause.lines == ("Command 01_make", "make: not found")
    assert ".ebextensions" in cause.next_step


def logged(*lines: str) -> DeploymentLog:
    """A deployment log as the Developer Guide shows one."""
    stamped = [line if line.startswith(" ") else f"2026/03/17 15:13:15.1 {line}" for line in lines]
    return DeploymentLog(
        "eb-deployment-req-1.log", ["2026/03/17 15:13:15.1 [INFO] Starting Application deployment", *stamped]
    )


def test_the_deployment_log_names_the_hook_that_failed_and_what_it_printed() -> None:
    log = logged(
        "[INFO] Running platform hook: .platform/hooks/predeploy/01_assets.sh",
        "[INFO] Running platform hook: .platform/hooks/predeploy/02_migrate.sh",
        "[ERROR] RunAppDeployPreDeployHooks failed",
        "  django.db.utils.OperationalError: could not connect",
        "[ERROR] Application deployment failed",
    )
    cause = failure.logged_cause(log, INSTANCE)
    assert cause is not None
    assert cause.step == "hook .platform/hooks/predeploy/02_migrate.sh"
    assert cause.lines == ("  django.db.utils.OperationalError: could not connect",)
    assert cause.heading.endswith(f"eb-deployment-req-1.log of {INSTANCE}):")
    unknown = failure.logged_cause(log)
    assert unknown is not None
    assert unknown.heading.endswith("eb-deployment-req-1.log):")


@pytest.mark.parametrize(
    "lines",
    [
        ("[INFO] Completed Application deployment",),
        ("[ERROR] Application deployment failed",),
        ("[ERROR] DockerBuild failed", "[ERROR] Application deployment failed"),
        (),
    ],
)
def test_a_deployment_log_that_says_nothing_of_a_failure_is_no_cause(lines: tuple[str, ...]) -> None:
    assert failure.logged_cause(logged(*lines)) is None


def explain(log: DeploymentLog | Exception | None, logs: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A failure whose instances answer with these logs, and whose deployment log is that."""
    monkeypatch.setattr(failure.api, "describe_environment_health", lambda *_which: {})
    monkeypatch.setattr(failure, "request_tails", lambda *_which: logs)

    def read() -> DeploymentLog | None:
        if isinstance(log, Exception):
            raise log
        return log

    instances = [{"instance_id": INSTANCE}]
    report = {"environment": {"status": "Ready"}, "instances": instances, "failing_instances": [INSTANCE]}
    error = AnsibleBeanstalkWaitError("Deploying failed: the event", report, "the event")
    return failure.explained(None, error, "e-1", 1.0, [], deployment_log=read)


def test_the_deployment_log_is_the_cause_before_the_tails_and_both_are_in_the_details(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tails = {INSTANCE: {"/var/log/eb-engine.log": engine("DockerBuild", f"{AT} [INFO] from the tail")}}
    log = logged("[ERROR] DockerBuild failed", "  no space left", "[ERROR] Application deployment failed")
    error = explain(log, tails, monkeypatch)
    assert "  no space left" in str(error.message).splitlines()[2]
    assert "from the tail" not in str(error.message)
    assert error.report["cause"] == "DockerBuild:   no space left"
    assert sorted(error.report["logs"][INSTANCE]) == [
        "/var/log/deployments/eb-deployment-req-1.log",
        "/var/log/eb-engine.log",
    ]


@pytest.mark.parametrize("log", [None, AnsibleBeanstalkError(message="Failed to read the deployment log")])
def test_without_the_deployment_log_the_tails_tell_the_cause(
    log: AnsibleBeanstalkError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tails = {INSTANCE: {"/var/log/eb-engine.log": engine("DockerBuild", f"{AT} [INFO] from the tail")}}
    error = explain(log, tails, monkeypatch)
    assert "from the tail" in str(error.message)
    assert "No log could be had" not in str(error.message)


def test_a_log_without_a_failing_step_is_said_to_be_one() -> None:
    cause = found({"eb-activity.log": [f"line {number}" for number in range(90)]})
    assert cause.heading == f"Last lines of eb-activity.log of {INSTANCE}:"
    assert cause.lines == tuple(f"line {number}" for number in range(80, 90))
    assert failure.find_cause(INSTANCE, {"/var/log/eb-engine.log": [f"{AT} [INFO] all is well"]}) is None


@pytest.mark.parametrize("reason", ["", "Instance deployment failed. For details, see 'eb-engine.log'."])
def test_the_text_has_the_sentence_first_and_what_to_do_last(reason: str) -> None:
    cause = failure.Cause(INSTANCE, "/var/log/eb-engine.log", "DockerBuild", tuple(map(str, range(failure.LINES))))
    report: dict[str, Any] = {"causes": ["a", "b", "c", "d"], "logs": {}}
    sentence = "Deploying version v2 to the environment shop failed"
    text = failure.failure_text(f"{sentence}: {reason}" if reason else sentence, reason, cause, report)
    lines = text.split("\n")
    assert lines[0] == f"{sentence}."
    assert lines[-1].startswith("Next: Mend the Dockerfile")
    assert "eb-engine.log'" not in text
    assert len(lines) == 1 + 4 + 1 + failure.LINES + 1


def test_without_a_log_the_event_is_the_cause_and_the_problem_is_told() -> None:
    report = {"causes": [], "logs_error": "the log of i-1 cannot be read"}
    text = failure.failure_text("It failed: the event.", "the event.", None, report)
    assert text.split("\n")[:2] == ["It failed: the event.", "No log could be had: the log of i-1 cannot be read"]
    assert text.split("\n")[2].startswith("Next: Mend the cause")


def test_details_are_events_and_whole_logs() -> None:
    event = {"event_date": "2026-03-03T12:00:00.000Z", "severity": "ERROR", "message": "Failed to deploy application."}
    result = {"msg": "It failed.\nCause:", "events": [event], "logs": {INSTANCE: {"/var/log/x.log": ["one", "two"]}}}
    lines = failure.details("shop", result)
    assert lines[:3] == ["== shop ==", "It failed.", "Cause:"]
    assert "  2026-03-03T12:00:00.000Z ERROR Failed to deploy application." in lines
    assert lines[-4:] == [f"{INSTANCE} /var/log/x.log:", "  one", "  two", ""]
    assert failure.details("shop", {"msg": "Refused."}) == []
