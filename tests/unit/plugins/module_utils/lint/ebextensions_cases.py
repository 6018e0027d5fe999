# SPDX-License-Identifier: GPL-3.0-or-later
"""Cases of the linter's rules: configuration files, and files that are none."""

from __future__ import annotations

from .cases import CONFIG, DOCKERFILE, DOCKERRUN, Case, options

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'4d7a' * 16}\nsize 12345\n"


CASES = [
    Case("yaml-syntax", {CONFIG: "files:\n\t/tmp/x:\n"}, {CONFIG: "files:\n  /tmp/x:\n    content: x\n"}, 2),
    Case("yaml-syntax", {CONFIG: "commands: {}\n".encode("utf-16")}, {CONFIG: "---\ncommands: {}\n...\n"}, 1),
    Case("yaml-syntax", {CONFIG: "a: [1\nb: 2\n"}, {CONFIG: "# all commented out\n"}, 2),
    Case("yaml-syntax", {CONFIG: b"files:\n  /tmp/\xff: {}\n"}, {CONFIG: "files:\n  /tmp/ä: {content: x}\n"}, 2),
    Case("yaml-syntax", {"cron.yaml": "version: 1\ncron: ]\n"}, {"cron.yaml": "version: 1\n"}, 2),
    Case("json-syntax", {"Dockerrun.aws.json": '{\n "AWSEBDockerrunVersion": "1"\n "x"}'}, DOCKERFILE, 3),
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
        "short-tag",
        {CONFIG: "Resources:\n  T:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: !Sub '${A}'\n"},
        {CONFIG: "Resources:\n  T:\n    Type: AWS::SNS::Topic\n    Properties:\n      DisplayName: {Ref: A}\n"},
        5,
    ),
    Case("short-tag", {CONFIG: "Outputs:\n  A: {Value: !GetAtt B.C}\n"}, {CONFIG: "Outputs:\n  A: {Value: ! x}\n"}, 2),
    Case(
        "ebextensions-ignored-file",
        {".platform/01.config": "option_settings: {}\n"},
        {".platform/nginx/a.config": "x\n"},
    ),
]
