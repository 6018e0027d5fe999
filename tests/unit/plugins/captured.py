# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole DescribeConfigurationSettings as AWS answered it: tests/fixtures/captured-settings.tsv says of what."""

from __future__ import annotations

from pathlib import Path

_FILE = Path(__file__).resolve().parents[2] / "fixtures" / "captured-settings.tsv"
_NO_VALUE = "(no Value member)"


def captured() -> list[dict[str, str]]:
    """The settings, as boto3 gives them."""
    found = []
    for line in _FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        namespace, option, resource, value = line.split("\t")
        setting = {"Namespace": namespace, "OptionName": option}
        setting |= {"ResourceName": resource} if resource else {}
        setting |= {"Value": value} if value != _NO_VALUE else {}
        found.append(setting)
    return found
