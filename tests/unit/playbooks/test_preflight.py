# SPDX-License-Identifier: GPL-3.0-or-later
"""preflight.yml over an inventory, its page, and what deploy.yml --check does of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from localstalk.testing import Localstalk

ROOT = Path(__file__).resolve().parents[3]
SECRET = "do-not-tell-anybody"
COUNTS = r"\d+ ok, (\d+) warnings, (\d+) errors; (\d+) requests in [\d.]+ seconds"

Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Play]:
    """Run a playbook for a shop of the example's kind, with a few variables changed."""
    with_localstalk = Localstalk(tmp_path / "localstalk", "--driver", "sim", "--speed", "200")
    aws = with_localstalk.environ
    variables = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "eb_application": "shop",
        "eb_cname_prefix": "shop",
        "eb_region": aws["AWS_REGION"],
        "eb_platform": "Docker running on 64bit Amazon Linux 2023",
        "eb_option_settings": {
            "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}
        },
        "eb_environment_properties": {"ALLOWED_HOSTS": "*"},
        "eb_secrets": {"PASSWORD": {"value": SECRET}},
        "eb_hooks_prefix": "jack",
        "eb_hooks": [{"preset": "migrate"}, {"preset": "createsu"}],
        "eb_source": {"path": str(ROOT / "examples" / "blog"), "from": "work_tree"},
        "eb_preflight_report_folder": str(tmp_path / "reports"),
        "eb_aws": {
            "endpoint_url": with_localstalk.url,
            "access_key": aws["AWS_ACCESS_KEY_ID"],
            "secret_key": aws["AWS_SECRET_ACCESS_KEY"],
        },
    }

    def call(playbook: str, *options: str, **changes: object) -> subprocess.CompletedProcess[str]:
        inventory = tmp_path / "inventory.yml"
        inventory.write_text(json.dumps({"all": {"hosts": {"shop": variables | changes}}}))
        if "example" in changes:
            shutil.copytree(ROOT / "inventory" / "example", tmp_path / "example")
            edits = {name: variables[name] for name in ("eb_region", "eb_source", "eb_aws")}
            inventory, options = tmp_path / "example", (*options, "-e", json.dumps(edits))
        return subprocess.run(
            [Path(sys.executable).with_name("ansible-playbook"), "-i", inventory, playbook, *options],
            cwd=ROOT,
            env=os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    yield call
    with_localstalk.close()


def test_all_is_well_and_a_page_says_so(play: Play, tmp_path: Path) -> None:
    done = play("preflight.yml", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    counts = re.search(COUNTS, done.stdout)
    assert counts, done.stdout
    assert counts.group(1, 2) == ("0", "0"), done.stdout
    assert "changed=0" in done.stdout
    page = tmp_path / "reports" / "preflight-shop.html"
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert counts[0] in page.read_text()
    assert '<th scope="row" class="ok">ok</th>' in page.read_text()
    assert SECRET not in done.stdout + page.read_text()


@pytest.mark.slow
def test_error_fails_the_host_with_what_to_do(play: Play, tmp_path: Path) -> None:
    done = play(
        "preflight.yml",
        eb_option_settings={"aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "<nobody>"}},
        eb_hooks=[{"name": "warm", "command": "python manage.py warm_up"}],
    )
    assert done.returncode == 2, done.stdout
    assert "There is no instance profile <nobody>, or it has no role." in done.stdout
    assert "Create it with a role that trusts ec2.amazonaws.com and has AWSElasticBeanstalkWebTier." in done.stdout
    assert "A hook calls manage.py warm_up, and no application of the project has that command." in done.stdout
    assert "&lt;nobody&gt;" in (tmp_path / "reports" / "preflight-shop.html").read_text()


@pytest.mark.slow
def test_secrets_that_cannot_be_used_are_an_error(play: Play) -> None:
    done = play("preflight.yml", eb_secrets={"PASSWORD": {"value": SECRET, "arn": "arn:x"}})
    assert done.returncode == 2, done.stdout
    assert "PASSWORD" in done.stdout
    assert SECRET not in done.stdout


def test_deployment_in_check_mode_looks_first_and_goes_on(play: Play) -> None:
    done = play("deploy.yml", "--check", eb_option_settings={}, eb_hooks=[])
    assert "No instance profile is given, so that the instances may do nothing." in done.stdout, done.stdout
    assert re.search(COUNTS, done.stdout)
    assert done.returncode == 0, done.stdout


def test_example_inventory_is_all_that_a_django_project_needs(play: Play) -> None:
    """Copied, and with the edits that the guide names: where, what, and as whom."""
    done = play("preflight.yml", example=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [found[:2] for found in re.findall(COUNTS, done.stdout)] == [("0", "0"), ("0", "0")], done.stdout
