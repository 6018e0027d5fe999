# SPDX-License-Identifier: GPL-3.0-or-later
"""What a controller remembers is used only while AWS says the same, and holds no secret."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.cache import (
    account_of,
    cache_of,
    runtime_directory,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.cache import EnvironmentCache

CLIENT = SimpleNamespace(meta=SimpleNamespace(endpoint_url="http://scripted"))
SETTINGS = {"aws:elasticbeanstalk:application:environment": {"SECRET_KEY": "very secret"}}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "jack.beanstalk"


def environment(minute: int = 0) -> dict[str, Any]:
    updated = datetime(2026, 3, 3, 12, minute, tzinfo=UTC)
    return {"EnvironmentId": "e-1", "DateUpdated": updated, "Status": "Ready"}


def test_settings_are_known_until_the_environment_changes(folder: Path) -> None:
    EnvironmentCache(CLIENT, environment()).note_settings(environment(), SETTINGS, ["A sentence."])
    again = EnvironmentCache(CLIENT, environment())
    assert again.right_settings(environment(), SETTINGS) == ["A sentence."]
    assert again.right_settings(environment(1), SETTINGS) is None
    assert again.right_settings(environment(), {}) is None
    assert EnvironmentCache(CLIENT, {"EnvironmentId": "e-2"}).right_settings(environment(), SETTINGS) is None
    files = list(folder.iterdir())
    assert files
    assert all("very secret" not in file.read_text() for file in files)
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    next(folder.glob("cache-*.json")).write_text("not JSON")
    assert EnvironmentCache(CLIENT, environment()).right_settings(environment(), SETTINGS) is None


def test_the_leader_is_asked_for_once_per_deployment() -> None:
    asked: list[str] = []

    def says(state: str) -> Callable[[], dict[str, Any]]:
        return lambda: asked.append(state) or {"leader": {"state": state}, "hooks": []}

    def instances(number: int) -> list[dict[str, Any]]:
        return [{"InstanceId": "i-1", "Deployment": {"DeploymentId": number, "VersionLabel": "v1"}}]

    cache = EnvironmentCache(CLIENT, environment())
    assert cache.leader(instances(1), says("unknown"))["leader"]["state"] == "unknown"
    assert cache.leader(instances(1), says("found"))["leader"]["state"] == "found"
    assert cache.leader(instances(1), says("none"))["leader"]["state"] == "found"
    assert cache.leader(instances(2), says("none"))["leader"]["state"] == "none"
    assert cache.leader(None, says("lost"))["leader"]["state"] == "lost"
    assert asked == ["unknown", "found", "none", "lost"]


def test_one_at_a_time() -> None:
    with cache_of(CLIENT, "blog").exclusive_lock(1) as first:
        assert first
        with cache_of(CLIENT, "blog").exclusive_lock(0) as second:
            assert not second
        with cache_of(CLIENT, "shop").exclusive_lock(0) as other:
            assert other


def test_accounts_and_regions_with_applications_of_one_name_are_kept_apart() -> None:
    """One address may serve them all. Nothing listens there: no request is sent to find out."""

    def client(key: str, region: str) -> Any:
        keys = {"aws_access_key_id": key, "aws_secret_access_key": "y"}
        return boto3.client("elasticbeanstalk", region_name=region, endpoint_url="http://127.0.0.1:9", **keys)

    cache_of(client("one", "us-east-1"), "blog").put(versions=["v1"])
    assert cache_of(client("one", "us-east-1"), "blog").get("versions") == ["v1"]
    assert cache_of(client("two", "us-east-1"), "blog").get("versions") is None
    assert cache_of(client("one", "eu-west-1"), "blog").get("versions") is None


def test_keys_of_one_account_are_known_to_be() -> None:
    def key(account: int, kind: str, salt: int) -> str:
        packed = ((account << 7) | salt).to_bytes(6, "big") + bytes([salt] * 4)
        return kind + base64.b32encode(packed).decode()

    assert account_of(key(123456789012, "AKIA", 1)) == account_of(key(123456789012, "ASIA", 2)) == "123456789012"
    assert account_of("dummy") == "dummy"


def test_a_folder_behind_a_link_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    (tmp_path / "jack.beanstalk").symlink_to(tmp_path / "elsewhere")
    assert runtime_directory() is None


def test_a_folder_that_others_may_write_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "jack.beanstalk").mkdir(mode=0o777)
    (tmp_path / "jack.beanstalk").chmod(0o777)
    assert runtime_directory() is None
    assert not cache_of(CLIENT, "blog").lasts
