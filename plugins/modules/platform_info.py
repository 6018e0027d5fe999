#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: platform_info
version_added: 1.0.0
short_description: List the platforms of Elastic Beanstalk
description:
  - Lists solution stacks with their branch and version, and marks the newest of each branch.
author:
  - The jack.beanstalk team (!UNKNOWN)
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.attributes.info
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  branch:
    description:
      - Only platforms of this branch, such as V(Docker running on 64bit Amazon Linux 2023).
    type: str
  contains:
    description:
      - Only platforms with this text in their name.
    type: str
"""

EXAMPLES = r"""
- name: Find the newest Docker platform
  jack.beanstalk.platform_info:
    branch: Docker running on 64bit Amazon Linux 2023
  register: known

- name: Say it
  ansible.builtin.debug:
    msg: "{{ (known.platforms | selectattr('newest') | first).name }}"
"""

RETURN = r"""
platforms:
  description: The platforms, by branch and name.
  returned: success
  type: list
  elements: dict
  sample:
    - solution_stack_name: 64bit Amazon Linux 2023 v4.3.0 running Docker
      platform_branch_name: Docker running on 64bit Amazon Linux 2023
      platform_version: 4.3.0
      newest: true
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 2
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.queries import list_platforms


def main():
    argument_spec = {
        "branch": {"type": "str"},
        "contains": {"type": "str"},
    }
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    calls = ModuleCalls(module)
    eb = calls.client("elasticbeanstalk")
    calls.answer(lambda: {"platforms": list_platforms(eb, module.params["branch"], module.params["contains"])})


if __name__ == "__main__":
    main()
