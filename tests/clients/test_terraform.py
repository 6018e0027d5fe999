# SPDX-License-Identifier: GPL-3.0-or-later
"""Terraform with its AWS provider: apply, an empty plan, a change, destroy; where both are installed."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from localstalk.testing import Localstalk

PROVIDER = "registry.terraform.io/hashicorp/aws"
NO_CHANGES, CHANGES = 0, 2
CONFIGURATION = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}
provider "aws" {
  s3_use_path_style = true
}
variable "label" {}
resource "aws_s3_bucket" "bundles" {
  bucket        = "shop-bundles"
  force_destroy = true
}
resource "aws_s3_object" "bundle" {
  bucket = aws_s3_bucket.bundles.id
  key    = "${var.label}.zip"
  source = "bundle.zip"
}
resource "aws_elastic_beanstalk_application" "shop" {
  name        = "shop"
  description = "A shop"
}
resource "aws_elastic_beanstalk_application_version" "shop" {
  name        = var.label
  application = aws_elastic_beanstalk_application.shop.name
  bucket      = aws_s3_bucket.bundles.id
  key         = aws_s3_object.bundle.key
  lifecycle {
    create_before_destroy = true
  }
}
resource "aws_elastic_beanstalk_configuration_template" "saved" {
  name                = "saved"
  application         = aws_elastic_beanstalk_application.shop.name
  solution_stack_name = "64bit Amazon Linux 2023 v4.8.0 running Docker"
  setting {
    namespace = "aws:autoscaling:launchconfiguration"
    name      = "IamInstanceProfile"
    value     = "aws-elasticbeanstalk-ec2-role"
  }
}
resource "aws_elastic_beanstalk_environment" "shop" {
  name          = "shop-terraform"
  application   = aws_elastic_beanstalk_application.shop.name
  template_name = aws_elastic_beanstalk_configuration_template.saved.name
  version_label = aws_elastic_beanstalk_application_version.shop.name
  poll_interval = "10s"
  setting {
    namespace = "aws:elasticbeanstalk:application:environment"
    name      = "LABEL"
    value     = var.label
  }
}
"""


def lacking() -> str | None:
    """Why Terraform cannot be run here; None when it can. Providers come from local mirrors, no registry is asked."""
    if shutil.which("terraform") is None:
        return "terraform is not on PATH"
    data = os.environ.get("XDG_DATA_HOME", Path.home() / ".local/share")
    folders = [Path.home() / ".terraform.d/plugins", Path(data, "terraform/plugins")]
    folders += [Path(path, "terraform/plugins") for path in ("/usr/local/share", "/usr/share")]
    if not any((folder / PROVIDER).is_dir() for folder in folders):
        return f"the provider {PROVIDER} is in none of Terraform's local mirrors ({', '.join(map(str, folders))})"
    return None


@pytest.mark.skipif(lacking() is not None, reason=f"{lacking()}")
def test_apply_plan_change_destroy(tmp_path: Path) -> None:
    localstalk = Localstalk(tmp_path / "localstalk", "--driver", "sim", "--speed", "200")
    try:
        cycle(localstalk, tmp_path)
    finally:
        localstalk.close()


def cycle(localstalk: Localstalk, tmp_path: Path) -> None:
    """From nothing to two versions, one after the other, and back."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "main.tf").write_text(CONFIGURATION)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("Dockerfile", "FROM scratch\n")
    (folder / "bundle.zip").write_bytes(content.getvalue())
    own = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")} | localstalk.environ

    def terraform(*words: str, label: str = "v1", rc: int = 0) -> None:
        done = subprocess.run(
            ["terraform", *words],
            cwd=folder,
            env=own | {"TF_IN_AUTOMATION": "1", "TF_VAR_label": label},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == rc, done.stdout

    eb = localstalk.client("elasticbeanstalk")
    terraform("init", "-input=false")
    for label in ("v1", "v2"):
        terraform("plan", "-input=false", "-detailed-exitcode", label=label, rc=CHANGES)
        terraform("apply", "-input=false", "-auto-approve", label=label)
        terraform("plan", "-input=false", "-detailed-exitcode", label=label, rc=NO_CHANGES)
        (found,) = eb.describe_environments(IncludeDeleted=False)["Environments"]
        assert (found["VersionLabel"], found["Status"], found["Health"]) == (label, "Ready", "Green")
    terraform("destroy", "-input=false", "-auto-approve", label="v2")
    assert eb.describe_applications()["Applications"] == []
