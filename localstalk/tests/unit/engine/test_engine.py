# SPDX-License-Identifier: GPL-3.0-or-later
"""EB's engine of AL2 and AL2023 in a make-believe instance: order, texts, failures (docs/elastic_beanstalk.md §5)."""

from __future__ import annotations

import base64
import io
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localstalk.engine import getconfig


def dockerfile(port: int) -> dict[str, str]:
    return {"Dockerfile": f"FROM debian:bookworm-slim\nEXPOSE {port}\n"}


def test_instructions_come_in_order(box: Any, port: int) -> None:
    answer = box.deploy(dockerfile(port))
    assert answer.status == "SUCCESS", box.log()
    assert box.instructions() == [
        "ElectLeader",
        "stopSqsd",
        "PreBuildEbExtension",
        "StageApplication",
        "RunAppDeployPreBuildHooks",
        "Docker Specific Build Application",
        "PostBuildEbExtension",
        "CleanEbExtensions",
        "RunAppDeployPreDeployHooks",
        "stop X-Ray",
        "FlipApplication",
        "stop proxy",
        "start proxy",
        "start X-Ray",
        "configureSqsd",
        "startSqsd",
        "Track pids in healthd",
        "RunAppDeployPostDeployHooks",
    ]
    log = box.log()
    assert "[INFO] Instance is Leader.\n" in log
    assert "[INFO] extracting /opt/elasticbeanstalk/deployment/app_source_bundle to /var/app/staging/\n" in log
    assert "[INFO] The dir .platform/hooks/prebuild/ does not exist\n" in log
    assert log.endswith("[INFO] Platform Engine finished execution on command: app-deploy\n")
    response = box.response()
    stamp = response["results"][0]["events"][0].pop("timestamp")
    assert stamp > 1_700_000_000_000
    assert response == {
        "status": "SUCCESS",
        "api_version": "1.0",
        "results": [
            {
                "status": "SUCCESS",
                "msg": "Engine execution has succeeded.",
                "returncode": 0,
                "events": [{"msg": "Instance deployment completed successfully.", "severity": "INFO"}],
            }
        ],
    }


def test_commands_hooks_and_container_commands_run_where_and_when_eb_runs_them(box: Any, port: int) -> None:
    order = box.root / "order"
    hook = f"#!/bin/sh\necho $(basename $0) $PWD $EB_IS_COMMAND_LEADER $GREETING >> {order}\n"
    config = f"""
commands:
  01: {{command: "echo command $PWD [$GREETING] >> {order}"}}
container_commands:
  01_all: {{command: "echo all $PWD $GREETING $EB_IS_COMMAND_LEADER >> {order}"}}
  02_leader: {{command: "echo leader >> {order}", leader_only: true, test: "false"}}
  03_test: {{command: "echo never >> {order}", test: "false"}}
  04_ignored: {{command: "exit 9", ignoreErrors: true}}
  05_env: {{command: ["sh", "-c", "echo env [$GREETING] $X $PWD >> {order}"], env: {{X: 1}}, cwd: /var}}
"""
    files = {
        **dockerfile(port),
        ".ebextensions/01.config": config,
        ".platform/hooks/prebuild/a.sh": hook,
        ".platform/hooks/predeploy/b.sh": hook,
        ".platform/hooks/postdeploy/c.sh": hook,
        ".platform/confighooks/predeploy/d.sh": hook,
    }
    answer = box.deploy(files, properties={"GREETING": "hello"})
    assert answer.status == "SUCCESS", box.log()
    assert answer.leader is True
    staging, current = box.layout.staging, box.layout.current
    assert order.read_text().splitlines() == [
        "command / []",
        f"a.sh {staging} true hello",
        "leader",
        f"all {staging} hello true",
        f"env [] 1 {box.root}/var",
        f"b.sh {staging} true hello",
        f"c.sh {current} true hello",
    ]
    assert not (current / ".ebextensions").exists()

    order.unlink()
    answer = box.run("config-deploy", properties={"GREETING": "again"})
    assert answer.status == "SUCCESS", box.log()
    assert answer.leader is None
    assert order.read_text() == f"d.sh {current} again\n"


def test_one_leader_per_invocation(make_box: Callable[..., Any], tmp_path: Path, port: int) -> None:
    shared = tmp_path / "shared"
    (tmp_path / "1").mkdir()
    (tmp_path / "2").mkdir()
    first = make_box(tmp_path / "1", instance_id="i-1", shared=shared)
    second = make_box(tmp_path / "2", instance_id="i-2", shared=shared)
    assert first.deploy(dockerfile(port), invocation_id="x").leader is True
    assert second.deploy(dockerfile(port), invocation_id="x").leader is False
    assert first.deploy(dockerfile(port), invocation_id="x").leader is True
    assert second.deploy(dockerfile(port), invocation_id="y").leader is True


def test_no_leader_where_none_is_elected(box: Any, port: int) -> None:
    order = box.root / "order"
    config = f"""
container_commands:
  01_all: {{command: "echo $EB_IS_COMMAND_LEADER >> {order}"}}
  02_leader: {{command: "echo leader >> {order}", leader_only: true}}
"""
    answer = box.deploy({**dockerfile(port), ".ebextensions/01.config": config}, elects_leader=False)
    assert (answer.status, answer.leader) == ("SUCCESS", False), box.log()
    assert order.read_text().split() == ["false"]
    assert "Instance is NOT Leader." in box.log()


def assert_failed(box: Any, answer: Any, instruction: str, error: str, *events: str) -> None:
    assert answer.status == "FAILURE"
    assert answer.returncode == 1
    assert answer.message == "Engine execution has encountered an error."
    text = (
        f"[ERROR] An error occurred during execution of command [app-deploy] - [{instruction}]. "
        f"Stop running the command. Error: {error}"
    )
    assert text in box.log()
    assert [event.message for event in answer.events] == [
        *events,
        "Instance deployment failed. For details, see 'eb-engine.log'.",
    ]
    assert box.response()["status"] == "FAILURE"


def test_failing_hook(box: Any, port: int) -> None:
    answer = box.deploy({**dockerfile(port), ".platform/hooks/predeploy/01.sh": "#!/bin/sh\necho oops >&2\nexit 3\n"})
    error = "Command .platform/hooks/predeploy/01.sh failed with error exit status 3. Stderr:oops"
    assert_failed(box, answer, "RunAppDeployPreDeployHooks", error)
    assert not box.layout.current.exists()
    assert "[ERROR] oops" in box.log("eb-hooks.log")


def test_hook_without_interpreter(box: Any, port: int) -> None:
    answer = box.deploy({**dockerfile(port), ".platform/hooks/prebuild/x.sh": "#!/bin/sh\r\ntrue\r\n"})
    error = (
        "Command .platform/hooks/prebuild/x.sh failed with error fork/exec .platform/hooks/prebuild/x.sh: no such file"
    )
    assert_failed(box, answer, "RunAppDeployPreBuildHooks", error)


def test_failing_postdeploy_hook_fails_the_deployment_that_serves_already(box: Any, port: int) -> None:
    answer = box.deploy({**dockerfile(port), ".platform/hooks/postdeploy/x.sh": "#!/bin/sh\nexit 1\n"})
    error = "Command .platform/hooks/postdeploy/x.sh failed with error exit status 1. Stderr:"
    assert_failed(box, answer, "RunAppDeployPostDeployHooks", error)
    assert (box.layout.current / "Dockerfile").exists()
    assert (
        f"server 127.0.0.1:{port};"
        in (box.root / "etc/nginx/conf.d/elasticbeanstalk-nginx-docker-upstream.conf").read_text()
    )


def test_image_that_does_not_build(box: Any, port: int) -> None:
    answer = box.deploy({**dockerfile(port), "broken": ""})
    assert_failed(
        box,
        answer,
        "Docker Specific Build Application",
        "failed to build docker image: Command docker build",
        "Instance deployment failed to build the Docker image. The deployment failed.",
    )


COMPOSE_PROJECT = "services: {web: {build: ., ports: ['80:8000']}}\n"


@pytest.mark.parametrize("name", ["readme", "docker-compose.yaml", "compose.yaml", "compose.yml"])
def test_missing_dockerfile(box: Any, name: str) -> None:
    answer = box.deploy({name: COMPOSE_PROJECT})
    text = (
        "Instance deployment: Both 'Dockerfile' and 'Dockerrun.aws.json' are missing in your source bundle. "
        "Include at least one of them. The deployment failed."
    )
    assert_failed(box, answer, "StageApplication", text, text)


def test_compose_is_told_where_its_logs_go(box: Any) -> None:
    told = f'#!/bin/sh\necho "$@" "$EB_LOG_BASE_DIR" >> {box.root}/compose.calls\n'
    box.script("usr/bin/docker-compose", told)
    assert box.deploy({"docker-compose.yml": COMPOSE_PROJECT}).status == "SUCCESS"
    folder = str(box.root / "var/log/eb-docker/containers")
    calls = box.calls("compose")
    assert [calls[0], calls[-1]] == [f"build {folder}", f"up -d -t 2 --remove-orphans {folder}"]


@pytest.mark.parametrize(
    ("config", "instruction", "error"),
    [
        (
            "container_commands: {a: {command: 'exit 4'}}",
            "PostBuildEbExtension",
            "Container commands build failed. Please refer to /var/log/cfn-init.log for more details.",
        ),
        (
            "commands: {a: {command: no-such-program}}",
            "PreBuildEbExtension",
            "EbExtension build failed. Please refer to /var/log/cfn-init.log for more details.",
        ),
    ],
)
def test_failing_commands(box: Any, port: int, config: str, instruction: str, error: str) -> None:
    answer = box.deploy({**dockerfile(port), ".ebextensions/a.config": config})
    assert_failed(box, answer, instruction, error)
    assert "Command a failed" in box.log("cfn-init.log")


def test_no_exposed_port(box: Any) -> None:
    answer = box.deploy({"Dockerfile": "FROM scratch\n"})
    text = "No EXPOSE directive found in Dockerfile, abort deployment"
    assert_failed(box, answer, "FlipApplication", text, text)


def test_container_that_ends_at_once(box: Any) -> None:
    (box.root / "running").write_text("false\n")
    answer = box.deploy(dockerfile(1))
    event = "Docker container quit unexpectedly after launch: Check snapshot logs for details."
    assert_failed(box, answer, "FlipApplication", "Docker container 0123456789ab quit unexpectedly", event)
    assert "rm -f 0123456789abcdef0123456789abcdef" in box.calls("docker")


def test_broken_nginx_configuration_leaves_the_old_one_in_place(box: Any, port: int) -> None:
    assert box.deploy(dockerfile(port)).status == "SUCCESS"
    answer = box.deploy({**dockerfile(port), ".platform/nginx/conf.d/x.conf": "broken"})
    assert answer.status == "FAILURE"
    assert not (box.root / "etc/nginx/conf.d/x.conf").exists()


def test_environment_files_are_for_root_only_and_no_command_line_shows_a_value(box: Any, port: int) -> None:
    properties = {"SECRET": "s3cret-value", "LINES": "one-s3cret\ntwo"}
    assert box.deploy(dockerfile(port), properties=properties).status == "SUCCESS"
    for path in (box.layout.env_list, box.layout.state, box.layout.bundle):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert box.layout.env_list.read_text() == "SECRET=s3cret-value\n"
    run = next(call for call in box.calls("docker") if call.startswith("run "))
    assert "-e LINES" in run
    for text in ("\n".join(box.calls("docker")), box.log(), box.log("cfn-init.log")):
        assert "s3cret" not in text


def test_files_are_written_with_mode_and_backup(box: Any, port: int) -> None:
    config = "files:\n  /etc/x/y.sh:\n    mode: '000750'\n    content: |\n      one {0}\n"
    for number in (1, 2):
        config_text = config.format(number)
        assert box.deploy({**dockerfile(port), ".ebextensions/a.config": config_text}).status == "SUCCESS"
    path = box.root / "etc/x/y.sh"
    assert path.read_text() == "one 2\n"
    assert path.with_name("y.sh.bak").read_text() == "one 1\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o750


def test_tail_has_the_last_hundred_lines_and_what_taillogs_names(box: Any) -> None:
    (box.root / "var/log/eb-engine.log").write_text("".join(f"line {number}\n" for number in range(150)))
    (box.root / "var/log/mine.log").write_text("mine\n")
    conf = box.layout.opt / "tasks/taillogs.d/mine.conf"
    conf.parent.mkdir(parents=True)
    conf.write_text("/var/log/mine.log\n/\nnot a path\n")
    text = box.run("tail-log").message
    rule = "-" * 40
    assert text.startswith(f"{rule}\n/var/log/eb-engine.log\n{rule}\nline 50\n")
    assert f"{rule}\n/var/log/mine.log\n{rule}\nmine\n" in text
    assert "line 49\n" not in text


def test_bundle_log_is_a_zip(box: Any, tmp_path: Path) -> None:
    (box.root / "var/log/eb-engine.log").write_text("hello\n")
    archive = box.run("bundle-log").archive
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(archive))) as content:
        assert content.read("var/log/eb-engine.log") == b"hello\n"


def test_get_config(box: Any, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"aws:elasticbeanstalk:command": {"Timeout": "600"}}
    box.deploy(dockerfile(port), properties={"A": "b"}, options=options)
    for arguments, wanted in (
        (["environment"], '{"A":"b"}'),
        (["environment", "-k", "A"], "b"),
        (["optionsettings", "-n", "aws:elasticbeanstalk:command", "-o", "Timeout"], "600"),
        (["platformconfig", "-k", "AppDeployDir"], "/var/app/current/"),
        (["environment", "--output", "yaml"], "A: b\n"),
    ):
        assert getconfig.main(arguments, box.root) == 0
        assert capsys.readouterr().out == wanted
    assert getconfig.main(["environment", "-k", "NOPE"], box.root) == 1
