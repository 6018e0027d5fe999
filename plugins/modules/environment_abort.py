#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_abort
version_added: 1.0.0
short_description: Abort the update that runs on an Elastic Beanstalk environment
description:
  - Aborts a deployment or another update of an environment, and waits until the environment is Ready again. Elastic
    Beanstalk brings instances that were updated already back to what they ran before.
  - Nothing happens when nothing runs. An operation that Elastic Beanstalk cannot abort, such as a launch, is a failure.
  - No lock is taken, as it belongs to the run whose operation is aborted; that run ends as failed.
author:
  - The jack.beanstalk team (!UNKNOWN)
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.selection.one
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
  poll_interval:
    description:
      - Seconds between two polls.
    type: float
    default: 5
  wait_timeout:
    description:
      - Seconds after which the module gives up.
    type: int
    default: 900
"""

EXAMPLES = r"""
- name: Stop the deployment that runs
  jack.beanstalk.environment_abort:
    application: blog
    cname_prefix: blog-production
"""

RETURN = r"""
environment:
  description: The environment afterwards, as M(jack.beanstalk.environment) returns it.
  returned: success
  type: dict
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 4
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import (
    ModuleCalls,
    fail,
    finish,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.selection import NAMED_BY, ONE_ENVIRONMENT
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.abort import ensure_aborted


def main():
    argument_spec = {
        **ONE_ENVIRONMENT,
        "poll_interval": {"default": 5, "type": "float"},
        "wait_timeout": {"default": 900, "type": "int"},
    }
    module = AnsibleAWSModule(
        argument_spec=argument_spec,
        mutually_exclusive=[NAMED_BY],
        required_one_of=[NAMED_BY],
        supports_check_mode=True,
    )
    calls = ModuleCalls(module)
    try:
        client = calls.client("elasticbeanstalk")
        changed, result = calls.in_time(lambda: ensure_aborted(client, module.params, module.check_mode))
    except AnsibleBeanstalkError as error:
        fail(module, error, changed=False, api_calls=calls.total)
    finish(module, changed, {**result, "api_calls": calls.total})


if __name__ == "__main__":
    main()
