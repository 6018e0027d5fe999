#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environments
version_added: 1.0.0
short_description: Manage many Elastic Beanstalk environments in one process
description:
  - Does for a list of environments what M(jack.beanstalk.environment) does for one, all at the same time. The requests
    of waiting grow with the number of applications, and not with that of environments; the requests of an account and
    region are kept at the rate that AWS takes; accounts and regions go on side by side.
  - An environment that fails fails alone. The task itself fails only when its arguments are unusable, so that it may
    be a task with C(run_once). M(jack.beanstalk.item_result) then makes each host's own result of it. Nor does
    the task itself count as changed, which a recap would count for the first host; each result says it for its own.
  - With C(connection=local), Elastic Beanstalk's events are printed as they come, each with its own time, and after 30
    seconds without news what is waited for.
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.environment
  - module: jack.beanstalk.item_result
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.attributes.environment
  - jack.beanstalk.progress
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  environments:
    description:
      - The wanted environments. Each has an C(item), the name by which its result is found, the options of
        M(jack.beanstalk.environment), and those by which AWS is reached. One that names its C(region) is reached by its
        own options only, others as this task is.
      - One with a C(problem), a sentence, fails with it.
      - No two may be for one logical environment.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Bring all environments to this version
  jack.beanstalk.environments:
    environments:
      - item: shop-eu
        application: shop
        name: shop-eu
        cname_prefix: shop-eu
        platform: Docker running on 64bit Amazon Linux 2023
        version_label: shop-9a6b4ba045ee5d01
        region: eu-central-1
      - item: shop-us
        application: shop
        name: shop-us
        cname_prefix: shop-us
        platform: Docker running on 64bit Amazon Linux 2023
        version_label: shop-9a6b4ba045ee5d01
        region: us-east-1
  register: deployed
  run_once: true

- name: Make it each host's own result
  jack.beanstalk.item_result:
    items: "{{ deployed.environments }}"
"""

RETURN = r"""
environments:
  description:
    - By C(item), what M(jack.beanstalk.environment) would have returned, with C(changed), and with C(failed) and C(msg)
      where it failed.
  returned: always
  type: dict
  sample:
    shop-eu:
      changed: true
      actions: [create_version, update_version]
failed_items:
  description: Those that failed, by C(item).
  returned: always
  type: list
  elements: str
  sample: []
details_file:
  description:
    - File on the controller with events and logs of what failed, in the folder C(jack.beanstalk/failures) of
      E(XDG_STATE_HOME) or C(~/.local/state). Only its owner can read it. The newest 50 are kept.
  returned: when there are any
  type: str
  sample: /home/ops/.local/state/jack.beanstalk/failures/20261130T020000Z-x1y2z3.txt
api_calls:
  description: Number of requests that were sent to AWS.
  returned: always
  type: int
  sample: 9
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule, aws_argument_spec
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.arguments import ITEMS
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.job import environment_item
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.module import run_many


def main():
    arguments = {
        "environments": {"elements": "dict", "no_log": True, "required": True, "type": "list"},
        "progress_file": {"type": "path"},
    }
    module = AnsibleAWSModule(argument_spec=arguments, supports_check_mode=True)
    run_many(module, "environments", ITEMS, environment_item, aws_argument_spec())


if __name__ == "__main__":
    main()
