# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator does with the collection, from the tarball, in an empty folder, with one ansible-core."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from built import program, run
from cells import Cell

SECRET = "s3-cr-t of the matrix"
QUICK = {
    "bake_time": 0.2,
    "request_settle_time": 6,
    "max_decision_age": 5,
    "dns_ttl": 0.2,
    "dns_margin": 0.2,
    "drain_timeout": 0.5,
}
VARIABLES = {
    "ansible_connection": "local",
    "eb_application": "shop",
    "eb_cname_prefix": "shop-live",
    "eb_region": "us-east-1",
    "eb_platform": "Docker running on 64bit Amazon Linux 2023",
    "eb_source": {"path": "{{ inventory_dir }}/shop", "from": "work_tree"},
    "eb_hooks_prefix": "matrix",
    "eb_hooks": [{"preset": "collectstatic"}, {"preset": "migrate"}],
    "eb_secrets": {
        "TOKEN": {"value": SECRET},
        "signing": {"file": ".secrets/signing", "content": SECRET},
    },
    "eb_option_settings": {
        "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}
    },
    "eb_poll_interval": 0.2,
    "eb_recreate": {
        **QUICK,
        "poll_interval": 0.2,
        "drain_requests_per_minute": 1000,
        "force": True,
        "retain_old_for": 3600,
    },
}


class Shop:
    """A project of its own, with nothing but an inventory and its sources."""

    def __init__(self, folder: Path, cell: Cell, variables: Mapping[str, str], aws: Mapping[str, str]) -> None:
        self.folder, self.cell, self.variables, self.aws = folder, cell, {**variables, **aws}, aws
        (folder / "shop").mkdir()
        self.edit("first")
        (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"shop-live": VARIABLES}}}))
        (folder / "shop.beanstalk.yml").write_text("plugin: jack.beanstalk.instances\nregion: us-east-1\n")

    def edit(self, text: str) -> None:
        (self.folder / "shop" / "Dockerfile").write_text(f"FROM scratch\nEXPOSE 8000\nLABEL text={text}\n")

    def run(self, name: str, *words: object, status: int = 0) -> str:
        """Output of a program of the cell; a secret is nowhere in it."""
        path = program(f"core{self.cell.core}", name)
        said = run(path, *words, cwd=self.folder, env=self.variables, status=status)
        assert SECRET not in said
        return said

    def play(self, name: str, status: int = 0) -> str:
        return self.run("ansible-playbook", "-i", "hosts.yml", f"jack.beanstalk.{name}", "-vv", "--diff", status=status)

    def client(self, service: str) -> Any:
        keys = {
            "aws_access_key_id": self.aws["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": self.aws["AWS_SECRET_ACCESS_KEY"],
            "aws_session_token": self.aws.get("AWS_SESSION_TOKEN"),
        }
        place = {"endpoint_url": self.aws["AWS_ENDPOINT_URL"], "region_name": self.aws["AWS_REGION"]}
        return boto3.client(service, **place, **keys)

    def live(self) -> dict[str, Any]:
        found = self.client("elasticbeanstalk").describe_environments(ApplicationName="shop", IncludeDeleted=False)
        return next(dict(one) for one in found["Environments"] if one["CNAME"].startswith("shop-live."))


@pytest.fixture(scope="module")
def shop(
    cell: Cell,
    installed: Path,
    elsewhere: dict[str, str],
    aws: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Shop:
    """The project, deployed once."""
    assert installed.is_dir()
    shop = Shop(tmp_path_factory.mktemp("project"), cell, elsewhere, aws)
    first = shop.play("deploy")
    assert re.search(r"Leader: +i-\w+", first), first
    assert "Successfully launched environment: shop-live" in first, "progress is printed"
    return shop


def test_the_cell_is_what_it_says(cell: Cell, shop: Shop) -> None:
    version = shop.run("ansible", "--version")
    assert f"[core {cell.core}." in version
    assert f"python version = {cell.python}." in version
    listed = shop.run("ansible-galaxy", "collection", "list", "amazon.aws")
    assert re.findall(r"^amazon.aws +(\d+)\.", listed, re.MULTILINE) == [cell.amazon_aws], listed
    documented = shop.run("ansible-doc", "-F", "jack.beanstalk")
    assert "jack.beanstalk.environment" in documented


def test_deployment_has_hooks_and_secrets_then_changes_nothing(shop: Shop) -> None:
    label = shop.live()["VersionLabel"]
    versions = shop.client("elasticbeanstalk").describe_application_versions(VersionLabels=[label])
    place = versions["ApplicationVersions"][0]["SourceBundle"]
    body = shop.client("s3").get_object(Bucket=place["S3Bucket"], Key=place["S3Key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as bundle:
        assert bundle.read(".secrets/signing").decode() == SECRET
        assert any(name.startswith(".platform/hooks/postdeploy/") for name in bundle.namelist())
    again = shop.play("deploy")
    assert re.search(r"changed=0 .*failed=0", again), again
    assert shop.live()["VersionLabel"] == label


def test_deployment_that_fails_says_why_and_can_be_repeated(shop: Shop, localstalk: list[object]) -> None:
    before = shop.live()
    shop.edit("second")
    run(*localstalk, "fault", "add", "command", "outcome=FAILURE", "times=1", cwd=shop.folder)
    failed = shop.play("deploy", status=2)
    assert re.search(r"Deploying version shop-\w+ to the environment shop-live failed: ", failed), failed
    assert shop.live()["VersionLabel"] == before["VersionLabel"]
    assert re.search(r"changed=[1-9]\d* .*failed=0", shop.play("deploy"))
    assert shop.live()["VersionLabel"] != before["VersionLabel"]


def test_cycle_and_rollback_move_the_name(shop: Shop) -> None:
    before = shop.live()["EnvironmentId"]
    ended = shop.play("recreate_and_swap")
    assert re.search(r"\[shop-live\] \d\d:\d\d:\d\d SWAP ", ended), "progress is printed"
    fresh = shop.live()["EnvironmentId"]
    assert fresh != before
    assert re.search(r"failed=0", shop.play("rollback"))
    assert shop.live()["EnvironmentId"] == before


def test_status_and_inventory_list_what_runs(shop: Shop) -> None:
    live = shop.live()
    shown = shop.play("status")
    assert re.search(r"Leader: +i-\w+", shown), shown
    assert f"shop-live ({live['EnvironmentId']}), live" in shown
    shop.run("ansible-inventory", "-i", "shop.beanstalk.yml", "--list", "--output", "listed.json")
    hosts = json.loads((shop.folder / "listed.json").read_text())["eb_application_shop"]["hosts"]
    assert hosts
    assert all(name.startswith("i-") for name in hosts)
