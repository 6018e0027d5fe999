#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application_info
version_added: 1.0.0
short_description: Describe Elastic Beanstalk applications
description:
  - Describes applications with their tags.
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
  names:
    description:
      - Only applications with these names. Unknown names are left out.
    type: list
    elements: str
    default: []
  tags:
    description:
      - Whether to ask for the tags, which costs one call for each application.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: List all applications with one call
  jack.beanstalk.application_info:
    tags: false
"""

RETURN = r"""
applications:
  description: The applications, by name.
  returned: success
  type: list
  elements: dict
  sample:
    - application_name: blog
      description: Our blog
      application_arn: arn:aws:elasticbeanstalk:us-east-1:123456789012:application/blog
      configuration_templates: []
      tags: {team: web}
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 2
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.queries import list_applications


def main():
    argument_spec = {
        "names": {"default": [], "elements": "str", "type": "list"},
        "tags": {"default": True, "type": "bool"},
    }
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    calls = ModuleCalls(module)
    eb = calls.client("elasticbeanstalk")
    calls.answer(lambda: {"applications": list_applications(eb, module.params["names"], module.params["tags"])})


if __name__ == "__main__":
    main()
