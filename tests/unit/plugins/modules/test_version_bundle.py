# SPDX-License-Identifier: GPL-3.0-or-later
"""application_version and the bundle in S3: gone, replaced, or of other dates than the one at hand."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.application import versions
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.application.bundle_checksum import (
    missing_bundle,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core import cache
from botocore.stub import Stubber

Run = Callable[..., dict[str, Any]]


def bundle_of(folder: Path, year: int) -> str:
    path = folder / f"{year}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo("Dockerfile", (year, 1, 1, 0, 0, 0)), "FROM scratch\n")
    return str(path)


@pytest.fixture
def s3(aws: dict[str, str]) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=aws["endpoint_url"],
        region_name=aws["region"],
        aws_access_key_id=aws["access_key"],
        aws_secret_access_key=aws["secret_key"],
    )


@pytest.fixture
def made(run: Run, tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """A version, and the parameters with which it was made."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name)
    assert not run("application", name=name).get("failed")
    params = {"application": name, "version_label": "v1", "src": bundle_of(tmp_path, 2024), "poll_interval": 0.05}
    result = run("application_version", **params)
    assert result["changed"]
    return {
        "params": params,
        "place": {name: result["version"]["source_bundle"][name] for name in ("s3_bucket", "s3_key")},
    }


def place(made: dict[str, Any]) -> dict[str, str]:
    return {"Bucket": made["place"]["s3_bucket"], "Key": made["place"]["s3_key"]}


def test_bundle_of_other_dates_is_the_same_version(run: Run, made: Any, s3: Any, tmp_path: Path) -> None:
    before = s3.head_object(**place(made))["ETag"]
    result = run("application_version", **{**made["params"], "src": bundle_of(tmp_path, 2025)})
    assert not result["changed"]
    assert s3.head_object(**place(made))["ETag"] == before


def test_bundle_that_is_gone_is_uploaded_again(run: Run, made: Any, s3: Any) -> None:
    s3.delete_object(**place(made))
    predicted = run("application_version", check=True, **made["params"])
    assert predicted["changed"]
    assert predicted["diff"] == {"before": {"source_bundle": "gone"}, "after": {"source_bundle": "uploaded"}}
    done = run("application_version", **made["params"])
    assert (done["changed"], done["diff"]) == (True, predicted["diff"])
    assert s3.get_object(**place(made))["Body"].read() == Path(made["params"]["src"]).read_bytes()
    assert not run("application_version", **made["params"])["changed"]


@pytest.mark.parametrize("checksum", [{}, {"ChecksumAlgorithm": "SHA256"}])
def test_bundle_that_was_replaced_is_uploaded_again(run: Run, made: Any, s3: Any, checksum: dict[str, str]) -> None:
    s3.put_object(**place(made), Body=b"something else", **checksum)
    assert run("application_version", check=True, **made["params"])["diff"]["before"] == {"source_bundle": "replaced"}
    assert run("application_version", **made["params"])["changed"]
    assert s3.get_object(**place(made))["Body"].read() == Path(made["params"]["src"]).read_bytes()
    assert not run("application_version", **made["params"])["changed"]


def test_without_a_record_whatever_is_there_counts(run: Run, made: Any, s3: Any, eb: Any) -> None:
    cache.cache_of(eb, made["params"]["application"]).invalidate()
    s3.put_object(**place(made), Body=b"of another controller")
    assert not run("application_version", **made["params"])["changed"]


def test_without_src_nothing_is_looked_at(run: Run, made: Any, s3: Any) -> None:
    s3.delete_object(**place(made))
    assert not run("application_version", **{**made["params"], "src": None})["changed"]


def test_credentials_that_may_not_look_change_nothing(made: Any, s3: Any, eb: Any) -> None:
    version = {
        "ApplicationName": made["params"]["application"],
        "VersionLabel": "v1",
        "SourceBundle": {"S3Bucket": made["place"]["s3_bucket"], "S3Key": made["place"]["s3_key"]},
    }
    with Stubber(s3) as stub:
        stub.add_client_error("head_object", "403", "Forbidden", 403)
        assert missing_bundle(eb, s3, version) == ""


def test_bundle_that_somebody_replaced_is_not_deployed_again(
    run: Run, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any instance may write to Elastic Beanstalk's bucket; what the label says is put back before it is deployed."""
    wanted = {
        "application": "replaced",
        "name": "replaced-live",
        "platform": "Docker running on 64bit Amazon Linux 2023",
        "instance_profile": "aws-elasticbeanstalk-ec2-role",
        "poll_interval": 0.1,
    }
    for label, year in (("v1", 2024), ("v2", 2025)):
        told = run("environment", **wanted, version_label=label, src=bundle_of(tmp_path, year))
        assert told.get("changed"), told
    (first, *_rest) = run("application_version_info", application="replaced", version_labels=["v1"])["versions"]
    where = {"Bucket": first["source_bundle"]["s3_bucket"], "Key": first["source_bundle"]["s3_key"]}
    before = s3.get_object(**where)["Body"].read()
    s3.put_object(**where, Body=b"of an attacker", ChecksumAlgorithm="SHA256")
    monkeypatch.setattr(versions, "_FRESH_SECONDS", -1.0)
    told = run("environment", **wanted, version_label="v1", src=bundle_of(tmp_path, 2024))
    assert told.get("changed"), told
    assert s3.get_object(**where)["Body"].read() == before
