# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a hook can run, for each kind of platform and bundle: the service it gets, or the sentence that refuses it."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.hooks.render import resolve
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.targets import place
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.platform.generation import recognise

DOCKER = "Docker running on 64bit Amazon Linux 2023"
PYTHON = "64bit Amazon Linux 2023 v4.3.0 running Python 3.11"
NODE_ARN = "arn:aws:elasticbeanstalk:eu-central-1::platform/Node.js 20 running on 64bit Amazon Linux 2023/6.1.0"
ECS = "ECS running on 64bit Amazon Linux 2"
AL1_MULTI = "64bit Amazon Linux 2018.03 v2.17.6 running Multi-container Docker 19.03.13-ce (Generic)"
AL1 = "64bit Amazon Linux 2018.03 v2.17.6 running Docker 19.03.13-ce"
CUSTOM = "arn:aws:elasticbeanstalk:eu-central-1:123456789012:platform/Shop/1.0.0"
FAILS = "so every deployment would fail"
ONE = "services:\n  web:\n    build: .\n"
TWO = ONE + "  db:\n    image: postgres\n"
PROFILED = TWO.replace("postgres\n", "postgres\n    profiles: [local]\n")
V2 = '{"AWSEBDockerrunVersion": 2, "containerDefinitions": [{"name": "web", "image": "x"}]}'
LARGE = "a: &a {" + ",".join(f"k{i}: 1" for i in range(3000)) + "}\n"
COMPOSE = "docker-compose.yml"
DOCKERRUN = "Dockerrun.aws.json"


def placed(platform: str, files: dict[str, str] | None, **hook: Any) -> tuple[str, str]:
    """The service that a hook gets, and what is wrong with it."""
    hooks = resolve([{"preset": "collectstatic", **hook}], "jack", 300)
    contents = None if files is None else {name: text.encode() for name, text in files.items()}
    (one,), problems = place(hooks, recognise(platform), contents)
    return one["service"], "".join(problems)


@pytest.mark.parametrize("platform", [DOCKER, CUSTOM, AL1, "al2023", "", DOCKER.upper()])
@pytest.mark.parametrize(
    "files",
    [
        None,
        {},
        {DOCKERRUN: '{"AWSEBDockerrunVersion": "1"}'},
        {"compose.yaml": TWO},
        {DOCKERRUN: "{"},
    ],
)
def test_single_container_needs_no_service(platform: str, files: dict[str, str] | None) -> None:
    assert placed(platform, files) == ("", "")


@pytest.mark.parametrize(
    "files",
    [
        {COMPOSE: ONE},
        {COMPOSE: PROFILED},
        {COMPOSE: ONE, DOCKERRUN: '{"AWSEBDockerrunVersion": 3}'},
        {COMPOSE: ONE, DOCKERRUN: V2},
        {COMPOSE: "web:\n  build: .\n"},
        {COMPOSE: '{\n\t"services": {"web": {"build": "."}}}'},
        {COMPOSE: "x-base: &base {build: .}\nservices:\n  web:\n    <<: *base\n    profiles: []\n"},
        {COMPOSE: "services:\n  web: !reset null\n"},
        {COMPOSE: "\ufeff" + ONE},
        {COMPOSE: ONE, "docker-compose.override.yml": "services:\n  web: {environment: {A: b}}\n"},
    ],
)
@pytest.mark.parametrize("platform", [DOCKER, "64bit Amazon Linux 2 v3.5.0 running Docker", "al2", ""])
def test_the_only_service_is_the_one_meant(platform: str, files: dict[str, str]) -> None:
    assert placed(platform, files) == ("web", "")


@pytest.mark.parametrize("service", ["web", "db"])
def test_a_named_service_stays(service: str) -> None:
    assert placed(DOCKER, {COMPOSE: PROFILED}, service=service) == (service, "")


@pytest.mark.parametrize("platform", [PYTHON, "Python 3.8 running on 64bit Amazon Linux 2"])
def test_tasks_run_in_the_virtual_environment_where_there_is_one(platform: str) -> None:
    hooks = resolve([{"preset": "migrate"}, {"name": "disk", "command": "df", "where": "host"}], "jack", 300)
    for files in (None, {COMPOSE: TWO.encode()}):
        found, problems = place(hooks, recognise(platform), files)
        assert [hook["where"] for hook in found] == ["venv", "host"]
        assert problems == []


def test_legacy_and_ecs_do_not_look_at_compose() -> None:
    assert placed(AL1, {COMPOSE: TWO}) == ("", "")
    assert "ECS starts the containers" in placed(ECS, {COMPOSE: ONE})[1]


@pytest.mark.parametrize(
    ("platform", "files", "hook", "sentence"),
    [
        (
            PYTHON,
            None,
            {"service": "web"},
            f"the platform {PYTHON} runs no compose services, {FAILS}; leave service out.",
        ),
        ("Python 3.6 running on 64bit Amazon Linux", None, {}, f"runs no container, {FAILS}; write where: host"),
        (NODE_ARN, None, {}, f"the platform {NODE_ARN} runs no container, {FAILS}; write where: host and a command"),
        (NODE_ARN, {COMPOSE: ONE}, {"service": "web"}, "runs no container"),
        ("Corretto 17 running on 64bit Amazon Linux 2", {}, {}, "or choose a Docker platform."),
        (ECS, None, {}, f"on the platform {ECS} ECS starts the containers, and which of them is meant nobody can tell"),
        (ECS, None, {}, 'docker exec "$(docker ps -q --filter label=com.amazonaws.ecs.container-name=NAME)" '),
        (AL1_MULTI, None, {}, f"on the platform {AL1_MULTI} ECS starts the containers"),
        (DOCKER, {DOCKERRUN: V2}, {}, "Dockerrun.aws.json is of version 2, whose containers ECS starts, and"),
        ("", {DOCKERRUN: V2.replace("2,", '"2",')}, {}, "Dockerrun.aws.json is of version 2"),
        (
            DOCKER,
            {COMPOSE: TWO},
            {},
            f"docker-compose.yml starts web and db, and which of them is meant nobody can tell, {FAILS}; write "
            "service: with the one to run it in, such as service: web.",
        ),
        (
            DOCKER,
            {COMPOSE: ONE, "docker-compose.override.yml": "services: {db: {image: x}}"},
            {},
            "starts web and db",
        ),
        (
            DOCKER,
            {COMPOSE: TWO},
            {"service": "webs"},
            f"docker-compose.yml has no service webs (did you mean web?), {FAILS}; it has web and db.",
        ),
        (
            DOCKER,
            {COMPOSE: ONE.replace("build: .", "profiles: [x]")},
            {},
            f"every service of docker-compose.yml has a profile, and without COMPOSE_PROFILES none starts, {FAILS}; "
            "write service: with the one to run it in, such as service: web.",
        ),
        (DOCKER, {COMPOSE: "include: [a.yml]\n" + ONE}, {}, "includes other files, so it may start more than web"),
        (DOCKER, {COMPOSE: ONE}, {"phase": "predeploy"}, "in the phase predeploy no compose service of this version"),
        (DOCKER, {}, {"service": "web"}, f"the bundle has no docker-compose.yml, so there is no service web, {FAILS}"),
        (
            DOCKER,
            {"compose.yaml": ONE},
            {"service": "web"},
            "; rename compose.yaml, which Elastic Beanstalk does not look at.",
        ),
        (DOCKER, {COMPOSE: "services:\n\tweb: {}\n"}, {}, "docker-compose.yml:2: a tab indents the line"),
        (DOCKER, {COMPOSE: ONE, "docker-compose.override.yml": "services: ["}, {}, "docker-compose.override.yml:1: "),
        (DOCKER, {COMPOSE: ""}, {}, "docker-compose.yml:1: there are no services, so nobody can tell"),
        (DOCKER, {COMPOSE: "services: {}"}, {"service": "web"}, "docker-compose.yml:1: there are no services"),
        (DOCKER, {COMPOSE: "- web\n"}, {}, "docker-compose.yml:1: there are no services"),
    ],
)
def test_a_hook_that_cannot_run_is_refused(
    platform: str, files: dict[str, str] | None, hook: dict[str, str], sentence: str
) -> None:
    found = placed(platform, files, **hook)[1]
    assert found.startswith('Hook "collectstatic": ')
    assert sentence in found
    assert "\n" not in found


@pytest.mark.parametrize("platform", [PYTHON, ECS, NODE_ARN])
def test_a_hook_on_the_host_needs_no_container(platform: str) -> None:
    assert placed(platform, {COMPOSE: "["}, where="host") == ("", "")


def test_windows_runs_no_hooks() -> None:
    windows = "64bit Windows Server Core 2022 v2.15.0 running IIS 10.0"
    assert "Windows runs no platform hooks" in placed(windows, None, where="host")[1]


def test_a_long_command_is_not_repeated() -> None:
    assert placed(ECS, None, command="echo 1\necho 2")[1].endswith('.container-name=NAME)" COMMAND')
    assert placed(ECS, None, command="x {y}")[1].endswith('.container-name=NAME)" x {y}')


def test_a_file_that_is_not_utf_8_has_its_place() -> None:
    hooks = resolve([{"preset": "migrate"}], "jack", 300)
    _hooks, (problem,) = place(hooks, recognise(DOCKER), {COMPOSE: b"services:\n  w\xe9b: {}\n"})
    assert problem.startswith('Hook "migrate": docker-compose.yml:2: the file is not UTF-8')


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {x: 1}\n" + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{f'*{chr(97 + i)},' * 9}]\n" for i in range(20)),
        "a: &a {"
        + ",".join(f"k{i}: 1" for i in range(3000))
        + "}\n"
        + "".join(f"b{i}: {{<<: *a}}\n" for i in range(500)),
        "a: &a {" + ",".join(f"k{i}: 1" for i in range(3000)) + "}\nb: {<<: [" + "*a," * 5000 + "]}\n",
        "[" * 5000,
    ],
    ids=["laughs", "merges", "merge_list", "nesting"],
)
def test_a_yaml_bomb_is_refused_in_time(text: str) -> None:
    began = time.process_time()
    found = placed(DOCKER, {COMPOSE: text})[1]
    assert found.startswith('Hook "collectstatic": docker-compose.yml:')
    assert time.process_time() - began < 10
