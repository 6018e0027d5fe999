#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application_version_prune
version_added: 1.0.0
short_description: Delete old versions of an Elastic Beanstalk application
description:
  - Keeps the newest versions, and every version that an environment runs or had when it was terminated a while ago.
  - While an operation is running on an environment of the application nothing is deleted, because the version that it
    is about to get cannot be known; the module warns then, and returns what it postponed.
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.application_version
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  application:
    description:
      - Name of the application.
    type: str
    required: true
  keep:
    description:
      - Number of the newest versions to keep, at least 1.
    type: int
    default: 20
  used_within_days:
    description:
      - Versions of environments that were terminated less than so many days ago stay. Elastic Beanstalk can restore an
        environment within 42 days, if its version is there.
    type: int
    default: 70
  label_prefix:
    description:
      - Only versions whose label begins with this are counted and deleted.
    type: str
    default: ""
  delete_source_bundle:
    description:
      - Whether the bundles are deleted from S3 too.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Keep the ten newest versions, and what is in use
  jack.beanstalk.application_version_prune:
    application: blog
    keep: 10
"""

RETURN = r"""
deleted:
  description: Labels that were deleted, or would be in check mode, oldest first.
  returned: success
  type: list
  elements: str
  sample: [blog-9a6b4ba045ee5d01]
postponed:
  description: Labels that were not deleted because an operation is running.
  returned: success
  type: list
  elements: str
reason:
  description: Why labels were postponed.
  returned: when there are any
  type: str
kept:
  description: Why each other label stays.
  returned: success
  type: dict
  sample:
    blog-5d019a6b4ba045ee: used by blog-production
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 2
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.application.pruning import prune
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import (
    ModuleCalls,
    fail,
    finish,
)


def main():
    argument_spec = {
        "application": {"required": True, "type": "str"},
        "delete_source_bundle": {"default": True, "type": "bool"},
        "keep": {"default": 20, "type": "int"},
        "label_prefix": {"default": "", "type": "str"},
        "used_within_days": {"default": 70, "type": "int"},
    }
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    calls = ModuleCalls(module)
    try:
        changed, result = calls.in_time(
            lambda: prune(calls.client("elasticbeanstalk"), module.params, module.check_mode)
        )
    except AnsibleBeanstalkError as error:
        fail(module, error, changed=calls.changed)
    if result["postponed"]:
        module.warn(result["reason"])
    finish(module, changed, {**result, "api_calls": calls.total})


if __name__ == "__main__":
    main()
