#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: sns_message
version_added: 1.0.0
short_description: Send a message to an SNS topic
description:
  - Publishes one message to a topic of Amazon SNS, so that its subscribers get it.
author:
  - The jack.beanstalk team (!UNKNOWN)
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
    support: none
  idempotent:
    support: none
    details: Every run sends a message.
options:
  topic:
    description:
      - ARN of a standard topic, whose region is used in place of O(region).
    type: str
    required: true
  subject:
    description:
      - First line, for subscribers by mail. SNS takes one line of ASCII of less than 100 characters, so what is not is
        replaced or cut.
    type: str
    default: ""
  text:
    description:
      - The message itself, at most 256 KiB.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Tell the operators
  jack.beanstalk.sns_message:
    topic: arn:aws:sns:eu-central-1:123456789012:operators
    subject: blog is being deployed
    text: Version blog-0a1b2c3d4e5f6071 goes to blog-production.
"""

RETURN = r"""
message_id:
  description: SNS's id of the message; null in check mode.
  returned: success
  type: str
  sample: 567910cd-659e-55d4-8ccb-5aaf14679dc0
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import (
    ModuleCalls,
    fail,
    finish,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.notification import publish


def main():
    spec = {
        "topic": {"type": "str", "required": True},
        "subject": {"type": "str", "default": ""},
        "text": {"type": "str", "required": True},
    }
    module = AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)
    calls = ModuleCalls(module)
    try:
        sent = calls.in_time(lambda: publish(calls.client, module.params, module.check_mode))
    except AnsibleBeanstalkError as error:
        fail(module, error)
    finish(module, True, {"message_id": sent})


if __name__ == "__main__":
    main()
