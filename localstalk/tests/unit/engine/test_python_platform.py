# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of the Python platform in a make-believe instance (docs/elastic_beanstalk.md §6.1)."""

from __future__ import annotations

import os
import stat
from typing import Any

import pytest

from localstalk.engine import getconfig, processes, proclog
from localstalk.engine.platforms import kind
from localstalk.engine.request import Instance

BRANCH = "Python 3.11 running on 64bit Amazon Linux 2023"
VENV = "/var/app/venv/staging-LQM1lest"
REQUIREMENTS = {"requirements.txt": "asgiref\n"}
OPTIONS = "aws:elasticbeanstalk:container:python"
STATIC_FILES = "aws:elasticbeanstalk:environment:proxy:staticfiles"

# Says that the process runs: as the process of these tests, which does not end.
RUNSV = """#!/bin/bash
echo "$(basename "$1")" >> "{root}/runsv.calls"
[ ! -e "$1/../../../broken" ] || exit 0
echo {pid} > "{root}/var/pids/$(basename "$1").pid"
"""
TOOL = """#!/bin/bash
echo "$(basename "$0") $* in $PWD for $PIP_INDEX_URL" >> "{root}/tool.calls"
if grep -qs impossible requirements.txt; then
  echo "ERROR: No matching distribution found for impossible" >&2
  exit 1
fi
"""


@pytest.fixture
def python(box: Any, port: int, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The instance of the other tests, as one of the Python platform whose application answers."""
    monkeypatch.setattr(processes, "START_SECONDS", 1.0)
    monkeypatch.setattr(processes, "SETTLE_SECONDS", 0.05)
    box.instance = Instance("i-1", "e-abc", "blog-1", "blog", "us-east-1", "al2023", BRANCH)
    box.script("usr/bin/runsv", RUNSV.format(root=box.root, pid=os.getpid()))
    for name in ("pip", "pipenv"):
        box.script(f"{VENV[1:]}/bin/{name}", TOOL.format(root=box.root))
    for name in ("chown", "sv"):
        box.script(f"usr/bin/{name}", f'#!/bin/sh\necho "$*" >> "{box.root}/{name}.calls"\n')
    box.port = {"PORT": str(port)}
    return box


def service(box: Any, name: str = "web") -> str:
    return (box.root / "run/eb-app" / name / "run").read_text()


def test_instructions_come_in_order(python: Any) -> None:
    answer = python.deploy(REQUIREMENTS, properties=python.port)
    assert answer.status == "SUCCESS", python.log()
    assert python.instructions() == [
        "ElectLeader",
        "stopSqsd",
        "PreBuildEbExtension",
        "StageApplication",
        "RunAppDeployPreBuildHooks",
        "InstallDependency",
        "CheckProcfileForPythonApplication",
        "configure proxy Nginx",
        "PostBuildEbExtension",
        "CleanEbExtensions",
        "RunAppDeployPreDeployHooks",
        "stop X-Ray",
        "stop proxy",
        "FlipApplication",
        "start X-Ray",
        "start proxy with new configuration",
        "configureSqsd",
        "startSqsd",
        "Track pids in healthd",
        "RunAppDeployPostDeployHooks",
    ]
    assert python.calls("docker") == []
    assert python.calls("chown") == [f"-R webapp:webapp {python.layout.staging}"]


@pytest.mark.parametrize(
    ("files", "command", "line"),
    [
        (
            ["requirements.txt", "Pipfile", "Pipfile.lock"],
            "pip install -r requirements.txt",
            "requirements.txt by using Pip",
        ),
        (["Pipfile", "Pipfile.lock"], "pipenv sync", "Pipfile.lock by using Pipenv"),
        (["Pipfile"], "pipenv install --skip-lock", "Pipfile by using Pipenv"),
    ],
)
def test_first_dependency_file_counts(python: Any, files: list[str], command: str, line: str) -> None:
    python.script("etc/pip.conf", "[global]\nindex-url = https://index.example/simple\n")
    python.deploy(dict.fromkeys(files, ""), properties=python.port)
    where = f"in {python.layout.staging} for https://index.example/simple"
    assert python.calls("tool") == [f"{command} {where}"]
    assert f"[INFO] Installing dependencies with {line}\n" in python.log()
    assert f"[INFO] Running command: {VENV}/bin/{command}\n" in python.log()


def test_no_dependency_file_installs_nothing(python: Any) -> None:
    assert python.deploy({"application.py": ""}, properties=python.port).status == "SUCCESS"
    assert python.calls("tool") == []


# A log of March 2026 (docs/elastic_beanstalk.md §6.1).
def test_failing_requirement(python: Any) -> None:
    assert python.deploy(REQUIREMENTS, properties=python.port).status == "SUCCESS"
    answer = python.deploy({"requirements.txt": "impossible\n", "new": ""}, properties=python.port)
    assert (answer.status, answer.message) == ("FAILURE", "Engine execution has encountered an error.")
    assert [event.message for event in answer.events] == [
        "Instance deployment failed to install application dependencies. The deployment failed.",
        "Instance deployment failed. For details, see 'eb-engine.log'.",
    ]
    assert (
        "[ERROR] An error occurred during execution of command [app-deploy] - [InstallDependency]. Stop running the "
        "command. Error: fail to install dependencies with requirements.txt file with error Command "
        f"{VENV}/bin/pip install -r requirements.txt failed with error exit status 1. "
        "Stderr:ERROR: No matching distribution found for impossible"
    ) in python.log()
    assert not (python.layout.current / "new").exists()
    assert python.calls("runsv") == ["web"], "the old process runs on"


@pytest.mark.parametrize(
    ("files", "options", "command", "event"),
    [
        (
            {},
            {},
            "gunicorn --bind 127.0.0.1:8000 --workers=1 --threads=15 application",
            "Instance deployment successfully generated a 'Procfile'.",
        ),
        (
            {},
            {"WSGIPath": "config.wsgi:application", "NumProcesses": "3", "NumThreads": "20"},
            "gunicorn --bind 127.0.0.1:8000 --workers=3 --threads=20 config.wsgi:application",
            "Instance deployment successfully generated a 'Procfile'.",
        ),
        (
            {"Procfile": "web: uwsgi --http :8000 --wsgi-file app.py\n\n"},
            {"WSGIPath": "config.wsgi"},
            "uwsgi --http :8000 --wsgi-file app.py",
            "Instance deployment used the commands in your 'Procfile' to initiate startup of your application.",
        ),
    ],
)
def test_start_command(python: Any, files: dict[str, str], options: dict[str, str], command: str, event: str) -> None:
    answer = python.deploy({**files, "application.py": ""}, properties=python.port, options={OPTIONS: options})
    assert f"/bin/sh -c '{command}'\n" in service(python)
    assert [each.message for each in answer.events] == [event, "Instance deployment completed successfully."]


def test_every_line_of_the_procfile_is_a_process(python: Any) -> None:
    python.deploy({"Procfile": "web: serve $PORT\nworker-1:   work 'a b'\n"}, properties=python.port)
    assert "/bin/sh -c 'serve $PORT'\n" in service(python)
    assert """/bin/sh -c 'work '"'"'a b'"'"''\n""" in service(python, "worker-1")
    assert sorted(python.calls("runsv")) == ["web", "worker-1"]


def test_line_that_is_none_fails_before_anything_stops(python: Any) -> None:
    answer = python.deploy({"Procfile": "web: serve\n# later\n"}, properties=python.port)
    assert answer.status == "FAILURE"
    assert "Error: Procfile is invalid: the line '# later' is not of the form 'name: command'" in python.log()
    assert python.calls("runsv") == []


def test_process_that_ends_fails_the_deployment(python: Any) -> None:
    (python.root / "broken").touch()
    answer = python.deploy({"application.py": ""}, properties=python.port)
    assert answer.status == "FAILURE"
    assert (
        "[Track pids in healthd]. Stop running the command. Error: update processes [web cfn-hup nginx healthd] pid "
        "symlinks failed with error failed to read file /var/pids/web.pid after 6 attempts"
    ) in python.log()


def test_processes_see_the_properties_and_nobody_else_does(python: Any) -> None:
    properties = {"SECRET": "s3cret", "LINES": "one-s3cret\ntwo", "EMPTY": "", "../no/variable": "x", **python.port}
    assert python.deploy({"application.py": ""}, properties=properties).status == "SUCCESS", python.log()
    folder = python.root / "run/eb-app/web/env"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    values = {path.name: path.read_bytes()[:-1].replace(b"\0", b"\n").decode() for path in folder.iterdir()}
    assert values["SECRET"] == "s3cret"
    assert values["EMPTY"] == ""
    assert not (folder.parent / "no").exists()
    assert values["LINES"] == "one-s3cret\ntwo"
    assert values["PYTHONPATH"] == f"{VENV}/bin"
    assert values["PATH"].startswith(f"{python.root}{VENV}/bin:")
    environment = python.layout.opt / "deployment/env"
    assert stat.S_IMODE(environment.stat().st_mode) == 0o600
    assert "SECRET=s3cret\n" in environment.read_text()
    for text in (python.log(), "\n".join(python.calls("runsv")), service(python)):
        assert "s3cret" not in text


def test_commands_and_hooks_see_the_python_path_and_the_port(python: Any) -> None:
    seen = python.root / "seen"
    say = f"echo $PYTHONPATH $PORT $PWD >> {seen}"
    files = {
        ".ebextensions/a.config": f"container_commands: {{a: {{command: '{say}'}}}}\n",
        ".platform/hooks/predeploy/a.sh": f"#!/bin/bash\n{say}\n",
    }
    assert python.deploy(files, properties=python.port).status == "SUCCESS", python.log()
    line = f"{VENV}/bin {python.port['PORT']} {python.layout.staging}"
    assert seen.read_text().splitlines() == [line, line]


def test_nginx_serves_static_files_and_passes_on_the_rest(python: Any) -> None:
    options = {STATIC_FILES: {"/static": "static_root", "/images": "assets/images"}}
    python.deploy({"application.py": ""}, properties=python.port, options=options)
    generated = python.root / "etc/nginx/conf.d/elasticbeanstalk"
    assert (
        f"proxy_pass          http://127.0.0.1:{python.port['PORT']};"
        in (generated / "00_application.conf").read_text()
    )
    static = (generated / "01_static.conf").read_text()
    assert "location /images {\n    alias /var/app/current/assets/images;\n" in static
    assert "location /static {\n    alias /var/app/current/static_root;\n" in static

    assert python.run("config-deploy", properties=python.port).status == "SUCCESS", python.log()
    assert not (generated / "01_static.conf").exists()
    assert [call.split()[2] for call in python.calls("sv")] == ["force-shutdown"]
    assert python.calls("runsv") == ["web", "web"]


def test_another_proxy_server_is_refused(python: Any) -> None:
    options = {"aws:elasticbeanstalk:environment:proxy": {"ProxyServer": "apache"}}
    assert python.deploy({"application.py": ""}, options=options).status == "FAILURE"
    assert "This local instance has nginx only" in python.log()


def test_deployment_log_shows_what_the_process_printed(python: Any) -> None:
    log = python.layout.log / "web.stdout.log"
    log.write_text("of the version before\n")
    python.script("usr/bin/runsv", RUNSV.format(root=python.root, pid=os.getpid()) + f"echo started >> {log}\n")
    python.deploy({"application.py": ""}, properties=python.port, deployment_log="eb-deployment-1.log")
    lines = python.log("deployments/eb-deployment-1.log").splitlines()
    assert [line.partition("] ")[2] or line for line in lines] == [
        "Starting Application deployment",
        "started",
        "Completed Application deployment",
    ]


def test_get_config_names_the_platform(python: Any, capsys: pytest.CaptureFixture[str]) -> None:
    python.deploy({"application.py": ""}, properties=python.port)
    for key, wanted in (("PlatformName", "Python 3.11"), ("GenericName", "python"), ("AppUser", "webapp")):
        assert getconfig.main(["platformconfig", "-k", key], python.root) == 0
        assert capsys.readouterr().out == wanted


def test_lines_of_a_process_carry_its_name_and_pid(python: Any) -> None:
    (python.root / "var/pids").mkdir()
    (python.root / "var/pids/web.pid").write_text("2013\n")
    proclog.record(python.layout, "web", [b"hello\n", b"\xff\r\n"])
    first, second = python.log("web.stdout.log").splitlines()
    assert first.endswith(" web[2013]: hello")
    assert second.endswith(" web[2013]: \N{REPLACEMENT CHARACTER}")


@pytest.mark.parametrize(
    ("branch", "generation", "wanted"),
    [
        ("Docker running on 64bit Amazon Linux", "al1", "docker"),
        ("Docker running on 64bit Amazon Linux 2", "al2", "docker"),
        ("Python 3.14 running on 64bit Amazon Linux 2023", "al2023", "python"),
        ("Python 3.8 running on 64bit Amazon Linux 2", "al2", None),
        ("ECS running on 64bit Amazon Linux 2023", "al2023", None),
        ("Multi-container Docker running on 64bit Amazon Linux", "al1", None),
        ("Node.js 22 running on 64bit Amazon Linux 2023", "al2023", None),
    ],
)
def test_what_the_engine_can_be(branch: str, generation: str, wanted: str | None) -> None:
    assert kind(branch, generation) == wanted
