#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight_info
version_added: 1.0.0
short_description: Find what would keep a deployment to Elastic Beanstalk from succeeding
description:
  - Looks at the account, its roles, network and quotas, at the platform, the CNAME and the environment behind it, at
    option settings, tags, secrets and storage, and at the application's source. Nothing is changed.
  - What the caller may not read is a finding, too.
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
  cname_prefix:
    description:
      - CNAME prefix of the environment. A worker has none.
    type: str
  name:
    description:
      - Name of the environment.
    type: str
  tier:
    description:
      - Tier of the environment.
    type: str
    choices: [WebServer, Worker]
  platform:
    description:
      - Solution stack name, platform ARN, or platform branch name.
    type: str
  option_settings:
    description:
      - Option settings with environment properties and secrets by ARN, as M(jack.beanstalk.environment) takes them.
    type: raw
    default: {}
  tags:
    description:
      - Tags of the environment.
    type: dict
    default: {}
  lock_bucket:
    description:
      - S3 bucket of the lock. Elastic Beanstalk's own when it is not given.
    type: str
  playbooks:
    description:
      - Playbooks of this collection whose permissions are looked at. With V(recreate_and_swap), room for two
        environments at a time is looked for, and whether the live one can be recreated.
    type: list
    elements: str
    choices:
      - deploy
      - status
      - recreate_and_swap
      - rollback
      - preflight
      - history
      - unlock
      - scale
      - abort
      - clean_hooks
      - exec
      - logs
      - maintenance
      - smoke_test
    default: [deploy, recreate_and_swap]
  source:
    description:
      - Folder or bundle of the application, which is read and never run. It is not looked at when it is not given.
    type: path
  secrets:
    description:
      - Files of O(source) that git ignores and the bundle gets all the same, as M(jack.beanstalk.source_bundle) takes
        them.
    type: list
    elements: str
    default: []
  hook_commands:
    description:
      - Commands of the hooks.
    type: list
    elements: str
    default: []
  base_image:
    description:
      - Name of the base image with its registry.
    type: str
  local_images:
    description:
      - Whether instances can use images of this machine, as those of a local Elastic Beanstalk can.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds after which the module gives up where AWS does not answer.
    type: int
    default: 60
"""

EXAMPLES = r"""
- name: Look before the first deployment
  jack.beanstalk.preflight_info:
    application: shop
    cname_prefix: shop-production
    platform: Docker running on 64bit Amazon Linux 2023
    option_settings:
      aws:autoscaling:launchconfiguration:
        IamInstanceProfile: aws-elasticbeanstalk-ec2-role
    source: "{{ playbook_dir }}/shop"
  register: preflight
  failed_when: preflight.error_count > 0
"""

RETURN = r"""
findings:
  description: What was found, in the order of the checks.
  returned: success
  type: list
  elements: dict
  contains:
    level:
      description: V(ok), V(warning), or V(error) for what would fail.
      type: str
      sample: error
    what:
      description: A sentence.
      type: str
      sample: There is no default VPC in eu-central-1, and VPCId is not set.
    what_to_do:
      description: Another one; empty where all is well.
      type: str
ok_count:
  description: Number of findings that are V(ok).
  returned: success
  type: int
  sample: 17
warning_count:
  description: Number of warnings.
  returned: success
  type: int
  sample: 0
error_count:
  description: Number of errors.
  returned: success
  type: int
  sample: 0
seconds:
  description: How long the look took.
  returned: success
  type: float
  sample: 2.1
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 31
"""

import time

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls, fail
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.permissions import PLAYBOOKS
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.parts import guard_secrets
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.preflight.run import preflight


def main():
    argument_spec = {
        "application": {"required": True, "type": "str"},
        "cname_prefix": {"type": "str"},
        "name": {"type": "str"},
        "tier": {"choices": ["WebServer", "Worker"], "type": "str"},
        "platform": {"type": "str"},
        "option_settings": {"default": {}, "no_log": True, "type": "raw"},
        "tags": {"default": {}, "type": "dict"},
        "lock_bucket": {"type": "str"},
        "playbooks": {
            "choices": list(PLAYBOOKS),
            "default": ["deploy", "recreate_and_swap"],
            "elements": "str",
            "type": "list",
        },
        "source": {"type": "path"},
        "secrets": {"default": [], "elements": "str", "no_log": False, "type": "list"},
        "hook_commands": {"default": [], "elements": "str", "type": "list"},
        "base_image": {"type": "str"},
        "local_images": {"default": False, "type": "bool"},
        "wait_timeout": {"default": 60, "type": "int"},
    }
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    invocation = guard_secrets(module)
    calls, began = ModuleCalls(module), time.monotonic()
    try:
        found = calls.in_time(lambda: preflight(calls.client, module.params))
    except AnsibleBeanstalkError as error:
        fail(module, error, api_calls=calls.total, invocation=invocation)
    seconds = round(time.monotonic() - began, 1)
    module.exit_json(changed=False, **found, seconds=seconds, api_calls=calls.total, invocation=invocation)


if __name__ == "__main__":
    main()
