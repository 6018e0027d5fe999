#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cycles
version_added: 1.0.0
short_description: Replace many live environments by fresh ones in one process
description:
  - Does for a list of logical environments what M(jack.beanstalk.cycle) does for one, all at the same time. The
    requests of waiting grow with the number of applications, and not with that of environments; the requests of an
    account and region are kept at the rate that AWS takes; accounts and regions go on side by side.
  - A cycle that fails fails alone. The task itself fails only when its arguments are unusable, so that it may be a task
    with C(run_once). M(jack.beanstalk.item_result) then makes each host's own result of it. Nor does the task itself
    count as changed, which a recap would count for the first host; each result says it for its own.
  - With C(connection=local), the steps of each cycle are printed as they come, and after 30 seconds without news what
    is waited for.
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.cycle
  - module: jack.beanstalk.item_result
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.progress
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    details:
      - Nothing is called that writes. C(plan) and C(steps) of each cycle say what a run would do.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Every cycle that is not skipped makes a new environment. C(min_age) skips one that is young enough.
options:
  cycles:
    description:
      - The wanted cycles. Each has an C(item), the name by which its result is found, the options of
        M(jack.beanstalk.cycle), and those by which AWS is reached. One that names its C(region) is reached by its own
        options only, others as this task is.
      - One with a C(problem), a sentence, fails with it.
      - No two may be for one logical environment.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: Replace the live environments by fresh ones
  jack.beanstalk.cycles:
    cycles:
      - item: shop-eu
        application: shop
        cname_prefix: shop-eu
        smoke_tests:
          - path: /healthz
        region: eu-central-1
      - item: shop-us
        application: shop
        cname_prefix: shop-us
        region: us-east-1
  register: recreated
  run_once: true

- name: Make it each host's own result
  jack.beanstalk.item_result:
    items: "{{ recreated.cycles }}"
"""

RETURN = r"""
cycles:
  description:
    - By C(item), what M(jack.beanstalk.cycle) would have returned, with C(changed), and with C(failed) and C(msg) where
      the module would have failed.
  returned: always
  type: dict
  sample:
    shop-eu:
      changed: true
      result: done
      sentence: shop-eu-261130-020000 (e-k3v9x2mqxy) is live in place of e-a1b2c3d4e5.
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
  sample: 43
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule, aws_argument_spec
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.arguments import ITEMS
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.job import cycle_item
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.module import run_many


def main():
    arguments = {
        "cycles": {"elements": "dict", "no_log": True, "required": True, "type": "list"},
        "progress_file": {"type": "path"},
    }
    module = AnsibleAWSModule(argument_spec=arguments, supports_check_mode=True)
    run_many(module, "cycles", ITEMS, cycle_item, aws_argument_spec())


if __name__ == "__main__":
    main()
