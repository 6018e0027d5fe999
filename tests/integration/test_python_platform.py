# SPDX-License-Identifier: GPL-3.0-or-later
"""The blog without Docker, on the Python platform: deployed by deploy.yml and by the official eb CLI."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from .conftest import ROOT, Project, Run
from .minimal import GIT, Minimal, git, options, report

pytestmark = pytest.mark.containers

EB = ROOT / ".venv-eb" / "bin" / "eb"
PLATFORM = "Python 3.11 running on 64bit Amazon Linux 2023"
NAME, EB_NAME = "pythonblog", "eb-blog"
# As the guide has it ("Deploying a Django application"): commands activate the virtual environment.
SITE = """
option_settings:
  aws:elasticbeanstalk:container:python:
    WSGIPath: config.wsgi:application
  aws:elasticbeanstalk:environment:proxy:staticfiles:
    /static: static_root
container_commands:
  01_migrate:
    command: "source /var/app/venv/*/bin/activate && python manage.py migrate --noinput"
    leader_only: true
"""
COLLECT = """
container_commands:
  02_collectstatic:
    command: "source /var/app/venv/*/bin/activate && python manage.py collectstatic --noinput"
"""
NO_SUCH_VERSION = "asgiref==0.0.0.dev0\n"
NOT_INSTALLED = "Instance deployment failed to install application dependencies. The deployment failed."


def site(folder: Path, **more: str) -> Path:
    """The blog without its Dockerfiles, with the platform's own configuration; ``more`` are further files of it."""
    left_out = shutil.ignore_patterns("Dockerfile*", ".dockerignore", "README.md")
    shutil.copytree(ROOT / "examples" / "blog", folder, ignore=left_out)
    (folder / ".ebextensions").mkdir()
    for name, text in {"site": SITE, **more}.items():
        (folder / ".ebextensions" / f"{name}.config").write_text(text)
    return folder


def properties(project: Project) -> dict[str, str]:
    """Environment properties of the blog, with a database of its own."""
    printed = project.localstalk.cli("database", "python")
    assert printed.returncode == 0, printed.stderr
    database = {f"DATABASE_{name.upper()}": value for name, value in json.loads(printed.stdout).items()}
    user = {"DJANGO_SUPERUSER_USERNAME": "admin", "DJANGO_SUPERUSER_PASSWORD": "not-a-secret"}
    return {"ALLOWED_HOSTS": "*", "DJANGO_SECRET_KEY": "not-a-secret", **user, **database}


def served(project: Project, name: str, path: str = "") -> tuple[str, dict[str, str]]:
    """Body and headers of what a CNAME answers."""
    url = project.localstalk.get(f"/_localstalk/url/{name}").strip()
    with urllib.request.urlopen(url + path, timeout=30) as answer:  # noqa: S310
        return answer.read().decode(), dict(answer.headers)


def assert_static_files_come_from_nginx(project: Project, name: str) -> None:
    body, headers = served(project, name, "static/blog/style.css")
    assert body == (ROOT / "examples/blog/blog/static/blog/style.css").read_text()
    # WhiteNoise, in the application, would say so.
    assert "Access-Control-Allow-Origin" not in headers


@pytest.fixture(scope="module")
def running(project: Project) -> Project:
    """The session's localstalk runs, without the deployment that starts it elsewhere."""
    up = project.localstalk.cli("up", "--speed", "20")
    assert up.returncode == 0, up.stderr
    return project


@pytest.fixture(scope="module")
def blog(running: Project, tmp_path_factory: pytest.TempPathFactory) -> Minimal:
    """The project with an inventory."""
    folder = tmp_path_factory.mktemp("python") / NAME
    hooks = [{"preset": "createsu"}, {"preset": "collectstatic"}]
    releaseinfo = {"name": "releaseinfo", "command": "python manage.py releaseinfo", "on_config_deploy": True}
    variables = {
        "eb_platform": PLATFORM,
        "eb_environment_properties": properties(running),
        "eb_hooks": [*hooks, releaseinfo],
        "eb_option_settings": options(2, Timeout="3600")
        | {"aws:elasticbeanstalk:environment:process:default": {"HealthCheckPath": "/healthz"}},
    }
    return Minimal(running, NAME, site(folder), variables)


@pytest.fixture(scope="module")
def deployed(blog: Minimal) -> Iterator[Run]:
    run = blog.deploy()
    assert run.rc == 0, run.output
    yield run
    blog.terminate()


def test_page_comes_from_the_database_on_every_instance(project: Project, blog: Minimal, deployed: Run) -> None:
    label = blog.environment()["VersionLabel"]
    assert set(blog.instances().values()) == {label}
    pages = [served(project, NAME)[0] for _ in range(10)]
    for page in pages:
        assert f'id="version-label">{label}<' in page
        assert 'id="posts">1<' in page, "the row of the data migration"
        assert 'id="users">1<' in page, "the superuser of the preset createsu"
    seen = {found[1] for page in pages if (found := re.search(r'id="instance-id">(i-[0-9a-f]{17})<', page))}
    assert seen == set(blog.instances())


def test_only_the_leader_migrates(blog: Minimal, deployed: Run) -> None:
    (leader,) = report(deployed)["Leader"]
    ran = {}
    for instance in blog.instances():
        log = blog.shell(instance, "cat /var/log/cfn-init-cmd.log")
        ran[instance] = "Applying blog.0001_initial... OK" in log
    assert ran == {instance: instance == leader for instance in blog.instances()}


def test_hooks_run_in_the_virtual_environment_as_the_application_s_user(blog: Minimal, deployed: Run) -> None:
    for instance in blog.instances():
        owner = blog.shell(instance, "stat -c %U /var/app/current/static_root/blog/style.css /var/app/current/run")
        assert owner.split() == ["webapp", "webapp"]
    assert [line.split()[0] for line in report(deployed)["Hook"]].count("createsu") == 1


def test_exec_runs_in_the_virtual_environment_with_the_properties(blog: Minimal, deployed: Run) -> None:
    script = "import os, sys, django; print('in', sys.prefix, os.environ['DATABASE_NAME'], os.getcwd())"
    command = json.dumps({"exec_command": f'python -c "{script}"', "exec_on": "all"})
    ran = blog.project.play("exec.yml", "-i", str(blog.inventory), "-e", command)
    assert ran.rc == 0, ran.output
    said = dict(re.findall(r"^\[\w+\] (i-[0-9a-f]{17}): in (.*)$", ran.output, re.MULTILINE))
    database = blog.variables["eb_environment_properties"]["DATABASE_NAME"]
    (where,) = set(said.values())
    assert re.fullmatch(rf"/var/app/venv/\S+ {re.escape(database)} /var/app/current", where)
    assert set(said) == set(blog.instances())
    failed = blog.project.play("exec.yml", "-i", str(blog.inventory), "-e", "exec_command='python -m no_such_module'")
    assert failed.rc == 2, failed.output
    assert "No module named no_such_module" in failed.output


def test_nginx_serves_static_files(project: Project, deployed: Run) -> None:
    assert_static_files_come_from_nginx(project, NAME)


def test_again_changes_nothing(blog: Minimal, deployed: Run) -> None:
    again = blog.deploy()
    assert (again.rc, again.count("changed")) == (0, 0), again.output


@pytest.mark.slow
def test_a_requirement_that_does_not_exist_fails_the_deployment(project: Project, blog: Minimal, deployed: Run) -> None:
    before = blog.environment()["VersionLabel"]
    requirements = blog.folder / "requirements.txt"
    good = requirements.read_text()
    requirements.write_text(NO_SUCH_VERSION)
    failed = blog.deploy()
    requirements.write_text(good)
    assert failed.rc == 2, failed.output
    assert NOT_INSTALLED in failed.output
    assert blog.environment()["VersionLabel"] == before
    assert 'id="posts">1<' in served(project, NAME)[0]


@pytest.mark.slow
def test_official_eb_cli(running: Project, tmp_path: Path) -> None:
    folder = site(tmp_path / EB_NAME, static=COLLECT)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    aws = running.localstalk.aws()
    home = {"HOME": str(tmp_path), "TERM": "dumb", "COLUMNS": "200"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}

    def eb(*words: str, rc: int = 0) -> str:
        git(folder, "add", "--all")
        git(folder, "commit", "--quiet", "--allow-empty", "--message", "Deploy")
        done = subprocess.run(
            [EB, *words],
            cwd=folder,
            env=environment | aws | home | GIT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == rc, done.stdout
        return done.stdout

    eb("init", EB_NAME, "--region", aws["AWS_DEFAULT_REGION"], "--platform", PLATFORM)
    (folder / ".ebextensions/patient.config").write_text(
        "option_settings:\n  aws:elasticbeanstalk:command: {Timeout: 3600}\n"
    )
    values = ",".join(f"{name}={value}" for name, value in properties(running).items())
    said = eb("create", EB_NAME, "--cname", EB_NAME, "--single", "--envvars", values, "--timeout", "10")
    assert "Instance deployment successfully generated a 'Procfile'." in said
    assert 'id="posts">1<' in served(running, EB_NAME)[0]
    assert_static_files_come_from_nginx(running, EB_NAME)
    logs = eb("logs")
    assert "/var/log/web.stdout.log" in logs
    assert "Installing dependencies with requirements.txt by using Pip" in logs

    (folder / "requirements.txt").write_text(NO_SUCH_VERSION)
    said = eb("deploy", "--timeout", "10", rc=4)
    assert said.index(NOT_INSTALLED) < said.index("Failed to deploy application.")
    assert 'id="posts">1<' in served(running, EB_NAME)[0]
    eb("terminate", EB_NAME, "--force", "--nohang")
