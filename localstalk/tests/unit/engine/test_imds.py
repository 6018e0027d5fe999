# SPDX-License-Identifier: GPL-3.0-or-later
"""The instance metadata service's tree."""

from __future__ import annotations

import json

import pytest

from localstalk.engine.imds import lookup

FACTS = {"instance_id": "i-1", "region": "eu-west-1", "address": "172.31.0.3"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/latest/meta-data/instance-id", "i-1"),
        ("/latest/meta-data/instance-id/", "i-1"),
        ("/2021-07-15/meta-data/placement/", "availability-zone\nregion"),
        ("/latest/meta-data/placement/region?x=1", "eu-west-1"),
        ("/latest/", "dynamic/\nmeta-data/"),
        ("/latest/meta-data/iam/security-credentials/", None),
        ("/latest/meta-data/instance", None),
    ],
)
def test_lookup(path: str, text: str | None) -> None:
    assert lookup(path, FACTS) == text


def test_document() -> None:
    assert json.loads(lookup("/latest/dynamic/instance-identity/document", FACTS) or "")["region"] == "eu-west-1"
