# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import io
from typing import Any

import pytest

from localstalk.calls import CallCounter

SIGNED = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=0"
FORM = b"Action=DescribeEnvironments&Version=2010-12-01"


def request(service: str, **more: Any) -> dict[str, Any]:
    return {"REQUEST_METHOD": "POST", "HTTP_AUTHORIZATION": SIGNED.format(service)} | more


@pytest.mark.parametrize(
    ("environ", "name"),
    [
        (
            request(
                "elasticbeanstalk",
                CONTENT_TYPE="application/x-www-form-urlencoded; charset=utf-8",
                CONTENT_LENGTH=str(len(FORM)),
                **{"wsgi.input": io.BytesIO(FORM)},
            ),
            "elasticbeanstalk:DescribeEnvironments",
        ),
        (request("ssm", HTTP_X_AMZ_TARGET="AmazonSSM.SendCommand"), "ssm:SendCommand"),
        (request("s3", REQUEST_METHOD="PUT"), "s3:PUT"),
        ({"REQUEST_METHOD": "GET"}, "unsigned:GET"),
    ],
)
def test_a_call_is_counted_by_service_and_operation(environ: dict[str, Any], name: str) -> None:
    calls = CallCounter()
    calls.note(environ)
    assert calls.totals() == {name: 1}


def test_the_body_is_there_for_whoever_answers() -> None:
    environ = request(
        "elasticbeanstalk",
        CONTENT_TYPE="application/x-www-form-urlencoded",
        CONTENT_LENGTH=str(len(FORM)),
        **{"wsgi.input": io.BytesIO(FORM)},
    )
    CallCounter().note(environ)
    assert environ["wsgi.input"].read() == FORM
