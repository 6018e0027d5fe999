# SPDX-License-Identifier: GPL-3.0-or-later
"""The instance metadata service's tree and its tokens."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from localstalk.engine.imds import Handler, Server, lookup

FACTS = {"instance_id": "i-1", "region": "eu-west-1", "address": "172.31.0.3", "account": "123456789012"}
ROLE = {"info": {"Code": "Success"}, "role": "web", "credentials": {"Code": "Success", "AccessKeyId": "ASIA1"}}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/latest/meta-data/instance-id", "i-1"),
        ("/latest/meta-data/instance-id/", "i-1"),
        ("/2021-07-15/meta-data/placement/", "availability-zone\nregion"),
        ("/latest/meta-data/placement/region?x=1", "eu-west-1"),
        ("/latest/", "dynamic/\nmeta-data/"),
        ("/latest/meta-data/iam/security-credentials/", None),
        ("/latest/meta-data/iam/", None),
        ("/latest/meta-data/instance", None),
    ],
)
def test_lookup(path: str, text: str | None) -> None:
    assert lookup(path, FACTS) == text


def test_document() -> None:
    document = json.loads(lookup("/latest/dynamic/instance-identity/document", FACTS) or "")
    assert (document["region"], document["accountId"]) == ("eu-west-1", "123456789012")


def test_role() -> None:
    assert lookup("/latest/meta-data/iam/", FACTS, ROLE) == "info\nsecurity-credentials/"
    assert lookup("/latest/meta-data/iam/security-credentials/", FACTS, ROLE) == "web"
    credentials = lookup("/latest/meta-data/iam/security-credentials/web", FACTS, ROLE)
    assert json.loads(credentials or "") == ROLE["credentials"]
    assert lookup("/latest/meta-data/iam/security-credentials/other", FACTS, ROLE) is None


@pytest.fixture
def ask() -> Iterator[Callable[..., tuple[int, str]]]:
    """Ask a running service that answers without a token or (after ``facts``) does not."""

    class Own(Handler):
        facts: Any = FACTS | {"imds_v1": True}

    with Server(("127.0.0.1", 0), Own) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()

        def one(method: str, path: str, imds_v1: bool = True, **headers: str) -> tuple[int, str]:
            Own.facts = FACTS | {"imds_v1": imds_v1}
            connection = http.client.HTTPConnection(*server.server_address, timeout=10)
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode()
            connection.close()
            return status, text

        yield one
        server.shutdown()
        thread.join()


ID = "/latest/meta-data/instance-id"
TOKEN = "/latest/api/token"


def test_tokens(ask: Callable[..., tuple[int, str]]) -> None:
    status, token = ask("PUT", TOKEN, X_aws_ec2_metadata_token_ttl_seconds="60")
    assert status == 200
    assert ask("GET", ID, imds_v1=False, X_aws_ec2_metadata_token=token) == (200, "i-1")
    assert ask("GET", ID) == (200, "i-1")
    assert ask("GET", ID, imds_v1=False) == (401, "")
    assert ask("GET", ID, X_aws_ec2_metadata_token="made-up") == (401, "")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"X_aws_ec2_metadata_token_ttl_seconds": "0"}, 400),
        ({"X_aws_ec2_metadata_token_ttl_seconds": "21601"}, 400),
        ({"X_aws_ec2_metadata_token_ttl_seconds": "soon"}, 400),
        ({"X_aws_ec2_metadata_token_ttl_seconds": "60", "X_Forwarded_For": "10.0.0.1"}, 403),
    ],
)
def test_who_gets_no_token(ask: Callable[..., tuple[int, str]], headers: dict[str, str], status: int) -> None:
    assert ask("PUT", TOKEN, **headers) == (status, "")
