# SPDX-License-Identifier: GPL-3.0-or-later
"""The guide to the first deployment, word for word: projects as their frameworks make them, and a page at once.

What the guide says to write is read from the guide (blocks that a comment ``first: FRAMEWORK FILE`` marks), and nothing
else is changed. Base images are made on this machine, with one of its Pythons, under the names that Dockerfiles have.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from localstalk import images

from .conftest import BIN, ROOT, Localstalk, Project, Run, export
from .images import engine
from .minimal import git

pytestmark = [pytest.mark.containers, pytest.mark.slow]

GUIDE = (ROOT / "docs/guides/first_deployment.rst").read_text()
BLOCK = re.compile(r"^\.\. first: (\w+) (\S+)\n\.\. code-block:: \w+\n\n((?:   .*\n|\n)+)", re.MULTILINE)
VARIABLES = "group_vars/all/main.yml"
REQUIREMENTS = ("Django~=6.1.0", "wagtail~=8.0.0")
PACKAGES = (
    *("ca-certificates", "libssl3", "libsqlite3-0", "libffi8", "libbz2-1.0", "liblzma5", "libreadline8", "zlib1g"),
    # Of Wagtail's Dockerfile, so that instances need not fetch them.
    *("build-essential", "libpq-dev", "libmariadb-dev", "libjpeg62-turbo-dev", "zlib1g-dev", "libwebp-dev"),
)
PARENT = f"""\
FROM debian:bookworm-slim
RUN apt-get update && apt-get install --yes --no-install-recommends {" ".join(PACKAGES)}
COPY . /usr/local/
RUN ldconfig && python3 -m ensurepip && ln -sf python3 /usr/local/bin/python \\
 && printf '#!/bin/sh\\nexec python3 -m pip "$@"\\n' >/usr/local/bin/pip && chmod 755 /usr/local/bin/pip
"""
IGNORED = "**/__pycache__\n**/*.a\nlib/python3*/test\nlib/python3*/site-packages/*\n"
FASTAPI = """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def root():
    return {"message": "Hello World"}
"""
"""The first application of FastAPI's tutorial."""


def said(framework: str) -> dict[str, str]:
    """What the guide says to write for a framework, by file."""
    found: dict[str, str] = {}
    for name, file, text in BLOCK.findall(GUIDE):
        if name == framework:
            found[file] = re.sub(r"^   ", "", text.rstrip() + "\n", flags=re.MULTILINE)
    assert found, framework
    return found


@pytest.fixture(scope="module")
def python() -> Path:
    """The folder of an interpreter that today's Django runs on."""
    root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=False).stdout.strip()
    found = sorted(Path(root, "versions").glob("3.1[2-9].*")) if root else []
    if not found:
        pytest.skip("this machine has no Python 3.12 or newer of pyenv, from which a base image could be made")
    return found[-1]


@pytest.fixture(scope="module")
def commands(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with django-admin and wagtail."""
    folder = tmp_path_factory.mktemp("frameworks") / "venv"
    for words in (
        ("venv", "--python", str(python / "bin" / "python"), str(folder)),
        ("pip", "install", "--python", str(folder / "bin" / "python"), *REQUIREMENTS),
    ):
        subprocess.run([BIN / "uv", *words], check=True, capture_output=True, timeout=300)
    return folder / "bin"


@pytest.fixture(scope="module")
def parent(python: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A stand-in for the images python:…-slim; it stays on the machine, under its hash."""
    images.Builder(tmp_path_factory.mktemp("images")).ensure("instance")  # and Debian with it
    name = f"localhost/test-python:{hashlib.sha256(f'{PARENT}{IGNORED}{python}'.encode()).hexdigest()[:16]}"
    if not engine("images", "--quiet", name).strip():
        folder = tmp_path_factory.mktemp("parent")
        (folder / "Dockerfile").write_text(PARENT)
        (folder / "ignored").write_text(IGNORED)
        files = ("--file", str(folder / "Dockerfile"), "--ignorefile", str(folder / "ignored"))
        engine("build", "--network=host", "--tag", name, *files, str(python))
    return name


@dataclass(frozen=True)
class First:
    """A checkout with the copied inventory, and beside it the project ``mysite``."""

    project: Project
    site: Path
    commands: Path

    def make(self, framework: str) -> None:
        """The project as its framework makes it, and then what the guide says."""
        self.site.mkdir()
        if framework == "fastapi":
            (self.site / "main.py").write_text(FASTAPI)
            (self.site / "requirements.txt").write_text("fastapi[standard]\n")
        else:
            words = {"django": ["django-admin", "startproject"], "wagtail": ["wagtail", "start"]}[framework]
            made = [self.commands / words[0], *words[1:], "mysite", "."]
            subprocess.run(made, cwd=self.site, check=True, capture_output=True, timeout=60)
        for file, text in said(framework).items():
            if file != VARIABLES:
                self.write(framework, file, text)
        if framework == "wagtail":
            self.write("django", "mysite/health.py", said("django")["mysite/health.py"])
            self.append("requirements.txt", "whitenoise\n")
            self.replace("Dockerfile", "python manage.py migrate --noinput; ", "")
        git(self.site, "init", "--quiet", "--initial-branch=main")
        git(self.site, "add", "--all")
        git(self.site, "commit", "--quiet", "--message=As it is made")

    def write(self, framework: str, file: str, text: str) -> None:
        """A whole file, or where there is one already, its end."""
        if framework == "wagtail" and file == "Dockerfile":
            self.replace(file, "USER wagtail\n", f"USER wagtail\n{text}")
        else:
            self.append(file, text)

    def append(self, file: str, text: str) -> None:
        """To the end of a file of the project."""
        with (self.site / file).open("a") as opened:
            opened.write(text)

    def replace(self, file: str, old: str, new: str) -> None:
        """One place of a file of the project."""
        text = (self.site / file).read_text()
        assert text.count(old) == 1, text
        (self.site / file).write_text(text.replace(old, new))

    def edit_inventory(self, framework: str) -> None:
        """Copy the example, and give the variables of the guide their values; all other lines stay."""
        inventory = self.project.root / "inventory/first"
        shutil.copytree(self.project.root / "inventory/example", inventory)
        (inventory / "hosts.yml").write_text(said("every")["hosts.yml"])
        text = (inventory / VARIABLES).read_text()
        for block in (said("every"), said("django" if framework == "wagtail" else framework)):
            for part in re.split(r"^(?=\w)", block[VARIABLES], flags=re.MULTILINE)[1:]:
                name = part.partition(":")[0]
                text, found = re.subn(
                    rf"^{name}:.*\n(?:[ #].*\n)*", lambda _old, new=part: new, text, flags=re.MULTILINE
                )
                assert found == 1, name
        if framework == "fastapi":
            assert "``HealthCheckPath: /``" in GUIDE
            text = text.replace("HealthCheckPath: /healthz", "HealthCheckPath: /")
        (inventory / VARIABLES).write_text(text)

    def play(self, playbook: str) -> Run:
        """As the guide does."""
        return self.project.play(playbook, "-i", "inventory/first")

    def page(self, path: str) -> tuple[int, str]:
        """What visitors get, by the CNAME."""
        url = self.project.localstalk.get("/_localstalk/url/mysite-production").strip().rstrip("/")
        host = {"Host": "mysite-production.us-east-1.elasticbeanstalk.com"}
        with urllib.request.urlopen(urllib.request.Request(url + path, headers=host), timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read().decode()


@pytest.fixture
def first(commands: Path, parent: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[First]:
    # For machines behind a proxy that intercepts TLS: pip on the instances trusts what this machine trusts.
    monkeypatch.setenv("LOCALSTALK_BUILD_MOUNTS", "/etc/ssl/certs")
    export(tmp_path / "checkout")
    localstalk = Localstalk(tmp_path / "home" / "localstalk")
    up = localstalk.cli("up", "--driver", "container", "--speed", "20")
    assert up.returncode == 0, up.stderr
    aws = localstalk.aws()
    # Profiles may name an endpoint: the inventory needs to know nothing of localstalk.
    (tmp_path / "config").write_text(
        f"[profile mysite]\nendpoint_url = {aws['AWS_ENDPOINT_URL']}\n"
        f"aws_access_key_id = {aws['AWS_ACCESS_KEY_ID']}\naws_secret_access_key = {aws['AWS_SECRET_ACCESS_KEY']}\n"
    )
    (tmp_path / "config").chmod(0o600)
    localstalk.env["AWS_CONFIG_FILE"] = str(tmp_path / "config")
    yield First(Project(tmp_path / "checkout", localstalk), tmp_path / "mysite", commands)
    down = localstalk.cli("down")
    assert down.returncode == 0, down.stderr
    assert localstalk.leftovers() == []


@pytest.fixture
def named(parent: str) -> Iterator[set[str]]:
    """Names to give the stand-in; they are taken away again, and those of real images stay with these."""
    given: set[str] = set()
    yield given
    for name in given:
        engine("untag", name, name)


def stand_in(dockerfile: str, parent: str, given: set[str]) -> None:
    """Give the stand-in the names that a Dockerfile's FROM lines have."""
    for image in re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE):
        name = image if "." in image.partition("/")[0] else f"docker.io/library/{image}"
        if not engine("images", "--quiet", name).strip():
            engine("tag", parent, name)
            given.add(name)


PAGES = {
    "django": (("/admin/login/", "Django administration"), ("/static/admin/css/base.css", "--header-bg")),
    "wagtail": (("/", "Welcome to your new Wagtail site"), ("/admin/login/", "Sign in")),
    "fastapi": (("/", "Hello World"), ("/docs", "swagger")),
}


@pytest.mark.parametrize("framework", sorted(PAGES))
def test_a_new_project_is_deployed_at_the_first_attempt(
    first: First, parent: str, named: set[str], framework: str
) -> None:
    first.make(framework)
    first.edit_inventory(framework)
    stand_in((first.site / "Dockerfile").read_text(), parent, named)
    looked = first.play("preflight.yml")
    assert looked.rc == 0, looked.output
    deployed = first.play("deploy.yml")
    assert deployed.rc == 0, deployed.output
    for path, text in PAGES[framework]:
        status, page = first.page(path)
        assert (status, text in page) == (200, True), page
    again = first.play("deploy.yml")
    assert (again.rc, again.count("changed")) == (0, 0), again.output


def test_the_guide_edits_variables_that_the_example_has() -> None:
    """Whoever copies it finds each line; nothing is to be added."""
    example = yaml.safe_load((ROOT / "inventory/example" / VARIABLES).read_text())
    for framework in ("every", "django", "fastapi"):
        assert set(yaml.safe_load(said(framework)[VARIABLES])) <= set(example)
