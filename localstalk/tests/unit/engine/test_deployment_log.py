# SPDX-License-Identifier: GPL-3.0-or-later
"""Deployment logs (Developer Guide, "Viewing deployment logs"): names on success, the end of the output on failure."""

from __future__ import annotations

from typing import Any

import pytest

NAME = "eb-deployment-req-1.log"
DOCKERFILE = {"Dockerfile": "FROM debian:bookworm-slim\nEXPOSE {port}\n"}
COMMANDS = "container_commands:\n  01_seed:\n    command: {}\n"


def files(port: int, **more: str) -> dict[str, str]:
    return {name: text.replace("{port}", str(port)) for name, text in (DOCKERFILE | more).items()}


def lines(box: Any) -> list[str]:
    """Of the log, without the time of each line."""
    return [line.partition(" [")[2] or line for line in box.log(f"deployments/{NAME}").splitlines()]


def test_success_names_what_ran(box: Any, port: int) -> None:
    noisy = "#!/bin/sh\necho chatter\n"
    more = {".platform/hooks/prebuild/a.sh": noisy, ".ebextensions/a.config": COMMANDS.format("echo chatter")}
    answer = box.deploy(files(port, **more), deployment_log=NAME)
    assert answer.status == "SUCCESS", box.log()
    assert lines(box) == [
        "INFO] Starting Application deployment",
        "INFO] Running platform hook: .platform/hooks/prebuild/a.sh",
        "INFO] Command 01_seed succeeded",
        "INFO] Completed Application deployment",
    ]


@pytest.mark.parametrize(
    ("more", "step", "last"),
    [
        (
            {".platform/hooks/predeploy/b.sh": "#!/bin/sh\nexec 2>&1\nseq 1 80\necho oops >&2\nexit 3\n"},
            "RunAppDeployPreDeployHooks",
            "oops",
        ),
        ({".ebextensions/a.config": COMMANDS.format("seq 1 80; exit 4")}, "PostBuildEbExtension", "code 4"),
        ({"broken": ""}, "Docker Specific Build Application", "no such base"),
    ],
)
def test_failure_shows_the_end_of_the_output(box: Any, port: int, more: dict[str, str], step: str, last: str) -> None:
    answer = box.deploy(files(port, **more), deployment_log=NAME)
    assert answer.status == "FAILURE"
    found = lines(box)
    shown = found[found.index(f"ERROR] {step} failed") + 1 : -1]
    assert 0 < len(shown) <= 50
    assert last in "\n".join(shown)
    assert found[-1] == "ERROR] Application deployment failed"
    assert not any(line.startswith("INFO] Completed") for line in found)


def test_a_log_tells_of_its_own_command_only(box: Any, port: int) -> None:
    box.deploy(files(port, **{".platform/hooks/prebuild/a.sh": "#!/bin/sh\n"}), deployment_log="eb-deployment-old.log")
    box.run("restart-app-server", deployment_log=NAME)
    assert lines(box) == ["INFO] Starting Restart app server", "INFO] Completed Restart app server"]


def test_fifty_logs_are_kept(box: Any, port: int) -> None:
    folder = box.root / "var/log/deployments"
    folder.mkdir(parents=True)
    for number in range(55):
        (folder / f"old-{number}.log").write_text("")
    box.deploy(files(port), deployment_log=NAME)
    assert len(list(folder.iterdir())) == 50
    assert (folder / NAME).exists()


def test_amazon_linux_ami_has_none(make_box: Any, tmp_path: Any, port: int) -> None:
    old = make_box(tmp_path / "al1", "al1")
    old.deploy(files(port), deployment_log=NAME)
    assert not (old.root / "var/log/deployments").exists()
