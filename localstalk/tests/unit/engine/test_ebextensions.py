# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration files of a bundle: order, forms, errors."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from localstalk.engine import ebextensions


def bundle(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def parse(text: str) -> ebextensions.ConfigFile:
    return ebextensions.parse_text(".ebextensions/a.config", text, "v1")


def test_files_come_in_alphabetical_order_and_nothing_else_is_read(tmp_path: Path) -> None:
    path = bundle(
        tmp_path / "app.zip",
        {
            ".ebextensions/b.config": "commands: {}",
            ".ebextensions/A.config": "",
            ".ebextensions/deep/c.config": "commands: {}",
            ".ebextensions/notes.txt": "no",
            "app/.ebextensions/d.config": "commands: {}",
        },
    )
    found = ebextensions.parse_bundle(path)
    assert [file.name for file in found] == [".ebextensions/A.config", ".ebextensions/b.config"]
    assert all(file.error is None for file in found)


def test_a_bare_dockerfile_has_no_configuration_files(tmp_path: Path) -> None:
    path = tmp_path / "Dockerfile"
    path.write_text("FROM scratch\n")
    assert ebextensions.parse_bundle(path) == []


def test_both_forms_of_option_settings() -> None:
    listed = parse(
        "option_settings:\n"
        "  - {namespace: 'aws:autoscaling:asg', option_name: MinSize, value: 2}\n"
        "  - {option_name: DEBUG, value: false}\n"
        "  - {namespace: 'aws:autoscaling:scheduledaction', resource_name: Up, option_name: MinSize, value: 3}\n"
    )
    mapped = parse(
        "option_settings:\n  aws:elasticbeanstalk:command:\n    Timeout: '900'\n    IgnoreHealthCheck: true\n"
    )
    assert ebextensions.option_settings([listed, mapped]) == [
        ("aws:autoscaling:asg", "MinSize", "", "2"),
        ("aws:elasticbeanstalk:application:environment", "DEBUG", "", "false"),
        ("aws:autoscaling:scheduledaction", "MinSize", "Up", "3"),
        ("aws:elasticbeanstalk:command", "Timeout", "", "900"),
        ("aws:elasticbeanstalk:command", "IgnoreHealthCheck", "", "true"),
    ]


def test_json_with_tabs_is_read() -> None:
    file = parse('{\n\t"option_settings": [{"option_name": "A", "value": null}]\n}')
    assert ebextensions.option_settings([file]) == [("aws:elasticbeanstalk:application:environment", "A", "", "")]


def test_modes_and_dates_stay_as_written() -> None:
    file = parse("files:\n  /a:\n    mode: 000755\n    content: 2026-01-01\n")
    assert file.data["files"]["/a"] == {"mode": "000755", "content": "2026-01-01"}


def test_an_unknown_key_skips_the_file_with_a_warning() -> None:
    file = parse("commands: {}\ncontainer_command: {}\n")
    assert file.error is not None
    assert "Contains invalid key: 'container_command'" in file.error
    assert not file.fatal
    assert file.data == {}


@pytest.mark.parametrize(
    "text",
    [
        "a: [",
        "- just a list",
        "commands:\n  01: echo",
        "container_commands:\n  01: {test: 'true'}",
        "files:\n  relative: {content: x}",
        "commands: [1]",
        "option_settings: text",
        "Resources: !Ref x",
        "Resources: [Bucket]",
        "Resources:\n  Bucket: AWS::S3::Bucket",
        "x: &a [*a, *a]\n? {",
    ],
)
def test_what_cannot_be_read_is_fatal_and_names_file_and_version(text: str) -> None:
    file = parse(text)
    assert file.fatal
    assert file.error is not None
    assert ".ebextensions/a.config in application version v1" in file.error


def test_a_huge_file_is_refused(tmp_path: Path) -> None:
    path = bundle(tmp_path / "app.zip", {".ebextensions/a.config": "#" * (ebextensions.MAX_FILE_BYTES + 1)})
    assert ebextensions.parse_bundle(path)[0].fatal
