# SPDX-License-Identifier: GPL-3.0-or-later
"""EB's engine of the retired Amazon Linux AMI: hook directories that nobody tidies (docs/elastic_beanstalk.md §5.3)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HOOKS = "/opt/elasticbeanstalk/hooks/appdeploy"


@pytest.fixture
def al1(make_box: Callable[..., Any], tmp_path: Path) -> Any:
    box = make_box(tmp_path, "al1")
    assert box.run("env-launch").status == "SUCCESS"
    return box


def bundle(port: int, order: Path, number: int = 1) -> dict[str, str]:
    hook = f"#!/bin/sh\\necho {{}} {number} $EB_IS_COMMAND_LEADER [$GREETING] >> {order}\\n"
    files = "".join(
        f"  {HOOKS}/{stage}/{name}:\n    mode: '000755'\n    content: \"{hook.format(name)}\"\n"
        for stage, name in (("pre", "02x.sh"), ("enact", "99x.sh"), ("post", "50x.sh"))
    )
    return {
        "Dockerfile": f"FROM debian:bookworm-slim\nEXPOSE {port}\n",
        ".ebextensions/01.config": f"files:\n{files}"
        f"container_commands:\n  a: {{command: 'echo container $PWD $GREETING >> {order}'}}\n",
    }


def test_hooks_run_among_ebs_own_and_stay(al1: Any, port: int) -> None:
    order = al1.root / "order"
    answer = al1.deploy(bundle(port, order), properties={"GREETING": "hello"})
    assert answer.status == "SUCCESS", al1.log()
    assert order.read_text().splitlines() == [
        "02x.sh 1 true []",
        f"container {al1.root}/tmp/deployment/application hello",
        "99x.sh 1 true []",
        "50x.sh 1 true []",
    ]
    assert [event.message for event in answer.events] == [
        "Successfully built aws_beanstalk/staging-app",
        "Docker container 0123456789ab is running aws_beanstalk/current-app.",
    ]
    log = al1.log()
    assert "[Application deployment v1@1/StartupStage0/AppDeployPreHook/02x.sh] : Starting activity..." in log
    assert f"  Successfully execute hooks in directory {HOOKS}/pre.\n" in log

    order.unlink()
    answer = al1.deploy(bundle(port, order, 2), deployment_id=2, version_label="v2")
    assert answer.status == "SUCCESS", al1.log()
    # The first deployment's hooks were kept as .bak, executable, and so they run again.
    lines = order.read_text().splitlines()
    assert [line for line in lines if not line.startswith("container")] == [
        "02x.sh 2 true []",
        "02x.sh 1 true []",
        "99x.sh 2 true []",
        "99x.sh 1 true []",
        "50x.sh 2 true []",
        "50x.sh 1 true []",
    ]
    assert "[Application update v2@2/AppDeployStage1/AppDeployPostHook/50x.sh.bak]" in al1.log()

    order.unlink()
    plain = {"Dockerfile": f"FROM debian:bookworm-slim\nEXPOSE {port}\n"}
    assert al1.deploy(plain, deployment_id=3).status == "SUCCESS"
    assert "02x.sh 2 true []" in order.read_text(), "hooks of an earlier deployment must persist"


def test_platform_hooks_are_ignored(al1: Any, port: int) -> None:
    files = {**bundle(port, al1.root / "order"), ".platform/hooks/prebuild/x.sh": "#!/bin/sh\nexit 1\n"}
    assert al1.deploy(files).status == "SUCCESS"


def test_config_deploy_runs_configdeploy_hooks_only(al1: Any, port: int) -> None:
    order = al1.root / "order"
    assert al1.deploy(bundle(port, order)).status == "SUCCESS"
    order.unlink()
    al1.script("opt/elasticbeanstalk/hooks/configdeploy/post/z.sh", f"#!/bin/sh\necho config >> {order}\n")
    assert al1.run("config-deploy").status == "SUCCESS", al1.log()
    assert order.read_text() == "config\n"


def test_a_users_hook_replaces_ebs_own_of_the_same_name(al1: Any, port: int) -> None:
    al1.script("opt/elasticbeanstalk/hooks/appdeploy/post/00_clean_imgs.sh", "#!/bin/sh\ntrue\n")
    assert al1.deploy(bundle(port, al1.root / "order")).status == "SUCCESS"
    assert "image prune -f" not in al1.calls("docker")


def test_failing_hook(al1: Any, port: int) -> None:
    al1.script("opt/elasticbeanstalk/hooks/appdeploy/pre/99.sh", "#!/bin/sh\necho bad news\nexit 3\n")
    answer = al1.deploy(bundle(port, al1.root / "order"))
    assert answer.status == "FAILURE"
    assert answer.message == (
        f"bad news. \nHook {HOOKS}/pre/99.sh failed. "
        "For more detail, check /var/log/eb-activity.log using console or EB CLI"
    )
    assert "Activity execution failed, because:" in al1.log()


def test_build_is_tried_twice(al1: Any, port: int) -> None:
    answer = al1.deploy({**bundle(port, al1.root / "order"), "broken": ""})
    assert answer.status == "FAILURE"
    assert [(event.severity, event.message.split(":")[0]) for event in answer.events] == [
        ("WARN", "Failed to build Docker image aws_beanstalk/staging-app, retrying..."),
        ("ERROR", "Failed to build Docker image aws_beanstalk/staging-app"),
    ]


def test_container_command_failure_names_the_file(al1: Any, port: int) -> None:
    answer = al1.deploy(
        {**bundle(port, al1.root / "order"), ".ebextensions/02.config": "container_commands: {x: {command: 'false'}}"}
    )
    assert answer.events[-1].message == "container_command x in 02.config failed."


def test_missing_expose(al1: Any) -> None:
    answer = al1.deploy({"Dockerfile": "FROM scratch\n"})
    assert answer.events[-1].message == "No EXPOSE directive found in Dockerfile, abort deployment"


def test_compose_is_unknown(al1: Any, port: int) -> None:
    compose = {"docker-compose.yml": "services: {web: {build: .}}\n"}
    assert al1.deploy(compose).events[-1].message.startswith("Instance deployment: Both 'Dockerfile' and")
    assert al1.deploy({"Dockerfile": f"FROM scratch\nEXPOSE {port}\n", **compose}).status == "SUCCESS"
