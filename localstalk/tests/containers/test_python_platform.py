# SPDX-License-Identifier: GPL-3.0-or-later
"""One real instance of the Python platform: requirements from the index, gunicorn, nginx, hooks, logs."""

from __future__ import annotations

import io
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from localstalk.driver import Command, CommandResult, InstanceSpec
from localstalk.drivers.container import ContainerDriver, clean
from localstalk.drivers.container.cleaning import label
from localstalk.model.bundles import sample

pytestmark = pytest.mark.containers

BRANCH = "Python 3.11 running on 64bit Amazon Linux 2023"
INSTANCE = "i-00000000000000001"
SPEC = InstanceSpec(INSTANCE, "e-python", "blog-1", "blog", "us-east-1", "al2023", "123456789012", branch=BRANCH)
# The guide's way to reach the application's packages in a command ("Deploying a Django application").
ACTIVATE = "source /var/app/venv/*/bin/activate"
APPLICATION = {
    "application.py": """
import os
import sys

def application(environ, start_response):
    import asgiref
    start_response("200 OK", [("Content-Type", "text/plain")])
    print("asked for", environ["PATH_INFO"], flush=True)
    return [f"{os.environ['GREETING']} {sys.prefix} {os.getcwd()} {os.geteuid() != 0}".encode()]
""",
    "requirements.txt": "asgiref\n",
    "assets/style.css": "body {}\n",
    ".ebextensions/site.config": f"""
container_commands:
  01_packages: {{command: "{ACTIVATE} && python -c 'import asgiref' && echo $PWD $GREETING"}}
  02_leader: {{command: "touch /tmp/leader", leader_only: true}}
""",
    ".platform/hooks/postdeploy/owner.sh": "#!/bin/bash\nstat -c %U application.py\n",
}
OPTIONS = {"aws:elasticbeanstalk:environment:proxy:staticfiles": {"/static": "assets"}}


class Box:
    """The driver and its one instance."""

    def __init__(self, driver: ContainerDriver, folder: Path) -> None:
        self.driver = driver
        self.folder = folder
        self.address = driver.launch(SPEC).private_ip

    def run(self, name: str, files: dict[str, str] | None = None, greeting: str = "hello") -> CommandResult:
        path = None
        if files is not None:
            path = self.folder / f"{uuid.uuid4().hex}.zip"
            with zipfile.ZipFile(path, "w") as archive:
                for each, text in files.items():
                    archive.writestr(each, text)
        properties = {"GREETING": greeting}
        key = "bucket-123456789012/app/v1"
        command = Command(name, uuid.uuid4().hex, 1, "v1", 300.0, path, key, properties, OPTIONS)  # type: ignore[arg-type]
        return self.driver.run(INSTANCE, command)

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""

    def shell(self, script: str) -> str:
        done = self.driver.shell(INSTANCE, script, 60.0)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def logs(self) -> str:
        return self.run("tail-log").output


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    home = tmp_path_factory.mktemp("home")
    runtime = Path("/run/localstalk") / f"test-{label(home)}"
    driver = ContainerDriver(home, runtime, 50.0)
    try:
        yield Box(driver, tmp_path_factory.mktemp("bundles"))
    finally:
        driver.close()
        clean(home, runtime)
        runtime.rmdir()


def test_sample_application_runs(box: Box) -> None:
    with zipfile.ZipFile(io.BytesIO(sample())) as archive:
        files = {name: archive.read(name).decode() for name in archive.namelist()}
    assert box.run("app-deploy", files).status == "SUCCESS", box.logs()
    assert box.get("/") == (200, "<h1>Elastic Beanstalk sample application</h1>\n")


@pytest.fixture(scope="module")
def deployed(box: Box) -> CommandResult:
    return box.run("app-deploy", APPLICATION)


def test_application_runs_in_its_virtual_environment_as_webapp(box: Box, deployed: CommandResult) -> None:
    assert deployed.status == "SUCCESS", box.logs()
    assert [event.message for event in deployed.events] == [
        "Instance deployment successfully generated a 'Procfile'.",
        "Instance deployment completed successfully.",
    ]
    assert box.get("/anything") == (200, "hello /var/app/venv/staging-LQM1lest /var/app/current True")
    assert box.shell("stat -c %U /var/app/current/application.py") == "webapp\n"
    assert "web[" in box.shell("grep 'asked for /anything' /var/log/web.stdout.log")


def test_commands_find_the_packages_in_staging(box: Box, deployed: CommandResult) -> None:
    assert "\t/var/app/staging hello\n" in box.shell("cat /var/log/cfn-init-cmd.log")
    assert deployed.leader is True
    box.shell("test -e /tmp/leader")


def test_nginx_serves_the_static_files(box: Box, deployed: CommandResult) -> None:
    assert box.get("/static/style.css") == (200, "body {}\n")
    assert box.get("/static/none.css")[0] == 404


def test_logs_have_the_application_s_output(box: Box, deployed: CommandResult) -> None:
    text = box.logs()
    assert text.startswith(f"{'-' * 40}\n/var/log/web.stdout.log\n")
    archive = box.run("bundle-log").archive
    assert archive is not None
    with zipfile.ZipFile(io.BytesIO(archive)) as content:
        assert "var/log/web.stdout.log" in content.namelist()


def test_properties_change_and_a_process_that_dies_comes_back(box: Box, deployed: CommandResult) -> None:
    assert box.run("config-deploy", greeting="moon").status == "SUCCESS", box.logs()
    assert box.get("/")[1].startswith("moon ")
    # As long as it takes runit: a second at most.
    box.shell(
        "pid=$(cat /var/pids/web.pid); kill $pid; until [ $(cat /var/pids/web.pid || echo $pid) != $pid ]; do :; done"
    )
    box.shell("until curl -sf localhost | grep moon; do sleep 0.1; done")
    assert box.run("restart-app-server", greeting="moon").status == "SUCCESS", box.logs()
    assert box.get("/")[1].startswith("moon ")
    box.shell("systemctl restart web.service && systemctl is-active web")


def test_every_process_of_a_command_ends_with_it(box: Box, deployed: CommandResult) -> None:
    server = "gunicorn --bind 127.0.0.1:8000 application"
    # The shell stays beside what it starts, and the last one does not listen to SIGTERM.
    procfile = f"web: (trap '' TERM; exec sleep 1000) & cd assets/.. && {server}; true\n"
    assert box.run("app-deploy", {**APPLICATION, "Procfile": procfile}, "first").status == "SUCCESS", box.logs()
    assert box.get("/")[1].startswith("first ")
    assert box.run("app-deploy", APPLICATION, "moon").status == "SUCCESS", box.logs()
    assert box.get("/")[1].startswith("moon ")
    assert box.shell("pgrep -u webapp -f 'sleep 1000' || echo none") == "none\n"


# Text and events: a log of March 2026, docs/elastic_beanstalk.md §6.1.
def test_requirement_that_does_not_exist_leaves_the_old_application(box: Box, deployed: CommandResult) -> None:
    failed = box.run("app-deploy", {**APPLICATION, "requirements.txt": "asgiref==0.0.0.dev0\n"}, "never")
    assert failed.status == "FAILURE"
    assert [event.message for event in failed.events] == [
        "Instance deployment failed to install application dependencies. The deployment failed.",
        "Instance deployment failed. For details, see 'eb-engine.log'.",
    ]
    log = box.shell("cat /var/log/eb-engine.log")
    assert (
        "[app-deploy] - [InstallDependency]. Stop running the command. Error: fail to install dependencies with "
        "requirements.txt file with error Command /var/app/venv/staging-LQM1lest/bin/pip install -r requirements.txt "
        "failed with error exit status 1. Stderr:ERROR: Could not find a version that satisfies the requirement "
        "asgiref==0.0.0.dev0"
    ) in log
    assert box.get("/")[1].startswith("moon ")


def test_process_that_ends_at_once_fails_the_deployment(box: Box, deployed: CommandResult) -> None:
    failed = box.run("app-deploy", {**APPLICATION, "Procfile": "web: exit 3\n"})
    assert failed.status == "FAILURE"
    assert failed.events[0].message == (
        "Instance deployment used the commands in your 'Procfile' to initiate startup of your application."
    )
    assert "pid symlinks failed with error failed to read file /var/pids/web.pid" in box.logs()
    # As systemd, runit is told to give up after five quick starts.
    box.shell("until sv status /run/eb-app/web | grep ^down; do sleep 0.2; done")


def test_pipfile_is_installed_by_pipenv(box: Box, deployed: CommandResult) -> None:
    files = {name: text for name, text in APPLICATION.items() if name != "requirements.txt"}
    result = box.run("app-deploy", {**files, "Pipfile": '[packages]\nsqlparse = "*"\n'})
    assert result.status == "SUCCESS", box.logs()
    assert box.shell("/var/app/venv/*/bin/python -c 'import sqlparse; print(sqlparse.__name__)'") == "sqlparse\n"
