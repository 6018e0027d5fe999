#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: lock
version_added: 1.0.0
short_description: Hold or free the lock of a logical environment
description:
  - Every run of this collection that writes to a logical environment holds its lock, so that two of them never
    interleave.
  - The lock has an owner, a reason, an end, and a fencing token that only grows. The locks of an application are one
    object in S3, written with conditional writes, so that nobody loses what others write at the same time.
  - Running environments are not touched.
  - A lock may be taken over when its time has run out (and 15 seconds more), or at once when its holder was an Ansible
    run on this machine that has ended.
  - All times are on S3's clock, so a wrong clock of a controller does no harm.
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.lock_info
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.selection.lock
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
  owner:
    description:
      - Who holds the lock, for example a user, a host and something that differs for every run. Whoever gives the same
        owner holds the same lock.
      - Needed unless O(state=absent) with O(force=true).
    type: str
  reason:
    description:
      - What the lock is for. Others who want it are shown this.
    type: str
    default: ""
  ttl:
    description:
      - Seconds after which the lock ends unless it is renewed. Run the module again to renew it; nothing is written
        while more than half of the time is left.
    type: int
    default: 900
  wait_timeout:
    description:
      - Seconds to wait for another holder. With V(0) the module fails at once.
    type: int
    default: 0
  poll_interval:
    description:
      - Seconds between two polls at a lock that somebody else holds.
    type: float
    default: 5
  force:
    description:
      - Takes, or frees, a lock that somebody else holds. Only right when that somebody is known to do nothing any more.
    type: bool
    default: false
  state:
    description:
      - V(present) takes or renews the lock.
      - V(absent) frees it when O(owner) holds it. A lock of somebody else stays, which is no failure.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Keep others away while a dump is restored
  jack.beanstalk.lock:
    application: blog
    cname_prefix: blog-production
    owner: restore-{{ now(utc=true, fmt='%Y%m%d%H%M%S') }}
    reason: restoring the dump of Monday
    ttl: 3600
    wait_timeout: 600

- name: Free it
  jack.beanstalk.lock:
    application: blog
    cname_prefix: blog-production
    force: true
    state: absent
"""

RETURN = r"""
lock:
  description: The lock as it is now, or in check mode as it would be. On failure, the lock that is in the way.
  returned: always
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
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import (
    ModuleCalls,
    fail,
    finish,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.selection import ONE_LOCK
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import LockedError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.state import ensure_lock, show
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import open_store


def main():
    argument_spec = {
        **ONE_LOCK,
        "force": {"default": False, "type": "bool"},
        "owner": {"type": "str"},
        "poll_interval": {"default": 5, "type": "float"},
        "reason": {"default": "", "type": "str"},
        "state": {"choices": ["present", "absent"], "default": "present", "type": "str"},
        "ttl": {"default": 900, "type": "int"},
        "wait_timeout": {"default": 0, "type": "int"},
    }
    required_if = [("state", "present", ("owner",)), ("state", "absent", ("owner", "force"), True)]
    module = AnsibleAWSModule(argument_spec=argument_spec, required_if=required_if, supports_check_mode=True)
    params = module.params
    calls = ModuleCalls(module)
    try:
        changed, result = calls.in_time(
            lambda: ensure_lock(open_store(calls.client, params), params, module.check_mode)
        )
    except LockedError as error:
        fail(module, error, lock=show(error.lease, error.now))
    except AnsibleBeanstalkError as error:
        fail(module, error)
    finish(module, changed, result)


if __name__ == "__main__":
    main()
