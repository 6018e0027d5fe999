#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application_version_info
version_added: 1.0.0
short_description: Describe the versions of an Elastic Beanstalk application
description:
  - Describes versions, newest first, and which environments run them now.
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
  application:
    description:
      - Name of the application.
    type: str
    required: true
  version_labels:
    description:
      - Only versions with these labels. Unknown labels are left out.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Find versions that nothing runs
  jack.beanstalk.application_version_info:
    application: blog
  register: known

- name: Say them
  ansible.builtin.debug:
    msg: "{{ known.versions | rejectattr('environments') | map(attribute='version_label') }}"
"""

RETURN = r"""
versions:
  description: The versions, newest first.
  returned: success
  type: list
  elements: dict
  sample:
    - application_name: blog
      version_label: blog-9a6b4ba045ee5d01
      description: Show the newest entry first
      status: PROCESSED
      source_bundle: {s3_bucket: elasticbeanstalk-us-east-1-123456789012, s3_key: blog/blog-9a6b4ba045ee5d01.zip}
      environments: [blog-production]
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 2
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.queries import list_versions


def main():
    argument_spec = {
        "application": {"required": True, "type": "str"},
        "version_labels": {"default": [], "elements": "str", "type": "list"},
    }
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    calls = ModuleCalls(module)
    calls.answer(lambda: {"versions": list_versions(calls.client("elasticbeanstalk"), module.params)})


if __name__ == "__main__":
    main()
