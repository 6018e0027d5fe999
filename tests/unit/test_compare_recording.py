# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two recordings is named, and what differs between any two runs is not."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "compare_recording"
CAPTURED = ROOT / "tests" / "fixtures" / "captured-settings.tsv"
# As in AWS's own API reference, of which the account, ids and dates are made up.
ANSWER: dict[str, Any] = {
    "Environments": [
        {
            "EnvironmentId": "e-rpqsewtp2j",
            "CNAME": "smoke.eu-west-1.elasticbeanstalk.com",
            "EnvironmentArn": "arn:aws:elasticbeanstalk:eu-west-1:123456789012:environment/smoke/smoke-live",
            "DateUpdated": "2026-08-12T18:25:01.123000+00:00",
            "AbortableOperationInProgress": False,
            "Tier": {"Name": "WebServer", "Type": "Standard", "Version": "1.0"},
        }
    ]
}
OTHER: dict[str, Any] = {
    "Environments": [
        {
            "EnvironmentId": "e-icsgecu3wf",
            "CNAME": "smoke.us-east-1.elasticbeanstalk.com",
            "EnvironmentArn": "arn:aws:elasticbeanstalk:us-east-1:210987654321:environment/smoke/smoke-live",
            "DateUpdated": "2027-01-02T03:04:05+00:00",
            "AbortableOperationInProgress": False,
            "Tier": {"Name": "WebServer", "Type": "Standard", "Version": "1.0"},
        }
    ]
}
Compare = Callable[..., "subprocess.CompletedProcess[str]"]


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, SCRIPT, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def compare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Compare:
    """Compare two recordings of one answer each."""
    monkeypatch.chdir(tmp_path)

    def call(one: Any, other: Any) -> subprocess.CompletedProcess[str]:
        for name, answer in (("aws", one), ("local", other)):
            folder = Path(name, "deployed")
            folder.mkdir(parents=True)
            (folder / "answer.json").write_text(json.dumps(answer))
        return run("aws", "--against", "local")

    return call


def test_another_account_region_and_day_is_no_difference(compare: Compare) -> None:
    told = compare(ANSWER, OTHER)
    assert (told.returncode, told.stdout, told.stderr) == (0, "0 differences in 1 answer.\n", "")


def test_members_that_are_named_by_identifiers_are_of_their_kind(compare: Compare) -> None:
    by_instance = {"i-0b6f2a1c9d8e7f3a4": {"Cause": "none"}, "i-0123456789abcdef0": {"Cause": "none"}}
    told = compare(by_instance, {"i-09c8b7a6d5e4f3210": {"Cause": "none"}})
    assert (told.returncode, told.stdout) == (0, "0 differences in 1 answer.\n")


def test_what_is_below_a_named_identifier_is_compared(compare: Compare) -> None:
    told = compare({"i-0b6f2a1c9d8e7f3a4": {"Cause": "a"}}, {"i-09c8b7a6d5e4f3210": {"Cause": "b"}})
    assert told.returncode == 1
    assert told.stdout.startswith('deployed/answer <i-…>.Cause: aws has "a", local "b"\n')


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"Tier": {"Name": "WebServer", "Type": "Standard", "Version": " "}},
            '.Tier.Version: aws has "1.0", local " "',
        ),
        ({"Tier": {"Name": "WebServer", "Type": "Standard"}}, ".Tier.Version: only in aws"),
        ({"Tier": None}, ".Tier: aws has members, local null"),
        ({"Health": {"Color": "Green"}}, ".Health: only in local"),
        ({"CNAME": "smoke.elasticbeanstalk.com"}, '.CNAME: aws has "smoke.<region>.elasticbeanstalk.com", local '),
        ({"EnvironmentId": "env-1"}, '.EnvironmentId: aws has "<e-…>", local "env-1"'),
        ({"AbortableOperationInProgress": 0}, ".AbortableOperationInProgress: aws has false, local a number"),
    ],
)
def test_one_difference_is_one_line(compare: Compare, change: dict[str, Any], line: str) -> None:
    changed = copy.deepcopy(OTHER)
    changed["Environments"][0] |= change
    told = compare(ANSWER, changed)
    assert told.returncode == 1
    (found, count) = told.stdout.splitlines()
    assert found.startswith(f"deployed/answer Environments[]{line}")
    assert count == "1 difference in 1 answer."


def test_events_are_compared_by_their_texts_whatever_their_order_and_number(compare: Compare) -> None:
    one = ["Added instance [i-0123456789abcdef0] to your environment.", "Environment health has transitioned to Ok."]
    other = [
        "Environment health has transitioned to Ok.",
        *["Added instance [i-fedcba9876543210f] to your environment."] * 2,
    ]
    texts = [[{"Message": text} for text in each] for each in (one, [*other, "Nobody knows this."])]
    told = compare(*texts)
    assert told.stdout == (
        'deployed/answer [].Message: aws has nothing else, local "Nobody knows this."\n1 difference in 1 answer.\n'
    )


def test_an_answer_that_one_of_them_has_not_is_named(compare: Compare, tmp_path: Path) -> None:
    (tmp_path / "local").mkdir()
    (tmp_path / "local" / "more.json").write_text("{}")
    told = compare(ANSWER, OTHER)
    assert (told.returncode, told.stdout) == (1, "more: only in local\n1 difference in 1 answer.\n")


def test_an_option_that_aws_tells_differently_is_named(tmp_path: Path) -> None:
    lines = CAPTURED.read_text().splitlines()
    changed = [line.replace("\t360", "\t300") for line in lines if "\tEC2KeyName\t" not in line]
    table = tmp_path / "changed.tsv"
    table.write_text("\n".join([*changed, "aws:elasticbeanstalk:command\tNew\t\t(no Value member)"]))
    told = run(CAPTURED, "--against", table)
    assert told.returncode == 1
    differences = told.stdout.partition("Not compared")[0].splitlines()
    place = "DescribeConfigurationSettings OptionSettings"
    assert differences == [
        f'{place}[aws:autoscaling:asg:Cooldown].Value: {CAPTURED} has "360", {table} "300"',
        f"{place}[aws:autoscaling:launchconfiguration:EC2KeyName]: only in {CAPTURED}",
        f"{place}[aws:elasticbeanstalk:command:New]: only in {table}",
    ]


def test_localstalks_readme_lists_what_differs_from_the_captured_settings() -> None:
    told = run(CAPTURED)
    assert told.returncode == 0, told.stderr
    readme = (ROOT / "localstalk" / "README.md").read_text()
    block = readme.partition("<!-- captured-settings.tsv: begin -->")[2].partition(
        "<!-- captured-settings.tsv: end -->"
    )[0]
    assert block.strip().splitlines()[2:-1] == told.stdout.splitlines()


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        (
            "nothing",
            None,
            "nothing is no recording: give a folder that smoke_test.yml wrote, or a table of settings (.tsv).",
        ),
        ("bad.tsv", "a\tb\n", "bad.tsv, line 1, has 2 columns, not namespace, option, resource name and value."),
        (
            "folder/bad.json",
            "{",
            "folder/bad.json is not JSON (Expecting property name enclosed in double quotes: line 1",
        ),
    ],
)
def test_what_is_no_recording_gets_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str | None, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    told = run(Path(name).parts[0], "--against", CAPTURED)
    assert (told.returncode, told.stdout) == (2, "")
    assert told.stderr.startswith(sentence) and len(told.stderr.splitlines()) == 1


def test_a_platform_that_localstalk_has_not_gets_a_sentence() -> None:
    told = run(CAPTURED, "--platform", "Fortran")
    assert told.returncode == 2
    assert told.stderr == "localstalk has no platform branch Fortran: name another one with --platform.\n"
