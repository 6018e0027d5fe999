#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: history_info
version_added: 1.0.0
short_description: Tell what was live when in a logical environment
description:
  - Deployments in place and cycles of the logical environment, newest first, with who did it and which commit it was.
  - They are in the object of its lock, written by the same conditional write that frees the lock, so that none is lost.
    The last 10 are kept. What was done without this collection is not among them.
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.lock_info
  - module: jack.beanstalk.cycle
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.attributes.info
  - jack.beanstalk.selection.lock
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
"""

EXAMPLES = r"""
- name: What was live when?
  jack.beanstalk.history_info:
    application: blog
    cname_prefix: blog-production
"""

RETURN = r"""
history:
  description: What was done, newest first.
  returned: success
  type: list
  elements: dict
  contains:
    at:
      description: When it ended, on S3's clock.
      type: str
      returned: always
      sample: "2026-08-01T02:00:00.000Z"
    goal:
      description: V(update) for a deployment in place; V(recreate), V(deploy) and V(rollback) for cycles.
      type: str
      returned: always
    result:
      description: How it ended; V(done), or the result of a cycle that failed.
      type: str
      returned: always
    owner:
      description: Who did it, from which machine.
      type: str
      returned: always
      sample: deploy@build-3 5f2c9a01
    environment_id:
      description: The environment that was live afterwards.
      type: str
      returned: always
    version_label:
      description: The version that was live afterwards.
      type: str
      returned: always
    previous_environment_id:
      description: The environment that was live before; null where there was none.
      type: str
      returned: always
    previous_version_label:
      description: The version that was live before; null where there was none.
      type: str
      returned: always
    description:
      description: Commit of the version and the first line of its message; empty for cycles.
      type: str
      returned: always
    sentence:
      description: How a cycle ended, in a sentence; empty for deployments in place.
      type: str
      returned: always
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 1
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls, fail
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.selection import ONE_LOCK
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.history import history
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import open_store


def main():
    module = AnsibleAWSModule(argument_spec=ONE_LOCK, supports_check_mode=True)
    calls = ModuleCalls(module)
    try:
        found = calls.in_time(lambda: history(open_store(calls.client, module.params)))
    except AnsibleBeanstalkError as error:
        fail(module, error, api_calls=calls.total)
    module.exit_json(changed=False, history=found, api_calls=calls.total)


if __name__ == "__main__":
    main()
