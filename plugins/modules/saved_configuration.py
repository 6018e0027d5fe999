#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: saved_configuration
version_added: 1.0.0
short_description: Manage a saved configuration of an Elastic Beanstalk application
description:
  - Saves the configuration of an environment, or a platform with option settings, under a name; changes its
    description and option settings; or deletes it. The API calls it a configuration template.
  - A saved configuration is a copy. Environments do not follow it, and it does not follow its environment.
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.environment
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
    details:
      - Values of environment properties are never shown.
  idempotent:
    support: full
options:
  application:
    description:
      - Name of the application.
    type: str
    required: true
  name:
    description:
      - Name of the saved configuration, 1 to 100 characters.
    type: str
    required: true
  environment:
    description:
      - Name of the environment whose configuration is saved. Only used when the saved configuration does not exist.
    type: str
  platform:
    description:
      - Solution stack, ARN or branch of the platform, when no O(environment) is copied. It cannot be changed.
    type: str
  option_settings:
    description:
      - Option settings as a dictionary of namespaces, each a dictionary of options. They win over those of
        O(environment). Options that are not named are left alone. A null value removes one.
      - Or a list, as M(jack.beanstalk.environment) takes it.
    type: raw
    default: {}
  description:
    description:
      - Description, at most 200 characters. Nothing changes when it is not given.
    type: str
  state:
    description:
      - V(present) makes or changes the saved configuration, V(absent) deletes it.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Save how production is set up
  jack.beanstalk.saved_configuration:
    application: blog
    name: production-before-the-move
    environment: blog-production
"""

RETURN = r"""
saved_configuration:
  description: The saved configuration, or in check mode as it would be; null when it is absent.
  returned: success
  type: dict
  contains:
    template_name:
      description: Its name.
      type: str
      returned: always
    application_name:
      description: Name of the application.
      type: str
      returned: always
    description:
      description: Its description.
      type: str
      returned: always
    platform:
      description: Its platform; null when it was copied just now.
      type: str
      returned: always
    date_created:
      description: When it was made; null when it was made just now.
      type: str
      returned: always
    date_updated:
      description: When it was changed last.
      type: str
      returned: always
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 3
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import (
    ModuleCalls,
    fail,
    finish,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.parts import guard_secrets
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.saved_configurations import (
    ensure_saved,
)


def main():
    argument_spec = {
        "application": {"required": True, "type": "str"},
        "description": {"type": "str"},
        "environment": {"type": "str"},
        "name": {"required": True, "type": "str"},
        "option_settings": {"default": {}, "no_log": True, "type": "raw"},
        "platform": {"type": "str"},
        "state": {"choices": ["present", "absent"], "default": "present", "type": "str"},
    }
    exclusive = [("environment", "platform")]
    module = AnsibleAWSModule(argument_spec=argument_spec, mutually_exclusive=exclusive, supports_check_mode=True)
    invocation = guard_secrets(module)
    calls = ModuleCalls(module)
    try:
        changed, result = calls.in_time(
            lambda: ensure_saved(calls.client("elasticbeanstalk"), module.params, module.check_mode)
        )
    except AnsibleBeanstalkError as error:
        fail(module, error, changed=calls.changed, invocation=invocation)
    finish(module, changed, {**result, "api_calls": calls.total, "invocation": invocation})


if __name__ == "__main__":
    main()
