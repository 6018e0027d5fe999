# SPDX-License-Identifier: GPL-3.0-or-later
"""Every rule: a bundle that it must find something in, at the right line, and a bundle that it must leave alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.findings import RULES

CONFIG = ".ebextensions/01.config"
AL2023 = "64bit Amazon Linux 2023 v4.3.0 running Docker"
AL1 = "64bit Amazon Linux 2018.03 v2.17.6 running Docker 19.03.13-ce"
ECS = "ECS running on 64bit Amazon Linux 2023"
POST = ".platform/hooks/postdeploy/01_migrate.sh"
SCRIPT = "#!/bin/bash\necho hello\n"
LEGACY = "/opt/elasticbeanstalk/hooks/appdeploy/post/xy_01.sh"
DOCKERFILE = {"Dockerfile": "FROM python:3.11\nEXPOSE 8000\n"}
COMPOSE = "services:\n  web:\n    build: .\n    ports: ['80:8000']\n"
DOCKERRUN = '{"AWSEBDockerrunVersion": "%s"%s}'
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d7a' * 16}\nsize 12345\n"


def options(namespace: str, *lines: str) -> dict[str, str]:
    """A configuration file with options of one namespace; the first option is in line 3."""
    return {CONFIG: f"option_settings:\n  {namespace}:\n" + "".join(f"    {line}\n" for line in lines)}


def environment(*lines: str) -> dict[str, str]:
    return options("aws:elasticbeanstalk:application:environment", *lines)


def hook_file(content: str = "#!/bin/bash\\n", mode: str = '"000755"') -> dict[str, str]:
    return {CONFIG: f'files:\n  {LEGACY}:\n    mode: {mode}\n    content: "{content}"\n'}


def command(*lines: str) -> dict[str, str]:
    """A container command; its first line is line 4."""
    text = "".join(f"      {line}\n" for line in lines)
    return {CONFIG: f"container_commands:\n  a:\n    command: |\n{text}"}


@dataclass(frozen=True)
class Case:
    rule: str
    bad: dict[str, str | bytes]
    good: dict[str, str | bytes]
    line: int = 0
    platform: str | None = None
    severity: str = field(default="")


CASES = [
    Case("yaml-syntax", {CONFIG: "files:\n\t/tmp/x:\n"}, {CONFIG: "files:\n  /tmp/x:\n    content: x\n"}, 2),
    Case("yaml-syntax", {CONFIG: "commands: {}\n".encode("utf-16")}, {CONFIG: "---\ncommands: {}\n...\n"}, 1),
    Case("yaml-syntax", {CONFIG: "a: [1\nb: 2\n"}, {CONFIG: "# all commented out\n"}, 2),
    Case("yaml-syntax", {CONFIG: b"files:\n  /tmp/\xff: {}\n"}, {CONFIG: "files:\n  /tmp/ä: {content: x}\n"}, 2),
    Case("yaml-syntax", {"cron.yaml": "version: 1\ncron: ]\n"}, {"cron.yaml": "version: 1\n"}, 2),
    Case("json-syntax", {"Dockerrun.aws.json": '{\n "AWSEBDockerrunVersion": "1",\n}'}, DOCKERFILE, 3),
    Case("json-syntax", {"Dockerrun.aws.json": '{\n "AWSEBDockerrunVersion":\r\n NaN}'}, DOCKERFILE, 3),
    Case("json-syntax", {"Dockerrun.aws.json": "{\n'a': 1}"}, {"Dockerrun.aws.json": DOCKERRUN % (1, "")}, 2),
    Case(
        "duplicate-key",
        {CONFIG: "commands:\n  a: {command: x}\nfiles: {}\ncommands:\n  b: {command: y}\n"},
        {CONFIG: "commands:\n  a: {command: x}\n  b: {command: x}\n"},
        4,
    ),
    Case(
        "duplicate-key",
        {CONFIG: '{\n\t"commands": {\n\t\t"a": {"command": "x"},\n\t\t"a": {"command": "y"}\n\t}\n}'},
        {CONFIG: '{\n\t"commands": {\n\t\t"a": {"command": "x\\/y"}\n\t}\n}'},
        4,
    ),
    Case(
        "duplicate-key",
        {CONFIG: "commands: &c\n  a: &a {command: x}\n  b: {<<: *a, cwd: /, cwd: /tmp}\n"},
        {CONFIG: "commands:\n  a: &a {command: x}\n  b: {<<: *a, command: y}\n"},
        3,
    ),
    Case(
        "unknown-key",
        {CONFIG: "\ufeffcommands:\r\n  a:\r\n    command: x\r\n    comand: x\r\n"},
        {CONFIG: "\ufeffcommands:\r\n  a:\r\n    command: x\r\n"},
        4,
    ),
    Case("unknown-key", {CONFIG: "option_setting:\n  aws:autoscaling:asg: {MinSize: 1}\n"}, {CONFIG: "packages:\n"}, 1),
    Case(
        "unknown-key",
        {CONFIG: "container_commands:\n  a:\n    command: x\n    leader-only: true\n"},
        {CONFIG: "container_commands:\n  a:\n    command: x\n    leader_only: true\n"},
        4,
    ),
    Case(
        "leader-only-misplaced",
        {CONFIG: "commands:\n  a:\n    command: x\n    leader_only: true\n"},
        {CONFIG: "commands:\n  a:\n    command: [x, y]\n    ignoreErrors: true\n    env: {A: b}\n"},
        4,
    ),
    Case("unknown-key", {CONFIG: "packages:\n  yumm:\n    git: []\n"}, {CONFIG: "packages:\n  yum:\n    git: []\n"}, 2),
    Case(
        "unknown-key",
        {CONFIG: "services:\n  sysvinit:\n    nginx: {enabeld: true}\n"},
        {CONFIG: "services:\n  systemd:\n    nginx: {enabled: true, files: [/etc/nginx/nginx.conf]}\n"},
        3,
    ),
    Case(
        "unknown-key",
        {CONFIG: "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Propertys: {}\n"},
        {CONFIG: "Resources:\n  Topic:\n    Type: AWS::SNS::Topic\n    Properties: {}\n    DependsOn: Other\n"},
        4,
    ),
    Case(
        "unknown-key",
        {CONFIG: "files:\n  /tmp/x:\n    content: x\n    source: https://example.com/x\n"},
        {CONFIG: 'files:\n  /tmp/x:\n    source: {"Fn::Join": ["", [a, b]]}\n    authentication: S3Auth\n'},
        2,
    ),
    Case(
        "unknown-key",
        {CONFIG: "option_settings:\n  - namespace: aws:autoscaling:asg\n    optionname: MinSize\n    value: 1\n"},
        {CONFIG: "option_settings:\n  - {namespace: aws:autoscaling:asg, option_name: MinSize, value: 1}\n"},
        3,
    ),
    Case("wrong-type", {CONFIG: "packages:\n  yum: [git]\n"}, {CONFIG: "packages:\n  yum:\n    git: '1.0'\n"}, 2),
    Case("wrong-type", {CONFIG: "- commands\n"}, {CONFIG: ""}, 1),
    Case("wrong-type", {CONFIG: "option_settings: 5\n"}, {CONFIG: "option_settings:\n"}, 1),
    Case(
        "wrong-type",
        {CONFIG: "container_commands:\n  a:\n    command: x\n    leader_only: always\n"},
        {CONFIG: 'container_commands:\n  a:\n    command: x\n    leader_only: "true"\n'},
        4,
    ),
    Case(
        "wrong-type",
        {CONFIG: "files:\n  /tmp/x:\n    mode: rwxr-xr-x\n    content: x\n"},
        {CONFIG: 'files:\n  /tmp/x:\n    mode: "000755"\n    content: {a: b}\n'},
        3,
    ),
    Case("wrong-type", {CONFIG: "commands:\n  a: ls\n"}, {CONFIG: "users:\n  me:\n    groups: [a]\n"}, 2),
    Case("wrong-type", {CONFIG: "files:\n  tmp/x: {content: x}\n"}, {CONFIG: "files:\n  'C:\\x': {content: x}\n"}, 2),
    Case(
        "wrong-type",
        options("aws:ec2:instances", "InstanceTypes: [t3.micro, t3.small]"),
        options("aws:ec2:instances", "InstanceTypes: t3.micro, t3.small"),
        3,
    ),
    Case(
        "wrong-type",
        {CONFIG: "sources:\n  /etc/app: [a]\n"},
        {CONFIG: "sources:\n  /etc/app: https://example.com/x.zip\n"},
        2,
    ),
    Case("missing-key", {CONFIG: "commands:\n  a:\n    cwd: /tmp\n"}, {CONFIG: "commands:\n  a: {command: x}\n"}, 2),
    Case(
        "missing-key",
        {CONFIG: "option_settings:\n  - option_name: A\n"},
        {CONFIG: "option_settings:\n  - option_name: A\n    value: b\n"},
        2,
    ),
    Case(
        "leader-only-with-test",
        {CONFIG: "container_commands:\n  a:\n    command: x\n    test: '[ -f y ]'\n    leader_only: true\n"},
        {CONFIG: "container_commands:\n  a:\n    command: x\n    test: '[ -f y ]'\n    leader_only: false\n"},
        4,
    ),
    Case("ebextensions-ignored-file", {".ebextensions/more/01.config": ""}, {".ebextensions/inactive/01.config": ""}),
    Case(
        "ebextensions-ignored-file",
        {".ebextensions/01.yml": "commands:\n  a: {command: x}\n"},
        {".ebextensions/newrelic.yml": "license: x\n", ".ebextensions/nginx/conf.d/a.conf": "server {}\n"},
    ),
    Case(
        "lfs-pointer", {"logo.png": POINTER}, {"logo.png": POINTER.replace("oid ", "old "), "README.md": POINTER * 2}, 1
    ),
    Case("not-checked", {CONFIG: "#" * 2_100_000}, {CONFIG: "#" * 2_000_000}),
    Case("misspelt-folder", {".ebextentions/01.config": "files:\n"}, {CONFIG: "files:\n"}),
    Case(
        "unknown-namespace",
        options("aws:elasticbeanstalk:comand", "Timeout: 600"),
        options("aws:elasticbeanstalk:command", "Timeout: 600"),
        3,
    ),
    Case(
        "unknown-namespace",
        options("application:environment", "A: b"),
        options("aws:elasticbeanstalk:container:python", "WSGIPath: config.wsgi"),
        3,
    ),
    Case(
        "unknown-namespace",
        options("aws:elbv2:listener:https", "Protocol: HTTPS"),
        options("aws:elbv2:listener:443", "Protocol: HTTPS"),
        3,
    ),
    Case(
        "unknown-option",
        options("aws:autoscaling:asg", "MinSzie: 1"),
        options("aws:autoscaling:asg", "MinSize: 1"),
        3,
    ),
    Case(
        "unknown-option",
        options("aws:elasticbeanstalk:environment", "InstanceType: t3.micro"),
        options("aws:elasticbeanstalk:environment:process:web", "HealthCheckPath: /health", "Port: 8080"),
        3,
    ),
    Case(
        "unknown-option",
        options("aws:elbv2:listener:443", "rules: admin"),
        options("ScheduledUp.aws:autoscaling:scheduledaction", "MinSize: 1", "Recurrence: 0 9 * * *"),
        3,
        severity="warning",
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:command", "DeploymentPolicy: RollOut"),
        options("aws:elasticbeanstalk:command", "DeploymentPolicy: RollingWithAdditionalBatch"),
        3,
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:command", "Timeout: 7200"),
        options("aws:elasticbeanstalk:command", 'Timeout: "3600"'),
        3,
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:xray", "XRayEnabled: 1"),
        options("aws:elasticbeanstalk:xray", "XRayEnabled: True"),
        3,
    ),
    Case(
        "option-value",
        options("aws:autoscaling:updatepolicy:rollingupdate", "PauseTime: 5 minutes"),
        options("aws:autoscaling:updatepolicy:rollingupdate", "PauseTime: PT5M", "Timeout: PT1H"),
        3,
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:managedactions", "PreferredStartTime: '09:00'"),
        options("aws:elasticbeanstalk:managedactions", "PreferredStartTime: 'Tue:09:00'"),
        3,
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:command", "DeploymentPolicy: rolling"),
        options("aws:autoscaling:asg", 'MinSize: \'`{"Ref": "Smallest"}`\'', "MaxSize: {Ref: Largest}"),
        3,
        severity="warning",
    ),
    Case(
        "option-value",
        options("aws:elasticbeanstalk:application:environmentsecrets", "DB: my-secret"),
        options(
            "aws:elasticbeanstalk:application:environmentsecrets",
            "DB: arn:aws:secretsmanager:us-east-1:123456789012:secret:db-AbCdEf:password",
        ),
        3,
    ),
    Case(
        "option-combination",
        {
            ".ebextensions/01.config": options("aws:elasticbeanstalk:environment", "EnvironmentType: SingleInstance")[
                CONFIG
            ],
            ".ebextensions/02.config": options("aws:elasticbeanstalk:command", "DeploymentPolicy: Rolling")[CONFIG],
        },
        options("aws:elasticbeanstalk:command", "DeploymentPolicy: Rolling"),
        3,
    ),
    Case(
        "option-combination",
        options("aws:autoscaling:asg", "MinSize: 5", "MaxSize: 2"),
        options("aws:autoscaling:asg", "MinSize: 2", "MaxSize: 5"),
        3,
    ),
    Case(
        "option-combination",
        options("aws:elasticbeanstalk:command", "BatchSize: 200"),
        options("aws:elasticbeanstalk:command", "BatchSize: 200", "BatchSizeType: Fixed"),
        3,
    ),
    Case(
        "option-without-namespace",
        {CONFIG: "option_settings:\n  - option_name: InstanceType\n    value: t3.micro\n"},
        {CONFIG: "option_settings:\n  - option_name: DJANGO_SETTINGS_MODULE\n    value: config.settings\n"},
        2,
        severity="error",
    ),
    Case(
        "option-without-namespace",
        {CONFIG: "option_settings:\n  - option_name: healthPath\n    value: /health\n"},
        environment("healthPath: /health"),
        2,
    ),
    Case(
        "option-without-namespace",
        {CONFIG: "option_settings:\n  MinSize: 2\n"},
        options("aws:autoscaling:asg", "MinSize: 2"),
        2,
        severity="error",
    ),
    Case("properties-too-long", environment(f"A: {'x' * 4095}"), environment(f"A: {'x' * 4094}"), 3),
    Case(
        "secret-in-property",
        environment("SECRET_KEY: 8d7f5s9d8f7"),
        environment("SECRET_KEY: '{{resolve:ssm:key:1}}'", "SECRET_FILE: /run/secret", "USE_TOKEN: 'true'", "PWD: ''"),
        3,
    ),
    Case(
        "secret-in-property",
        environment("DATABASE_URL: postgres://user:hunter2@db/blog"),
        environment("DATABASE_URL: postgres://db/blog", "API_KEY: your-key-here", "DB_PASSWORD: <password>"),
        3,
    ),
    Case(
        "secret-in-property",
        options("aws:rds:dbinstance", "DBPassword: hunter22", "DBDeletionPolicy: Snapshot"),
        options("aws:rds:dbinstance", "DBUser: ebroot", "DBDeletionPolicy: Snapshot"),
        3,
    ),
    Case(
        "rds-deletion-policy",
        options("aws:rds:dbinstance", "DBDeletionPolicy: Delete"),
        options("aws:rds:dbinstance", "DBDeletionPolicy: Retain"),
        3,
    ),
    Case("hook-not-executable", {POST + ".plain": SCRIPT}, {POST: SCRIPT}, platform=AL2023),
    Case("hook-not-executable", hook_file(mode='"000644"'), hook_file(), 2),
    Case("hook-no-shebang", {POST: "echo hello\n"}, {POST: SCRIPT}, 1, AL2023),
    Case("hook-no-shebang", {POST: ""}, {POST: b"\x7fELF\x02\0\0"}, 1, AL2023),
    Case("hook-no-shebang", {POST: "\ufeff" + SCRIPT}, {POST: b"\x7fELF\x02\0\0" * 400_000}, 1, AL2023),
    Case("hook-no-shebang", hook_file("echo hello"), hook_file(), 2),
    Case("hook-crlf", {POST: b"#!/bin/bash\r\necho\r\n"}, {POST: SCRIPT}, 1, AL2023),
    Case("hook-ignored", {".platform/hooks/01.sh": SCRIPT}, {POST: SCRIPT}),
    Case("hook-ignored", {".platform/hooks/postdeploi/01.sh": SCRIPT}, {".platform/nginx/conf.d/a.conf": "x;\n"}),
    Case("hook-ignored", {".platform/hook/postdeploy/01.sh": SCRIPT}, {".platform/confighooks/prebuild/1.sh": SCRIPT}),
    Case("legacy-path-on-modern", hook_file(), {POST: SCRIPT}, 2, AL2023),
    Case("legacy-path-on-modern", {**hook_file(), POST: SCRIPT}, hook_file(), 2, severity="warning"),
    Case(
        "legacy-path-on-modern",
        {CONFIG: f"commands:\n  a:\n    command: cp x {LEGACY}\n"},
        {CONFIG: f"commands:\n  a:\n    command: rm -f {LEGACY}\n"},
        3,
        AL2023,
        "warning",
    ),
    Case("platform-hook-on-legacy", {POST: SCRIPT}, {".platform/nginx/conf.d/a.conf": "x;\n"}, platform=AL1),
    Case("backup-leftover", {".ebextensions/01.config.bak": "files:\n"}, {CONFIG: "files:\n"}),
    Case("backup-hook", {POST + ".bak": SCRIPT}, {POST: SCRIPT}),
    Case("bak-left-behind", hook_file(), hook_file("#!/bin/bash\\nrm -f /opt/*.bak"), 2, AL1),
    Case(
        "docker-exec-all",
        {POST: "#!/bin/bash\n# docker exec\ndocker exec `docker ps -q` ls\n"},
        {POST: "#!/bin/bash\ndocker exec $(docker ps -q --filter ancestor=aws_beanstalk/current-app) ls\n"},
        3,
    ),
    Case(
        "docker-exec-all",
        command("ids=$(sudo docker ps -aq)", "docker exec $ids ls"),
        command("id=$(docker ps -q | head -1)", "docker exec $id ls"),
        5,
    ),
    Case(
        "docker-exec-all",
        {POST: "#!/bin/bash\ndocker ps -q | xargs -n1 -I{} docker exec {} ls\n"},
        {POST: "#!/bin/bash\ndocker exec $(docker ps -ql) ls\n"},
        2,
    ),
    Case(
        "docker-exec-tty",
        {POST: "#!/bin/bash\ndocker exec \\\n  -e A=b -it web ls -t\n"},
        {POST: "#!/bin/bash\ndocker exec -i -u root web ls -t\n"},
        2,
    ),
    Case(
        "docker-exec-tty",
        {CONFIG: "commands:\n  a: {command: docker exec -t web ls}\n"},
        {CONFIG: "files:\n  /usr/local/bin/sh-in: {content: 'docker exec -it web sh'}\n"},
        2,
        severity="warning",
    ),
    Case("dockerfile-missing", {"app.py": ""}, DOCKERFILE, platform=AL2023, severity="warning"),
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
    Case("compose-own-env", {"docker-compose.yml": COMPOSE, ".env": "A=b\n"}, {".env": "A=b\n"}),
]


def case_id(case: Case) -> str:
    return f"{case.rule}-{CASES.index(case)}"


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_finds_the_fault(lint, case):
    report = lint(case.bad, case.platform)
    found = [item for item in report.findings if item.rule == case.rule]
    assert found, [str(item) for item in report.findings]
    assert case.line in {item.line for item in found}
    assert {item.severity for item in found} == {case.severity or RULES[case.rule].severity}
    assert all(item.message and item.effect and item.mend for item in found)
    assert {item.file for item in found if item.line} <= set(case.bad)


@pytest.mark.parametrize("case", CASES, ids=case_id)
def test_leaves_the_right_form_alone(lint, case):
    report = lint(case.good, case.platform)
    assert [str(item) for item in report.findings if item.rule == case.rule] == []


def test_every_rule_has_a_case():
    archive_only = {"nested-bundle"}  # test_runner.py
    assert {case.rule for case in CASES} | archive_only == set(RULES)
