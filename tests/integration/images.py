# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the role image stand on: a registry, a parent image, podman, and docker's own command line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from localstalk import images

from .conftest import BIN, ROOT, Run

ENGINE = ["podman", "--runtime=runc", "--cgroup-manager=cgroupfs"]
# Some machines forbid raising limits, which is what podman does when it is not told.
LIMITS = ["--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096"]
CA_FILE = Path("/etc/ssl/certs/ca-certificates.crt")
DEBIAN = {"image_parent": "debian:bookworm-slim", "image_packages": ["python3", "python3-venv"]}
INSTALL = f"RUN apt-get update && apt-get install --yes --no-install-recommends {' '.join(DEBIAN['image_packages'])}\n"
WSGI = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("%s from " + environ["SERVER_PORT"]).encode()]
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


def locked(package: str) -> str:
    """The lines that pin a package, with the hashes of the blog's own lock file."""
    text = (ROOT / "examples/blog/requirements.txt").read_text()
    return text[text.index(f"{package}==") :].partition("\n    # via")[0] + "\n"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310
        text: str = answer.read().decode()
        return text


def until_it_answers(url: str, process: subprocess.Popen[bytes], seconds: float = 60) -> str:
    deadline = time.monotonic() + seconds
    while True:
        try:
            return page(url)
        except OSError:
            assert process.poll() is None, f"{process.args!r} ended"
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.2)


@pytest.fixture(scope="session")
def debian(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Debian, made as localstalk makes it where no registry has it, together with the image of its instances."""
    images.Builder(tmp_path_factory.mktemp("images")).ensure("instance")
    return str(DEBIAN["image_parent"])


@pytest.fixture(scope="session")
def parent(tmp_path_factory: pytest.TempPathFactory, debian: str) -> str:
    """Debian with Python, as the role would install it for each base image; it stays on the machine, under its hash."""
    dockerfile = f"FROM {debian}\n{INSTALL}"
    name = f"localhost/test-parent:{hashlib.sha256(dockerfile.encode()).hexdigest()[:16]}"
    if not engine("images", "--quiet", name).strip():
        folder = tmp_path_factory.mktemp("parent")
        (folder / "Dockerfile").write_text(dockerfile)
        engine("build", "--network=host", "--tag", name, str(folder))
    return name


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
    environ: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)

    def play(self, *options: str, **variables: Any) -> Run:
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
            **self.variables,
            **variables,
        }
        site = self.root.parent / "site.yml"
        site.write_text(PLAYBOOK)
        done = subprocess.run(
            [BIN / "ansible-playbook", "-i", "localhost,", site, "-e", json.dumps(given), *options],
            env=os.environ
            | {
                "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
                "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
                "ANSIBLE_NOCOLOR": "1",
            }
            | self.environ,
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

    def tags(self, name: str = "shop-base") -> list[str]:
        url = f"http://{self.registry}/v2/team/{name}/tags/list"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return sorted(json.load(answer)["tags"])

    @property
    def overlay(self) -> dict[str, str]:
        """Contents of the files for the bundle, by path."""
        return {file["path"]: file["content"] for file in self.said["overlay"]}

    @contextlib.contextmanager
    def running(self, *options: str) -> Iterator[str]:
        """Build the application's image as an instance would, run it, and give its address once it answers."""
        for path, content in self.overlay.items():
            target = self.root / path
            target.parent.mkdir(exist_ok=True)
            target.write_text(content)
        port = free_port()
        name = f"localhost/test-shop-{port}"
        engine("build", "--tls-verify=false", "--tag", name, str(self.root))
        command = [*ENGINE, "run", "--rm", f"--publish=127.0.0.1:{port}:8000", f"--name=shop-{port}", *LIMITS, *options]
        process = subprocess.Popen([*command, name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until_it_answers(f"http://127.0.0.1:{port}/", process)
            yield f"http://127.0.0.1:{port}/"
        finally:
            # At once: podman loses a race with a container that stops while it is given time to.
            engine("rm", "--force", "--time=0", f"shop-{port}")
            process.wait(30)
            engine("rmi", "--force", name)

    def answer(self) -> str:
        """The page that its image gives."""
        with self.running() as url:
            return page(url)


def engine(*words: str) -> str:
    done = subprocess.run([*ENGINE, *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def bare(tmp_path: Path, registry: str, debian: str) -> Application:
    """An application whose base image installs nothing, so that it is made in a second."""
    root = tmp_path / "shop"
    root.mkdir()
    (root / "shop.py").write_text(WSGI % "hello")
    (root / "requirements.txt").write_text(locked("gunicorn"))
    (root / "Dockerfile.base").write_text(f"FROM {debian}\nCOPY requirements.txt /tmp/\n")
    (root / "Dockerfile").write_text("ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY shop.py /srv/\nEXPOSE 8000\n")
    return Application(root, registry)


@pytest.fixture
def application(bare: Application, parent: str) -> Application:
    """The same without Docker files, for those that the role renders on an image that has Python."""
    for name in ("Dockerfile.base", "Dockerfile"):
        (bare.root / name).unlink()
    return replace(bare, variables={"image_parent": parent, "image_packages": []})


@pytest.fixture(scope="module", autouse=True)
def cleaned(registry: str) -> Iterator[None]:
    yield
    listed = engine("images", "--quiet", "--filter", f"reference={registry}/team/*")
    for image in set(listed.split()):
        engine("rmi", "--force", image)


@pytest.fixture(scope="session")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which Debian's docker command talks to podman's Docker API.

    As in localstalk's instances there is no Docker daemon, so this shows that docker takes our command lines, not that
    its daemon builds as podman does.
    """
    folder = tmp_path_factory.mktemp("docker")
    subprocess.run(["apt-get", "download", "docker.io"], cwd=folder, check=True, capture_output=True, timeout=120)
    (package,) = folder.glob("docker.io_*.deb")
    subprocess.run(["dpkg", "-x", package, folder / "package"], check=True)
    registries = folder / "registries.conf"
    # dockerd takes plain HTTP from its own network by itself; podman has to be told.
    registries.write_text(
        'unqualified-search-registries = ["docker.io"]\n[[registry]]\nlocation = "127.0.0.1"\n'
        'prefix = "127.0.0.1"\ninsecure = true\n'
    )
    with tempfile.TemporaryDirectory(prefix="docker-") as short:
        socket_path = Path(short) / "docker.sock"
        service = subprocess.Popen(
            [*ENGINE, "system", "service", "--time=0", f"unix://{socket_path}"],
            env=os.environ | {"CONTAINERS_REGISTRIES_CONF": str(registries)},
        )
        try:
            deadline = time.monotonic() + 30
            while not socket_path.exists():
                assert service.poll() is None, "podman's service ended"
                assert time.monotonic() < deadline, "podman's service does not listen"
                time.sleep(0.05)
            yield {
                "PATH": f"{folder / 'package/usr/bin'}:{os.environ['PATH']}",
                "DOCKER_HOST": f"unix://{socket_path}",
                "DOCKER_CONFIG": str(folder),
            }
        finally:
            service.terminate()
            service.wait(30)
