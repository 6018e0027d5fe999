#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_info
version_added: 1.0.0
short_description: Describe the instances of Elastic Beanstalk environments
description:
  - Tells of each instance which version it runs, since when, and how it is.
  - An environment without enhanced health reporting knows nothing of its instances, so it has none here.
author:
  - The jack.beanstalk team (!UNKNOWN)
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.attributes.info
  - jack.beanstalk.selection.many
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: Find instances that do not run what their environment runs
  jack.beanstalk.instance_info:
    application: blog
  register: known

- name: Say them
  ansible.builtin.debug:
    msg: "{{ known.instances | rejectattr('current') | map(attribute='instance_id') }}"
"""

RETURN = r"""
instances:
  description: The instances, by environment.
  returned: success
  type: list
  elements: dict
  sample:
    - instance_id: i-0123456789abcdef0
      environment_name: blog-production
      environment_id: e-abcdefghij
      application_name: blog
      version_label: blog-9a6b4ba045ee5d01
      current: true
      deployment_id: 7
      deployment_status: Deployed
      deployed_at: '2026-03-03T12:38:46.231Z'
      launched_at: '2026-03-01T02:00:00.000Z'
      instance_type: t3.small
      health_status: Ok
      color: Green
      causes: []
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 2
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.selection import MANY_ENVIRONMENTS
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.queries import list_instances


def main():
    module = AnsibleAWSModule(argument_spec=MANY_ENVIRONMENTS, supports_check_mode=True)
    calls = ModuleCalls(module)
    calls.answer(lambda: {"instances": list_instances(calls.client("elasticbeanstalk"), module.params)})


if __name__ == "__main__":
    main()
