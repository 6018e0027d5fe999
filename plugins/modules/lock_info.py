#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lock_info
version_added: 1.0.0
short_description: Show the lock of a logical environment
description:
  - Tells whether a run of this collection holds the lock of a logical environment now, who, since when and what for.
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.lock
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
- name: Who holds the lock?
  jack.beanstalk.lock_info:
    application: blog
    cname_prefix: blog-production
"""

RETURN = r"""
lock:
  description: The lock as it is now.
  returned: success
  type: dict
  contains:
    held:
      description: Whether anybody holds it now.
      type: bool
      returned: always
    stopped:
      description:
        - Whether its holder ended without freeing it, as a run that is killed does. I(reason) says what it was about to
          do, and the next run of the playbook goes on from there.
      type: bool
      returned: always
    owner:
      description: Who holds it, or held it last when its time ran out; null when it is free.
      type: str
      returned: always
      sample: deploy@build-3 20260801T020000Z
    reason:
      description: What it is for.
      type: str
      returned: always
    token:
      description: Fencing token; grows by one with every new holder.
      type: int
      returned: always
      sample: 17
    acquired:
      description: Since when, on S3's clock.
      type: str
      returned: always
      sample: "2026-08-01T02:00:00+00:00"
    expires:
      description: When it ends, on S3's clock.
      type: str
      returned: always
      sample: "2026-08-01T02:15:00+00:00"
    seconds_left:
      description: How long it is still held; 0 when it is not.
      type: int
      returned: always
      sample: 870
bucket:
  description: S3 bucket of the lock.
  returned: success
  type: str
key:
  description: S3 key of the lock, and of the application's other locks.
  returned: success
  type: str
  sample: jack.beanstalk/locks/blog.json
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls, fail
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.selection import ONE_LOCK
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.state import look_up
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import open_store


def main():
    module = AnsibleAWSModule(argument_spec=ONE_LOCK, supports_check_mode=True)
    calls = ModuleCalls(module)
    try:
        answer = calls.in_time(lambda: look_up(open_store(calls.client, module.params)))
    except AnsibleBeanstalkError as error:
        fail(module, error)
    module.exit_json(changed=False, **answer)


if __name__ == "__main__":
    main()
