# SPDX-License-Identifier: GPL-3.0-or-later
"""The role image against a real registry and with real engines: built and pushed once, and the servers answer."""

from __future__ import annotations

import re

import pytest

from .images import WSGI, Application, application, bare, cleaned, docker, engine, free_port, registry

__all__ = ["application", "bare", "cleaned", "docker", "registry"]
pytestmark = pytest.mark.containers


@pytest.mark.slow  # installs system packages
def test_built_and_pushed_once(application: Application) -> None:
    first = application.play()
    assert first.rc == 0, first.output
    assert "Push the base image" in first.output
    tag = application.said["reference"].rpartition(":")[2]
    assert application.tags() == [tag]

    assert application.play().count("changed") == 0
    # Another machine, which never built it, takes the registry's word.
    engine("rmi", "--force", application.said["reference"])
    again = application.play()
    assert again.rc == 0, again.output
    assert again.count("changed") == 0
    assert engine("images", "--quiet", application.said["reference"]) == ""

    # The instance pulls what was pushed, and installs nothing.
    assert "pip" not in {file["path"]: file["content"] for file in application.said["overlay"]}["Dockerfile"]
    assert application.answer() == "hello from 8000"

    (application.root / "shop.py").write_text(WSGI + "\n")
    assert application.play().count("changed") == 0
    assert application.play(ansible_check_mode=False, image_build_args={"FLAVOUR": "1"}).count("changed") > 0
    assert len(application.tags()) == 2


@pytest.mark.slow  # installs system packages
def test_changed_requirements_make_a_new_tag(application: Application) -> None:
    before = application.tags()
    requirements = application.root / "requirements.txt"
    requirements.write_text("# A comment does not count.\n" + requirements.read_text())
    assert application.play().count("changed") == 0
    requirements.write_text(requirements.read_text() + "--prefer-binary\n")
    assert application.play().rc == 0
    assert len(application.tags()) == len(before) + 1


@pytest.mark.slow  # installs system packages
def test_nginx_and_uwsgi_answer(application: Application) -> None:
    run = application.play(image_server="nginx_uwsgi", image_static={"/static/": "/srv/app/static/"})
    assert run.rc == 0, run.output
    files = {file["path"]: file["content"] for file in application.said["overlay"]}
    assert "alias /srv/app/static/;" in files["docker/nginx.conf"]
    assert application.answer() == "hello from 8000"


@pytest.mark.slow  # installs system packages
def test_a_base_image_that_cannot_be_built(application: Application) -> None:
    wrong = (application.root / "requirements.txt").read_text().replace("==", "==0.0.")
    (application.root / "requirements.txt").write_text(wrong)
    run = application.play(image_registry="")
    assert run.rc == 2
    assert "podman could not build the base image shop-base:" in run.output
    assert "No matching distribution found for gunicorn" in run.output


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
