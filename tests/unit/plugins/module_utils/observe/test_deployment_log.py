# SPDX-License-Identifier: GPL-3.0-or-later
"""Elastic Beanstalk's deployment log, and that nothing depends on it."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.deployment_log import (
    deployment_log,
    failed_step,
)
from botocore.response import StreamingBody
from botocore.stub import Stubber

FOLDER = "resources/environments/logs/deployments/e-1/"
# As the Developer Guide shows one, "Viewing deployment logs".
FAILED = """\
2026/03/17 15:13:15.1 [INFO] Starting Application deployment
2026/03/17 15:13:16.2 [INFO] Running platform hook: .platform/hooks/predeploy/01_migrate.sh
2026/03/17 15:13:17.3 [ERROR] RunAppDeployPreDeployHooks failed
django.db.utils.OperationalError: could not connect
2026/03/17 15:13:17.4 [ERROR] Application deployment failed
"""


@pytest.fixture
def s3() -> Any:
    return boto3.client("s3", region_name="eu-central-1", aws_access_key_id="x", aws_secret_access_key="x")


def content(text: str) -> dict[str, Any]:
    return {"Body": StreamingBody(io.BytesIO(text.encode()), len(text))}


def test_log_of_a_request_is_one_read_and_shows_the_failed_step(s3: Any) -> None:
    with Stubber(s3) as stub:
        stub.add_response("get_object", content(FAILED), {"Bucket": "b", "Key": FOLDER + "eb-deployment-req-1.log"})
        found = deployment_log(s3, "b", "e-1", "req-1")
    assert found is not None
    assert found.name == "eb-deployment-req-1.log"
    assert failed_step(found.lines) == FAILED.splitlines()[2:]
    assert failed_step(found.lines[:2]) == []


def test_newest_log_is_found_on_any_page(s3: Any) -> None:
    def one(name: str, day: int) -> dict[str, Any]:
        return {"Key": FOLDER + name, "LastModified": datetime(2026, 3, day, tzinfo=UTC)}

    first = {"Contents": [one("eb-deployment-a.log", 2)], "IsTruncated": True, "NextContinuationToken": "next"}
    then = {"Contents": [one("selfstartup/eb-deployment-b-i-1.log", 4), one("eb-deployment-c.log", 3)]}
    with Stubber(s3) as stub:
        stub.add_response("list_objects_v2", first, {"Bucket": "b", "Prefix": FOLDER})
        stub.add_response("list_objects_v2", then, {"Bucket": "b", "Prefix": FOLDER, "ContinuationToken": "next"})
        stub.add_response(
            "get_object", content("x"), {"Bucket": "b", "Key": FOLDER + "selfstartup/eb-deployment-b-i-1.log"}
        )
        assert deployment_log(s3, "b", "e-1") == ("eb-deployment-b-i-1.log", ["x"])


@pytest.mark.parametrize(("code", "status"), [("NoSuchKey", 404), ("AccessDenied", 403), ("NoSuchBucket", 404)])
def test_one_that_is_not_there_or_may_not_be_read_is_none(s3: Any, code: str, status: int) -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("get_object", code, http_status_code=status)
        assert deployment_log(s3, "b", "e-1", "req-1") is None
        stub.add_response("list_objects_v2", {})
        assert deployment_log(s3, "b", "e-1") is None


def test_other_refusals_are_told(s3: Any) -> None:
    with Stubber(s3) as stub:
        stub.add_client_error("get_object", "SlowDown", http_status_code=503)
        with pytest.raises(AnsibleBeanstalkError, match="Failed to read the deployment log"):
            deployment_log(s3, "b", "e-1", "req-1")
