# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clients are run, by the name of the test file, and in which version."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Client:
    """A client, the package that it is installed from and the lock file that pins it ("": whatever is installed)."""

    name: str
    package: str
    lock: str = ""

    @property
    def version(self) -> str:
        """The version that is pinned."""
        if not self.lock:
            return ""
        text = (ROOT / self.lock).read_text(encoding="utf-8")
        if self.lock.endswith(".json"):
            return str(json.loads(text)["packages"][f"node_modules/{self.package}"]["version"])
        found = re.search(rf"^{re.escape(self.package)}==([^ ]+)", text, re.MULTILINE)
        assert found is not None, f"{self.lock} does not pin {self.package}"
        return found[1]


CLIENTS = {
    "test_ansible": Client("Ansible's community.aws and amazon.aws", "ansible", "requirements/runtime.txt"),
    "test_aws_cli": Client("AWS CLI", "awscli", "localstalk/src/localstalk/images/instance/aws-cli.txt"),
    "test_boto3": Client("boto3", "boto3", "requirements/runtime.txt"),
    "test_eb": Client("eb CLI", "awsebcli", "requirements/eb.txt"),
    "test_ebi": Client("ebi", "ebi", "requirements/eb.txt"),
    "test_javascript": Client(
        "AWS SDK for JavaScript, version 3", "@aws-sdk/client-elastic-beanstalk", "requirements/js/package-lock.json"
    ),
    "test_terraform": Client("Terraform and its AWS provider", "hashicorp/aws"),
}
