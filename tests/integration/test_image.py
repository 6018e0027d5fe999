# SPDX-License-Identifier: GPL-3.0-or-later
"""The role image against a real registry and with real engines: built and pushed once, and the servers answer."""

from __future__ import annotations

import contextlib
import re
import time

import pytest

from .images import (
    DEBIAN,
    LIMITS,
    WSGI,
    Application,
    application,
    bare,
    cleaned,
    debian,
    docker,
    engine,
    free_port,
    locked,
    page,
    parent,
    registry,
)

__all__ = ["application", "bare", "cleaned", "debian", "docker", "parent", "registry"]
pytestmark = pytest.mark.containers


def test_built_and_pushed_once(application: Application) -> None:
    first = application.play()
    assert first.rc == 0, first.output
    assert "Push the base image" in first.output
    tag = application.said["reference"].rpartition(":")[2]
    assert application.tags() == [tag]

    # Another machine, which never built it, takes the registry's word.
    engine("rmi", "--force", application.said["reference"])
    again = application.play()
    assert again.rc == 0, again.output
    assert again.count("changed") == 0
    assert engine("images", "--quiet", application.said["reference"]) == ""

    # The instance pulls what was pushed, and installs nothing.
    assert "pip" not in application.overlay["Dockerfile"]
    assert '"--workers=2"' in application.overlay["Dockerfile"]
    assert application.answer() == "hello from 8000"


def test_base_mode_provides_the_base_image_only(application: Application) -> None:
    run = application.play(image_mode="base")
    assert run.rc == 0, run.output
    assert list(application.overlay) == [".dockerignore"]
    assert "gunicorn" in engine("run", "--rm", *LIMITS, application.said["reference"], "ls", "/opt/venv/bin")


def test_dev_mode_installs_the_group_dev_and_copies_the_source(application: Application) -> None:
    run = application.play(image_mode="dev")
    assert run.rc == 2
    assert "There is no requirements-dev.txt for the group 'dev'." in run.output
    (application.root / "requirements-dev.txt").write_text(locked("sqlparse"))
    run = application.play(image_mode="dev")
    assert run.rc == 0, run.output
    assert '"--workers=1"' in application.overlay["Dockerfile"]
    assert '"--reload"' in application.overlay["Dockerfile"]
    assert "sqlformat" in engine("run", "--rm", *LIMITS, application.said["reference"], "ls", "/opt/venv/bin")
    assert application.answer() == "hello from 8000"


def serves_the_mounted_source(application: Application, **variables: object) -> None:
    run = application.play(image_mode="local", image_groups=[], **variables)
    assert run.rc == 0, run.output
    with application.running(f"--volume={application.root}:/srv/app") as url:
        said = page(url)
        deadline = time.monotonic() + 60
        while said != "changed from 8000":
            assert time.monotonic() < deadline, f"the server does not see the change: {said}"
            if said == "hello from 8000":
                # Again and again: uWSGI takes for the first state what it sees two seconds after its start.
                (application.root / "shop.py").write_text(WSGI % "changed")
            said = "no answer"
            time.sleep(0.1)
            with contextlib.suppress(OSError):  # while it starts again
                said = page(url)


def test_local_mode_serves_the_mounted_source_and_sees_changes(application: Application) -> None:
    serves_the_mounted_source(application)
    assert "COPY" not in application.overlay["Dockerfile"]


@pytest.mark.slow  # installs system packages
def test_local_mode_with_nginx_and_uwsgi(application: Application) -> None:
    serves_the_mounted_source(application, image_server="nginx_uwsgi")


@pytest.mark.slow  # installs system packages
def test_nginx_and_uwsgi_on_plain_debian(application: Application) -> None:
    static = application.root / "static"
    static.mkdir()
    (static / "style.css").write_text("body {}")
    run = application.play(image_server="nginx_uwsgi", image_static={"/static/": "/srv/app/static/"}, **DEBIAN)
    assert run.rc == 0, run.output
    with application.running() as url:
        assert page(url) == "hello from 8000"
        assert page(f"{url}static/style.css") == "body {}"


def test_only_what_goes_into_the_base_image_makes_a_new_tag(bare: Application) -> None:
    given = {"image_name": "counted", "image_render": []}
    assert bare.play(**given).rc == 0
    (bare.root / "shop.py").write_text("# Not in the base image.\n")
    requirements = bare.root / "requirements.txt"
    requirements.write_text("# A comment does not count.\n" + requirements.read_text())
    assert bare.play(**given).count("changed") == 0
    assert len(bare.tags("counted")) == 1
    requirements.write_text(requirements.read_text() + locked("sqlparse"))
    assert bare.play(**given).rc == 0
    assert len(bare.tags("counted")) == 2


@pytest.mark.slow
def test_own_files_are_used_as_they_are(bare: Application) -> None:
    before = {path.name: path.read_bytes() for path in bare.root.iterdir()}
    run = bare.play(image_render=[])
    assert run.rc == 0, run.output
    assert {path.name: path.read_bytes() for path in bare.root.iterdir()} == before
    written = before["Dockerfile"].decode().replace("ARG BASE_IMAGE", f"ARG BASE_IMAGE={bare.said['reference']}")
    assert bare.overlay == {"Dockerfile": written}
    assert "installs requirements" not in run.output


@pytest.mark.slow
def test_a_base_image_that_cannot_be_built(application: Application) -> None:
    wrong = (application.root / "requirements.txt").read_text().replace("==", "==0.0.")
    (application.root / "requirements.txt").write_text(wrong)
    run = application.play(image_registry="")
    assert run.rc == 2
    assert "podman could not build the base image shop-base:" in run.output
    assert "No matching distribution found for gunicorn" in run.output
    assert "\\n" not in run.output, "each line of the engine's is one"


def test_a_registry_that_does_not_answer(bare: Application) -> None:
    run = bare.play(image_registry=f"127.0.0.1:{free_port()}/team")
    assert run.rc == 2
    assert "podman cannot ask the registry about 127.0.0.1:" in run.output
    assert "connection refused" in run.output


def test_requirements_that_would_be_installed_twice(bare: Application) -> None:
    base, own = bare.root / "Dockerfile.base", bare.root / "Dockerfile"
    base.write_text(base.read_text() + "RUN pip install -r /tmp/requirements.txt\n")
    own.write_text(own.read_text() + "RUN pip install -r requirements.txt\n")
    run = bare.play("--check", image_render=[])
    assert run.rc == 0, run.output
    sentence = "Dockerfile line 5 installs requirements that the base image has already (Dockerfile.base)"
    assert sentence in re.sub(r"\s+", " ", run.output)


def test_docker_builds_and_pushes_once(bare: Application, docker: dict[str, str]) -> None:
    bare.environ.update(docker)
    given = {"image_engine": "docker", "image_engine_options": [], "image_render": [], "image_name": "by-docker"}
    first = bare.play(**given, image_ca_file="")
    assert first.rc == 0, first.output
    assert "Push the base image" in first.output
    assert bare.said["reference"] == f"{bare.registry}/team/by-docker:{bare.tags('by-docker')[0]}"
    engine("rmi", "--force", bare.said["reference"])
    again = bare.play(**given, image_ca_file="")
    assert again.rc == 0, again.output
    assert again.count("changed") == 0
    refused = bare.play(**given, image_ca_file="/etc/ssl/certs/ca-certificates.crt")
    assert refused.rc == 2
    assert "image_ca_file needs image_engine: podman" in refused.output
