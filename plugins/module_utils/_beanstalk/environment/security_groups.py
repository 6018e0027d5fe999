# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which security groups Elastic Beanstalk itself made for an environment.

It lists them beside the user's in ``SecurityGroups``. Neither id nor name tells which is which: the tag does that
CloudFormation sets on what it makes ("Resource tag" of the AWS CloudFormation User Guide). An environment's stack is
called awseb-ID-stack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.errors import translate_errors

_STACK = "aws:cloudformation:stack-name"
_LOGICAL_ID = "aws:cloudformation:logical-id"
_OWN_RESOURCE = "AWSEB"


@translate_errors("ask which security groups are Elastic Beanstalk's")
def generated_groups(ec2: Any, environment_id: str) -> frozenset[str]:
    """Ids and names of the groups that Elastic Beanstalk made for the environment. One request to EC2.

    A group that .ebextensions add to the environment's stack is the user's.
    """
    wanted = [{"Name": f"tag:{_STACK}", "Values": [f"awseb-{environment_id}-stack"]}]
    found = ec2.describe_security_groups(Filters=wanted)["SecurityGroups"]
    return frozenset(str(one[key]) for one in found if _is_own(one) for key in ("GroupId", "GroupName"))


def _is_own(group: Mapping[str, Any]) -> bool:
    tags = {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}
    return str(tags.get(_LOGICAL_ID, _OWN_RESOURCE)).startswith(_OWN_RESOURCE)
