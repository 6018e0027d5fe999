# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the linter's rules: Dockerfile, Dockerrun.aws.json, Compose file and cron.yaml."""

from __future__ import annotations

from .cases import AL2023, COMPOSE, DOCKERFILE, DOCKERRUN, ECS, Case, command

CRON = """\
version: 1
cron:
  - name: a
    url: /a
    schedule: "0 8 * * *"
  - name: b
    url: /b
    schedule: "*/5 * * * MON-FRI"
"""


CASES = [
    Case("dockerfile-missing", {"app.py": ""}, DOCKERFILE, platform=AL2023),
    Case("dockerfile-missing", command("cp x/Dockerfile ."), DOCKERFILE, platform=AL2023, severity="warning"),
    Case("dockerfile-no-expose", {"Dockerfile": "FROM a\nFROM b AS c\nRUN x\n"}, DOCKERFILE, 2, AL2023),
    Case(
        "dockerfile-no-expose",
        {"Dockerfile": "FROM a AS build\nEXPOSE 80\nFROM b\n"},
        {"Dockerfile": "FROM a AS base\nEXPOSE 80\nFROM --platform=linux/amd64 base\n"},
        3,
        severity="warning",
    ),
    Case("dockerrun-version", {"Dockerrun.aws.json": "{}"}, {"Dockerrun.aws.json": DOCKERRUN % (1, "")}, 1),
    Case(
        "dockerrun-version",
        {"Dockerrun.aws.json": DOCKERRUN % (2, "")},
        {"Dockerrun.aws.json": DOCKERRUN % (1, "")},
        1,
        AL2023,
    ),
    Case(
        "dockerrun-version",
        {"Dockerrun.aws.json": DOCKERRUN % (1, "")},
        {"Dockerrun.aws.json": DOCKERRUN % (2, "")},
        1,
        ECS,
    ),
    Case(
        "dockerrun-version",
        {"Dockerrun.aws.json": DOCKERRUN % (3, "")},
        {"Dockerrun.aws.json": DOCKERRUN % (3, ""), "docker-compose.yml": COMPOSE},
        1,
        AL2023,
    ),
    Case(
        "dockerrun-image-ignored",
        {**DOCKERFILE, "Dockerrun.aws.json": DOCKERRUN % (1, ',\n"Image": {"Name": "a"}')},
        {**DOCKERFILE, "Dockerrun.aws.json": DOCKERRUN % (1, ',\n"Ports": [{"ContainerPort": 8000}]')},
        2,
    ),
    Case(
        "dockerrun-no-ports",
        {"Dockerrun.aws.json": DOCKERRUN % (1, ',\n"Image": {"Name": "a"}')},
        {"Dockerrun.aws.json": DOCKERRUN % (1, ',\n"Image": {"Name": "a"}, "Ports": [{"ContainerPort": 1}]')},
        2,
    ),
    Case(
        "dockerrun-port-mismatch",
        {**DOCKERFILE, "Dockerrun.aws.json": DOCKERRUN % (1, ',\n"Ports": [{"ContainerPort": "80"}]')},
        {**DOCKERFILE, "Dockerrun.aws.json": DOCKERRUN % (1, ',\n"Ports": [{"ContainerPort": "8000"}]')},
        2,
    ),
    Case(
        "compose-conflict",
        {"docker-compose.yml": COMPOSE, "Dockerrun.aws.json": DOCKERRUN % (1, "")},
        {"docker-compose.yml": COMPOSE, **DOCKERFILE},
        1,
        AL2023,
    ),
    Case(
        "compose-dockerfile-unused",
        {"docker-compose.yml": COMPOSE.replace("build: .", "image: a"), **DOCKERFILE},
        {"docker-compose.yml": COMPOSE, **DOCKERFILE},
        2,
    ),
    Case(
        "compose-no-port",
        {"docker-compose.yml": COMPOSE.replace("80:8000", "8000:8000")},
        {"docker-compose.yml": COMPOSE.replace("['80:8000']", "[{target: 8000, published: 80}]")},
        2,
    ),
    Case(
        "compose-dollar",
        {"docker-compose.yml": COMPOSE + "    environment:\n      PASSWORD: pa$$word$\n"},
        {"docker-compose.yml": COMPOSE + "    environment:\n      PASSWORD: pa$$word\n      NAME: ${NAME:-x} $OTHER\n"},
        6,
    ),
    Case(
        "compose-dollar",
        {"docker-compose.yml": COMPOSE + "    environment:\n      PASSWORD: pa$word\n"},
        {"docker-compose.yml": COMPOSE + "    command: sh -c 'echo $$HOME'\n"},
        6,
        severity="warning",
    ),
    *(
        Case("cron-field", {"cron.yaml": CRON.replace(old, new)}, {"cron.yaml": CRON}, line)
        for old, new, line in (
            ("version: 1", "version: 2", 1),
            ("version: 1\n", "# none\n", 2),
            ("url: /a", "url: a", 4),
            ("url: /a", "path: /a", 4),
            ('"0 8 * * *"', '"0 8 * *"', 5),
            ("name: b", "name: a", 6),
            ("cron:", "cron: none\nother:", 1),
        )
    ),
    Case("compose-own-env", {"docker-compose.yml": COMPOSE, ".env": "A=b\n"}, {".env": "A=b\n"}),
]
