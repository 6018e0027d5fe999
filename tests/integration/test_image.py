# SPDX-License-Identifier: GPL-3.0-or-later
"""The role image against a real registry and with a real engine: built and pushed once, and the servers answer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import BIN, ROOT, Run

pytestmark = [pytest.mark.containers, pytest.mark.slow]

ENGINE = ["podman", "--runtime=runc", "--cgroup-manager=cgroupfs"]
CA_FILE = Path("/etc/ssl/certs/ca-certificates.crt")
WSGI = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("hello from " + environ["SERVER_PORT"]).encode()]
"""
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  roles:
    - role: jack.beanstalk.image
  tasks:
    - ansible.builtin.copy:
        dest: "{{ said }}"
        content: "{{ {'reference': image_base_reference, 'overlay': image_overlay} | to_json }}"
        mode: "0600"
      changed_when: false
"""


def gunicorn_requirements() -> str:
    """gunicorn and what it needs, with the hashes of the blog's own lock file."""
    blocks = (ROOT / "examples/blog/requirements.txt").read_text().split("\n")
    text = "\n".join(blocks)
    start = text.index("gunicorn==")
    block = text[start:].split("\n    # via")[0]
    return block + "\n"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def until_it_answers(url: str, process: subprocess.Popen[bytes], seconds: float = 30) -> str:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
                text: str = answer.read().decode()
                return text
        except OSError:
            assert process.poll() is None, f"{process.args!r} ended"
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.2)


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of an empty registry."""
    folder = tmp_path_factory.mktemp("registry")
    port = free_port()
    (folder / "config.yml").write_text(
        "version: 0.1\nlog: {level: error}\n"
        f"storage: {{filesystem: {{rootdirectory: {folder / 'data'}}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n"
    )
    log = (folder / "log").open("wb")
    process = subprocess.Popen(["docker-registry", "serve", folder / "config.yml"], stdout=log, stderr=log)
    try:
        until_it_answers(f"http://127.0.0.1:{port}/v2/", process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
        log.close()


@dataclass
class Application:
    """A small application, and the role that is run over it."""

    root: Path
    registry: str

    def play(self, **variables: Any) -> Run:
        given = {
            "image_context": str(self.root),
            "image_name": "shop-base",
            "image_registry": f"{self.registry}/team",
            "image_registry_insecure": True,
            "image_render": ["base", "dockerfile", "dockerignore"],
            "image_application": "shop:application",
            "image_engine_options": ENGINE[1:],
            "image_build_options": ["--network=host"],
            "image_ca_file": str(CA_FILE) if CA_FILE.is_file() else "",
            "said": str(self.root.parent / "said.json"),
            "ansible_python_interpreter": sys.executable,
            **variables,
        }
        site = self.root.parent / "site.yml"
        site.write_text(PLAYBOOK)
        done = subprocess.run(
            [BIN / "ansible-playbook", "-i", "localhost,", site, "-e", json.dumps(given)],
            env=os.environ
            | {
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        return Run(done.returncode, done.stdout)

    @property
    def said(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.root.parent / "said.json").read_text())
        return told

    def tags(self) -> list[str]:
        url = f"http://{self.registry}/v2/team/shop-base/tags/list"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return sorted(json.load(answer)["tags"])

    def answer(self) -> str:
        """Build the application's image as an instance would, run it, and ask it for a page."""
        for file in self.said["overlay"]:
            target = self.root / file["path"]
            target.parent.mkdir(exist_ok=True)
            target.write_text(file["content"])
        name = f"localhost/{self.registry.replace(':', '-').replace('.', '-')}-shop"
        engine("build", "--tls-verify=false", "--tag", name, str(self.root))
        port = free_port()
        command = [*ENGINE, "run", "--rm", f"--publish=127.0.0.1:{port}:8000", f"--name=shop-{port}"]
        limits = ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"]
        process = subprocess.Popen([*command, *limits, name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            return until_it_answers(f"http://127.0.0.1:{port}/", process)
        finally:
            engine("rm", "--force", "--time=1", f"shop-{port}")
            process.wait(30)
            engine("rmi", "--force", name)


def engine(*words: str) -> str:
    done = subprocess.run([*ENGINE, *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def application(tmp_path: Path, registry: str) -> Application:
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.py").write_text(WSGI)
    (root / "requirements.txt").write_text(gunicorn_requirements())
    return Application(root, registry)


@pytest.fixture(scope="module", autouse=True)
def cleaned(registry: str) -> Iterator[None]:
    yield
    listed = engine("images", "--quiet", "--filter", f"reference={registry}/team/shop-base")
    for image in set(listed.split()):
        engine("rmi", "--force", image)


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


def test_changed_requirements_make_a_new_tag(application: Application) -> None:
    before = application.tags()
    requirements = application.root / "requirements.txt"
    requirements.write_text("# A comment does not count.\n" + requirements.read_text())
    assert application.play().count("changed") == 0
    requirements.write_text(requirements.read_text() + "--prefer-binary\n")
    assert application.play().rc == 0
    assert len(application.tags()) == len(before) + 1


def test_nginx_and_uwsgi_answer(application: Application) -> None:
    run = application.play(image_server="nginx_uwsgi", image_static={"/static/": "/srv/app/static/"})
    assert run.rc == 0, run.output
    files = {file["path"]: file["content"] for file in application.said["overlay"]}
    assert "alias /srv/app/static/;" in files["docker/nginx.conf"]
    assert application.answer() == "hello from 8000"


def test_a_registry_that_does_not_answer(application: Application) -> None:
    run = application.play(image_registry=f"127.0.0.1:{free_port()}/team")
    assert run.rc == 2
    assert "podman cannot ask the registry about 127.0.0.1:" in run.output
    assert "connection refused" in run.output


def test_a_base_image_that_cannot_be_built(application: Application) -> None:
    wrong = (application.root / "requirements.txt").read_text().replace("==", "==0.0.")
    (application.root / "requirements.txt").write_text(wrong)
    run = application.play(image_registry="")
    assert run.rc == 2
    assert "podman could not build the base image shop-base:" in run.output
    assert "No matching distribution found for gunicorn" in run.output
