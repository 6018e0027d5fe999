# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of an inventory through deploy.yml, to simulated instances."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .action.batch import QUICK_CYCLE, run_playbook

LAUNCH = "aws:autoscaling:launchconfiguration"
ACTION = "aws:autoscaling:scheduledaction"
PROPERTIES = "aws:elasticbeanstalk:application:environment"
SETTINGS = [
    {"namespace": LAUNCH, "option_name": "IamInstanceProfile", "value": "shop-instances"},
    # The environment begins on Amazon Linux 2, and new accounts know launch templates only.
    {"namespace": LAUNCH, "option_name": "RootVolumeType", "value": "gp3"},
    {"namespace": ACTION, "resource_name": "Morning", "option_name": "MinSize", "value": 2},
    {"namespace": ACTION, "resource_name": "Night", "option_name": "MinSize", "value": 1},
]


class Inventory:
    """An inventory of one host, and runs of deploy.yml with it."""

    def __init__(self, folder: Path, aws: dict[str, str]) -> None:
        self.folder = folder
        (folder / "shop").mkdir()
        (folder / "shop/Dockerfile").write_text("FROM debian\nEXPOSE 80\n")
        self.variables: dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "eb_application": "shop-settings",
            "eb_cname_prefix": "shop-settings",
            "eb_region": aws["region"],
            "eb_platform": "Docker running on 64bit Amazon Linux 2",
            "eb_source": {"path": str(folder / "shop"), "from": "work_tree"},
            "eb_option_settings": SETTINGS,
            "eb_environment_properties": {"GREETING": "hello", "OLD": "1"},
            "eb_environment_properties_purge": True,
            "eb_aws": {key: aws[key] for key in ("endpoint_url", "access_key", "secret_key")},
            "eb_poll_interval": 0.2,
            "eb_recreate": QUICK_CYCLE,
        }

    def deploy(self, *words: str, **changed: Any) -> tuple[int, str]:
        """Run it; what is changed stays changed."""
        self.variables |= changed
        hosts = {"all": {"hosts": {"shop-settings": self.variables}}}
        (self.folder / "hosts.json").write_text(json.dumps(hosts))
        return run_playbook("deploy.yml", self.folder / "hosts.json", *words)


@pytest.mark.slow
def test_an_inventory_is_what_the_environment_has(aws: dict[str, str], tmp_path: Path, eb: Any) -> None:
    inventory = Inventory(tmp_path, aws)

    def live() -> dict[str, Any]:
        found = eb.describe_environments(ApplicationName="shop-settings", IncludeDeleted=False)["Environments"]
        (one,) = [each for each in found if each["CNAME"].startswith("shop-settings.") and each["Status"] == "Ready"]
        return dict(one)

    def properties() -> dict[str, str]:
        found = eb.describe_configuration_settings(
            ApplicationName="shop-settings", EnvironmentName=live()["EnvironmentName"]
        )["ConfigurationSettings"][0]["OptionSettings"]
        return {each["OptionName"]: each["Value"] for each in found if each["Namespace"] == PROPERTIES}

    rc, said = inventory.deploy()
    assert rc == 0, said
    rc, said = inventory.deploy()
    assert (rc, "changed=0" in said) == (0, True), said
    rc, said = inventory.deploy(eb_environment_properties={"GREETING": "hello"})
    assert rc == 0, said
    assert properties() == {"GREETING": "hello"}

    before = live()["EnvironmentId"]
    rc, said = inventory.deploy(eb_platform="Docker running on 64bit Amazon Linux 2023")
    assert rc == 2, said
    assert "is of another family, generation or architecture" in said
    assert live()["EnvironmentId"] == before
    # The way that the refusal names, for the same version.
    rc, said = inventory.deploy("--check", eb_deploy_strategy="swap")
    assert rc == 0, said
    assert live()["EnvironmentId"] == before
    rc, said = inventory.deploy(eb_deploy_strategy="swap", eb_environment_properties={"GREETING": "hello", "NEW": "2"})
    assert rc == 0, said
    assert live()["EnvironmentId"] != before
    assert live()["SolutionStackName"].startswith("64bit Amazon Linux 2023 v")
    assert properties() == {"GREETING": "hello", "NEW": "2"}
    rc, said = inventory.deploy()
    assert (rc, "changed=0" in said) == (0, True), said
