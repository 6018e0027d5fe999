# SPDX-License-Identifier: GPL-3.0-or-later
"""`eb_secrets` through deploy.yml, from an inventory that Ansible Vault has encrypted, to simulated instances."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import uuid
import zipfile
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
BIN = Path(sys.executable).parent
REFERENCES = "aws:elasticbeanstalk:application:environmentsecrets"
PROPERTIES = "aws:elasticbeanstalk:application:environment"
PROFILE = {"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "shop-instances"}}


class Shop:
    """An application with its inventory, on one localstalk."""

    def __init__(self, folder: Path, aws: dict[str, str]) -> None:
        self.folder = folder
        self.aws = aws
        # Short, long, and with characters that some output would quote: none may be seen.
        self.texts = {
            "signing": f"sig-{uuid.uuid4().hex}\nline two",
            "sentry": f"se\"n'{uuid.uuid4().hex}",
            "pin": "q7Zx",
        }
        (folder / "shop").mkdir()
        (folder / "shop/Dockerfile").write_text("FROM debian\nEXPOSE 80\n")
        (folder / "password").write_text("vault password\n")
        arn = self.client("secretsmanager").create_secret(
            Name=uuid.uuid4().hex, SecretString='{"key": "from the store"}'
        )
        self.arn = arn["ARN"] + ":key"
        self.secrets: dict[str, Any] = {
            "signing_key": {"file": ".secrets/signing_key", "content": "{{ vault_texts.signing }}"},
            "SENTRY": {"value": "{{ vault_texts.sentry }}"},
            "PIN": {"value": "{{ vault_texts.pin }}"},
            "DATABASE_PASSWORD": {"arn": self.arn},
        }
        variables = {
            "eb_application": "shop-secrets",
            "eb_cname_prefix": "shop-secrets",
            "eb_region": aws["region"],
            "eb_platform": "Docker running on 64bit Amazon Linux 2023",
            "eb_source": {"path": str(folder / "shop"), "from": "work_tree"},
            "eb_option_settings": PROFILE,
            "eb_environment_properties": {"PLAIN": "yes"},
            "eb_aws": {key: aws[key] for key in ("endpoint_url", "access_key", "secret_key")},
            "eb_poll_interval": 0.2,
        }
        group = folder / "inventory/group_vars/all"
        group.mkdir(parents=True)
        (folder / "inventory/hosts.yml").write_text("all: {hosts: {shop-secrets: {}}}\n")
        (group / "main.yml").write_text(yaml.safe_dump(variables))
        (group / "vault.yml").write_text(yaml.safe_dump({"vault_texts": self.texts}))
        self.run("ansible-vault", "encrypt", str(group / "vault.yml"))
        assert (group / "vault.yml").read_text().startswith("$ANSIBLE_VAULT;1.1;AES256")

    def client(self, service: str) -> Any:
        keys = {"aws_access_key_id": self.aws["access_key"], "aws_secret_access_key": self.aws["secret_key"]}
        return boto3.client(service, endpoint_url=self.aws["endpoint_url"], region_name=self.aws["region"], **keys)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = os.environ | {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_VAULT_PASSWORD_FILE": str(self.folder / "password"),
            "ANSIBLE_NOCOLOR": "1",
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(self.folder / "cache"),
        }
        return subprocess.run(
            words, cwd=self.folder, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    def deploy(self, **secrets: Any) -> tuple[int, str]:
        """Deploy as talkatively as can be; returns exit status and all output, after looking for secrets in it."""
        given = json.dumps({"eb_secrets": {**self.secrets, **secrets}})
        (self.folder / "inventory/group_vars/all/secrets.yml").write_text(given)
        done = self.run(
            "ansible-playbook", "-i", str(self.folder / "inventory"), str(ROOT / "deploy.yml"), "-vvv", "--diff"
        )
        said = done.stdout + done.stderr
        for text in (*self.texts.values(), "from the store"):
            for part in text.splitlines():
                for spelling in (part, json.dumps(part)[1:-1], repr(part)[1:-1]):
                    assert spelling not in said, f"a secret is shown: {text}"
        return done.returncode, said

    def settings(self) -> dict[tuple[str, str], str]:
        found = self.client("elasticbeanstalk").describe_configuration_settings(
            ApplicationName="shop-secrets", EnvironmentName="shop-secrets"
        )["ConfigurationSettings"][0]["OptionSettings"]
        return {(each["Namespace"], each["OptionName"]): each.get("Value", "") for each in found}

    def bundle(self) -> zipfile.ZipFile:
        eb = self.client("elasticbeanstalk")
        place = eb.describe_application_versions(ApplicationName="shop-secrets")["ApplicationVersions"][0][
            "SourceBundle"
        ]
        body = self.client("s3").get_object(Bucket=place["S3Bucket"], Key=place["S3Key"])["Body"].read()
        return zipfile.ZipFile(io.BytesIO(body))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, aws: dict[str, str]) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"), aws)


def test_every_secret_goes_its_way_and_none_is_shown(shop: Shop) -> None:
    rc, said = shop.deploy()
    assert rc == 0, said
    settings = shop.settings()
    assert settings[REFERENCES, "DATABASE_PASSWORD"] == shop.arn
    assert settings[PROPERTIES, "SENTRY"] == shop.texts["sentry"]
    assert settings[PROPERTIES, "PIN"] == shop.texts["pin"]
    assert settings[PROPERTIES, "PLAIN"] == "yes"
    with shop.bundle() as bundle:
        assert bundle.read(".secrets/signing_key").decode() == shop.texts["signing"]
    rc, said = shop.deploy()
    assert rc == 0, said
    assert "changed=0" in said


def test_a_secret_that_the_instances_cannot_have(shop: Shop) -> None:
    rc, said = shop.deploy(DATABASE_PASSWORD={"arn": shop.arn.replace(":key", ":nothing")})
    assert rc == 2, said
    assert "has no key nothing" in said
    assert "Failed to deploy configuration." in said
    assert shop.settings()[REFERENCES, "DATABASE_PASSWORD"] == shop.arn


def test_refused_before_anything_is_called(shop: Shop) -> None:
    rc, said = shop.deploy(SENTRY={"value": "{{ vault_texts.sentry * 200 }}"})
    assert rc == 2, said
    assert "bytes together, secrets included; Elastic Beanstalk takes 4096" in said
    assert "Bundle the source" not in said
