#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application
version_added: 1.0.0
short_description: Manage an Elastic Beanstalk application
description:
  - Creates, changes or deletes an application, which is the name that environments and versions belong to.
  - An application that still has environments is never deleted.
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
    support: full
  idempotent:
    support: full
options:
  name:
    description:
      - Name of the application, 1 to 100 characters.
    type: str
    required: true
  description:
    description:
      - Description of the application. Nothing changes when it is not given; an empty text clears it.
    type: str
  tags:
    description:
      - Tags of the application. Nothing changes when they are not given. Running environments are not touched.
    type: dict
    aliases: [resource_tags]
  purge_tags:
    description:
      - Whether tags that are not in O(tags) are removed.
    type: bool
    default: true
  state:
    description:
      - V(present) creates or changes the application, V(absent) deletes it with all of its versions.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Have an application
  jack.beanstalk.application:
    name: blog
    description: Our blog
    tags:
      team: web

- name: Delete it
  jack.beanstalk.application:
    name: blog
    state: absent
"""

RETURN = r"""
application:
  description: The application as it is now, or in check mode as it would be; null when it is absent.
  returned: success
  type: dict
  contains:
    application_name:
      description: Name of the application.
      type: str
      returned: always
      sample: blog
    description:
      description: Description of the application.
      type: str
      returned: always
      sample: Our blog
    application_arn:
      description: ARN of the application.
      type: str
      returned: always
      sample: arn:aws:elasticbeanstalk:us-east-1:123456789012:application/blog
    date_created:
      description: When it was created.
      type: str
      returned: always
      sample: '2026-03-03T12:38:46.231Z'
    date_updated:
      description: When it was changed last.
      type: str
      returned: always
      sample: '2026-03-03T12:38:46.231Z'
    tags:
      description: The tags.
      type: dict
      returned: when tags are given
      sample: {team: web}
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.application.application import (
    ensure_application,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import (
    ModuleCalls,
    check_application_params,
    fail,
    finish,
)


def main():
    argument_spec = {
        "description": {"type": "str"},
        "name": {"required": True, "type": "str"},
        "purge_tags": {"default": True, "type": "bool"},
        "state": {"choices": ["present", "absent"], "default": "present", "type": "str"},
        "tags": {"aliases": ["resource_tags"], "type": "dict"},
    }
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    calls = ModuleCalls(module)
    try:
        check_application_params(module.params)
        changed, result = calls.in_time(
            lambda: ensure_application(calls.client("elasticbeanstalk"), module.params, module.check_mode)
        )
    except AnsibleBeanstalkError as error:
        fail(module, error, changed=calls.changed)
    finish(module, changed, result)


if __name__ == "__main__":
    main()
