#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_swap
version_added: 1.0.0
short_description: Give a CNAME to another Elastic Beanstalk environment
description:
  - Makes an environment the holder of a CNAME prefix, by swapping CNAMEs with the environment that holds it now.
  - Nothing happens when the environment holds it already, so a swap that is run again does not swap back.
  - Afterwards the CNAMEs are read again, by environment id, and both environments have to be Ready. Where the names
    lead visitors is not asked; M(jack.beanstalk.cycle) does, and swaps back when they do not lead to the new
    environment.
  - Clients may reach the previous environment until their DNS caches expire, so do not terminate it at once.
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
  application:
    description:
      - Name of the application.
    type: str
    required: true
  cname_prefix:
    description:
      - CNAME prefix that the environment shall have.
      - It is all that stands before C(.REGION.elasticbeanstalk.com) in the CNAME, so V(blog-production.eba-k3v9x2mq)
        where the holder was made without a prefix.
    type: str
    required: true
  environment_id:
    description:
      - Id of the environment that shall have it.
    type: str
  name:
    description:
      - Name of the environment that shall have it.
    type: str
  poll_interval:
    description:
      - Seconds between two polls.
    type: float
    default: 2
  require_health:
    description:
      - Whether the environment has to be Green, and every instance has to say that it runs the environment's version
        and is healthy, before it gets the CNAME.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds after which the module gives up, waiting for other operations included.
    type: int
    default: 600
"""

EXAMPLES = r"""
- name: Let the candidate go live
  jack.beanstalk.environment_swap:
    application: blog
    cname_prefix: blog-production
    environment_id: e-abcdefghij
"""

RETURN = r"""
environment:
  description: The environment that holds the CNAME prefix now, as M(jack.beanstalk.environment) returns it.
  returned: success
  type: dict
previous_id:
  description: Id of the environment that held it before; null when nothing was swapped.
  returned: success
  type: str
  sample: e-zyxwvutsrq
before:
  description: CNAME by environment id, before the swap.
  returned: success
  type: dict
  sample:
    e-abcdefghij: blog-new.us-east-1.elasticbeanstalk.com
    e-zyxwvutsrq: blog-production.us-east-1.elasticbeanstalk.com
after:
  description: CNAME by environment id, as Elastic Beanstalk describes it after the swap.
  returned: success
  type: dict
events:
  description: Events of the swap.
  returned: success
  type: list
  elements: dict
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 2
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import (
    ModuleCalls,
    fail,
    finish,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.swap import Swap


def main():
    argument_spec = {
        "application": {"required": True, "type": "str"},
        "cname_prefix": {"required": True, "type": "str"},
        "environment_id": {"type": "str"},
        "name": {"type": "str"},
        "poll_interval": {"default": 2, "type": "float"},
        "require_health": {"default": True, "type": "bool"},
        "wait_timeout": {"default": 600, "type": "int"},
    }
    module = AnsibleAWSModule(
        argument_spec=argument_spec,
        mutually_exclusive=[("environment_id", "name")],
        required_one_of=[("environment_id", "name")],
        supports_check_mode=True,
    )
    calls = ModuleCalls(module)
    try:
        changed, result = calls.in_time(
            lambda: Swap(calls.client("elasticbeanstalk"), module.params, module.check_mode).ensure()
        )
    except AnsibleBeanstalkError as error:
        fail(module, error, changed=calls.changed, api_calls=calls.total)
    finish(module, changed, {**result, "api_calls": calls.total})


if __name__ == "__main__":
    main()
