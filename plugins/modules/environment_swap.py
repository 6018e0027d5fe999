#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_swap
version_added: 0.1.0
short_description: Give a CNAME to another Elastic Beanstalk environment
description:
  - Makes an environment the holder of a CNAME prefix, by swapping CNAMEs with the environment that holds it now.
  - Nothing happens when the environment holds it already, so a swap that is run again does not swap back.
  - Afterwards the CNAMEs are read again, by environment id, and both environments have to be Ready. With O(proof_path)
    or O(name_server) the names have to lead to their new environments too, by DNS and by HTTP.
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
  name_server:
    description:
      - Name server, as HOST or HOST:PORT, to ask for the names instead of what this machine resolves them to, which may
        be from a cache. One of those of C(REGION.elasticbeanstalk.com) tells the truth at once. Needs the Python
        library C(dnslib).
    type: str
  poll_interval:
    description:
      - Seconds between two looks.
    type: float
    default: 2
  proof_header:
    description:
      - Compare this header of the answers at O(proof_path) instead of their bodies.
    type: str
  proof_path:
    description:
      - Path, with its slash, at which the environments answer differently, such as one that shows an environment
        property or the version. It has to answer the same on all instances of an environment.
      - Before the swap, both are asked under their own names; nothing is swapped when they answer alike or not at all.
        Afterwards each name has to answer as the other did. Every request carries a new random parameter C(nonce), so
        that no cache can answer.
    type: str
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

- name: Let it go live, and prove that visitors get it
  jack.beanstalk.environment_swap:
    application: blog
    cname_prefix: blog-production
    name: blog-20260303
    proof_path: /health
    proof_header: X-Version
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
proof:
  description:
    - What O(proof_path) and O(name_server) proved after the swap, by CNAME; empty when nothing was to be proven.
  returned: success
  type: dict
  contains:
    environment:
      description: Name of the environment that the CNAME has to lead to.
      type: str
      returned: always
    dns:
      description: V(true) when its addresses are of that environment, V(null) when the names have none here.
      type: bool
      returned: always
    addresses:
      description: Its addresses.
      type: list
      elements: str
      returned: always
    http:
      description: V(true) when that environment answered, V(null) without O(proof_path).
      type: bool
      returned: always
  sample:
    blog-production.us-east-1.elasticbeanstalk.com:
      environment: blog-20260303
      dns: true
      addresses: [203.0.113.7]
      http: true
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
        "name_server": {"type": "str"},
        "poll_interval": {"default": 2, "type": "float"},
        "proof_header": {"type": "str"},
        "proof_path": {"type": "str"},
        "require_health": {"default": True, "type": "bool"},
        "wait_timeout": {"default": 600, "type": "int"},
    }
    module = AnsibleAWSModule(
        argument_spec=argument_spec,
        mutually_exclusive=[("environment_id", "name")],
        required_by={"proof_header": "proof_path"},
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
