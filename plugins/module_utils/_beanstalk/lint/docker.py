# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Dockerfile, docker-compose.yml and Dockerrun.aws.json: which of them EB takes, and whether they fit together.

Source: "Docker configuration" of the AWS Elastic Beanstalk Developer Guide: compose wins on Amazon Linux 2 and later;
otherwise a Dockerfile and/or a Dockerrun.aws.json version 1; version 2 is for ECS, version 3 goes with compose.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..platform.generation import Platform
from .bundle import Bundle
from .document import MAPPING, DocumentError, Node, duplicate_keys, parse, walk
from .findings import WARNING, Finding, finding

DOCKERFILE = "Dockerfile"
COMPOSE = "docker-compose.yml"
DOCKERRUN = "Dockerrun.aws.json"


@dataclass(frozen=True)
class _Exposed:
    """The last FROM line of a Dockerfile and the ports that its stage, or one it builds on, exposes."""

    line: int
    ports: tuple[str, ...]


def lint_docker(bundle: Bundle, platform: Platform) -> list[Finding]:
    """Look at the Docker files at the top of the bundle."""
    return [] if platform.docker == "none" else DockerLinter(bundle, platform).lint()


class DockerLinter:
    """Looks at the Docker files of one bundle."""

    def __init__(self, bundle: Bundle, platform: Platform) -> None:
        self.bundle = bundle
        self.platform = platform
        self.findings: list[Finding] = []
        # The Amazon Linux AMI knows no compose.
        self.composes = bundle.has(COMPOSE) and not platform.is_legacy and platform.docker != "ecs"

    def _add(self, rule: str, file: str, line: int, message: str, severity: str = "") -> None:
        self.findings.append(finding(rule, file, line, message, severity))

    def lint(self) -> list[Finding]:
        """Return the findings."""
        dockerrun = self._parse(DOCKERRUN)
        compose = self._parse(COMPOSE) if self.composes else None
        exposed = self._exposed()
        if self.platform.docker == "plain" and not any(map(self.bundle.has, (DOCKERFILE, DOCKERRUN, COMPOSE))):
            # A command or a hook may yet write the file.
            severity = WARNING if self._is_mentioned() else ""
            self._add("dockerfile-missing", DOCKERFILE, 0, "the bundle has nothing that Docker could run", severity)
        if dockerrun is not None:
            self._version(dockerrun)
            self._image(dockerrun, exposed)
        if compose is not None:
            self._compose(compose)
        has_port = self.composes or self.platform.docker == "ecs" or (dockerrun is not None and dockerrun.get("Ports"))
        if exposed and not exposed.ports and not has_port:
            # Without the platform's name it may be that EB never looks at this file.
            severity = "" if self.platform.docker else WARNING
            self._add("dockerfile-no-expose", DOCKERFILE, exposed.line, "the image exposes no port", severity)
        return self.findings

    def _is_mentioned(self) -> bool:
        files = [*self.bundle.below(".ebextensions"), *self.bundle.below(".platform")]
        names = (DOCKERFILE.encode(), COMPOSE.encode(), DOCKERRUN.encode())
        return any(name in self.bundle.content(file) for file in files for name in names)

    def _parse(self, name: str) -> Node | None:
        if not self.bundle.has(name):
            return None
        try:
            node = parse(self.bundle.text(name), prefer_json=name.endswith(".json"))
        except DocumentError as error:
            self._add(error.rule, name, error.line, error.message)
            return None
        except UnicodeDecodeError:
            self._add("yaml-syntax", name, 1, "the file is not UTF-8")
            return None
        if node.kind != MAPPING:
            self._add("wrong-type", name, node.line, f"{name} takes a mapping")
            return None
        for first, second in duplicate_keys(node):
            self._add("duplicate-key", name, second.line, f"{second.text} stands here again, after line {first.line}")
        return node

    def _exposed(self) -> _Exposed | None:
        if not self.bundle.has(DOCKERFILE):
            return None
        stages: dict[str, tuple[str, ...]] = {}
        line, ports, name = 1, (), ""  # type: int, tuple[str, ...], str
        text = self.bundle.content(DOCKERFILE).decode("utf-8", "replace")
        for number, words in enumerate((row.split() for row in text.splitlines()), 1):
            word = words[0].upper() if words else ""
            if word == "FROM" and len(words) > 1:
                words = [item for item in words if not item.startswith("--")]
                line, ports = number, stages.get(words[1].lower(), ())
                name = words[3].lower() if len(words) > 3 and words[2].upper() == "AS" else ""
            elif word == "EXPOSE":
                ports += tuple(words[1:])
            stages[name] = ports
        return _Exposed(line, ports)

    def _version(self, dockerrun: Node) -> None:
        node = dockerrun.get("AWSEBDockerrunVersion")
        version = node.text if node else ""
        line = node.line if node else 1
        problem = ""
        if version not in ("1", "2", "3"):
            problem = f"AWSEBDockerrunVersion is {version or 'missing'}"
        elif version == "2" and self.platform.docker == "plain":
            problem = "version 2 is for the ECS platform branches, not for Docker"
        elif version != "2" and self.platform.docker == "ecs":
            problem = f"the ECS platform branches take version 2, not {version}"
        elif version == "3" and not self.bundle.has(COMPOSE):
            problem = f"version 3 only carries the registry's credentials for a {COMPOSE}, and there is none"
        if problem:
            self._add("dockerrun-version", DOCKERRUN, line, problem)
        elif self.composes and version == "1":
            severity = "" if self.platform.is_modern else WARNING
            self._add("compose-conflict", DOCKERRUN, line, f"the bundle also has a {COMPOSE}", severity)

    def _image(self, dockerrun: Node, exposed: _Exposed | None) -> None:
        version = dockerrun.get("AWSEBDockerrunVersion")
        if version is not None and version.text != "1":
            return
        image, ports = dockerrun.get("Image"), dockerrun.get("Ports")
        if image is not None and exposed:
            self._add("dockerrun-image-ignored", DOCKERRUN, image.line, f"the bundle also has a {DOCKERFILE}")
        elif image is not None and ports is None:
            self._add("dockerrun-no-ports", DOCKERRUN, image.line, "there is an Image and no Ports")
        first = ports.items[0].get("ContainerPort") if ports is not None and ports.items else None
        if first is None or exposed is None or not exposed.ports:
            return
        port = exposed.ports[0].split("/")[0]
        if port.isdigit() and port != first.text:
            self._add("dockerrun-port-mismatch", DOCKERRUN, first.line, f"ContainerPort is {first.text}, EXPOSE {port}")

    def _compose(self, compose: Node) -> None:
        services = compose_services(compose)
        if services is None:
            self._add("wrong-type", COMPOSE, compose.line, "there are no services")
            return
        bodies = [body for _name, body in services.pairs if body.kind == MAPPING]
        if self.bundle.has(DOCKERFILE) and not any(body.get("build") for body in bodies):
            self._add("compose-dockerfile-unused", COMPOSE, services.line, f"no service builds the {DOCKERFILE}")
        if not any(_publishes_80(body) for body in bodies):
            self._add("compose-no-port", COMPOSE, services.line, "no service publishes port 80")
        self._dollars(compose)
        if self.bundle.has(".env"):
            self._add("compose-own-env", ".env", 0, "the bundle has a .env of its own")

    def _dollars(self, compose: Node) -> None:
        """Interpolation, by "Interpolation" of the Compose file reference: $NAME, ${NAME…} and $$."""
        for node in walk(compose):
            text = node.text.replace("$$", "") if node.is_scalar else ""
            if re.search(r"\$(?![A-Za-z_{])", text):
                self._add("compose-dollar", COMPOSE, node.line, "a $ stands for itself, and Compose refuses that")
            elif found := re.search(r"(?<=[A-Za-z0-9])\$(\w+)", text):
                message = f"${found[1]} is in the middle of a word, and Compose replaces it by a variable"
                self._add("compose-dollar", COMPOSE, node.line, message, WARNING)


def compose_services(compose: Node) -> Node | None:
    """The mapping that has the services of a compose file by name; None when it has none."""
    services = compose.get("services")
    if services is not None and services.kind == MAPPING and services.pairs:
        return services
    # The first format of compose had the services at the top.
    return compose if any(value.get("image") or value.get("build") for _key, value in compose.pairs) else None


def _publishes_80(service: Node) -> bool:
    mode = service.get("network_mode")
    if mode is not None and mode.text == "host":
        return True
    ports = service.get("ports")
    for port in ports.items if ports is not None else ():
        published = port.get("published") if port.kind == MAPPING else port
        # "80:8000", "0.0.0.0:80:8000", "80-81:8000-8001", and ${PORT:-80}:8000, which is not known here.
        text = published.text if published is not None else ""
        if "$" in text or re.match(r"(?:[\d.]+:)?80(?:-\d+)?(?::|$)", text):
            return True
    return False
