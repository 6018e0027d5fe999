#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_maintenance
version_added: 1.0.0
short_description: Show a page in place of the application of an Elastic Beanstalk environment
description:
  - Has the nginx of every instance answer all requests with a page and the status 503, with C(Retry-After), or ends
    that. Nothing is deployed, and the application goes on.
  - Health checks of load balancers get 200 from nginx meanwhile, also where the application is stopped, so that no
    instance is replaced; answers with the page are not logged, so that they do not count for the environment's health.
    A health check that must be answered by another status than 200 fails.
  - It holds until the next deployment, configuration update or restart of the instance's application, each of which
    writes nginx's configuration anew. Instances that come later, such as those of Auto Scaling, do not have it. Run it
    again after either.
  - It is for the server that Elastic Beanstalk configures, not for servers of your own in C(.platform/nginx/conf.d). A
    compose project, or another proxy server, has no nginx of Elastic Beanstalk and is refused.
  - By Run Command of AWS Systems Manager. The instances need its agent, as Amazon Linux 2 and 2023 have it, and an
    instance profile with the policy C(AmazonSSMManagedInstanceCore).
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
    details:
      - The instances are asked, which is a command of Systems Manager that changes nothing.
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  enabled:
    description:
      - Whether the page is shown, or the application.
    type: bool
    default: true
  page:
    description:
      - The page, as HTML. It should need nothing else from this name, as all of it answers with the page.
    type: str
    default: |-
      <!DOCTYPE html>
      <html lang="en">
      <meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>Maintenance</title>
      <h1>Maintenance</h1>
      <p>We are back soon.</p>
      </html>
  poll_interval:
    description:
      - Seconds between two polls.
    type: float
    default: 2
  retry_after:
    description:
      - Seconds after which clients are asked to come back, at least 1.
    type: int
    default: 600
  wait_timeout:
    description:
      - Seconds after which the module gives up.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Show a page while the database is moved
  jack.beanstalk.environment_maintenance:
    application: blog
    cname_prefix: blog-production
    page: "{{ lookup('ansible.builtin.file', 'maintenance.html') }}"
    retry_after: 1800

- name: Show the application again
  jack.beanstalk.environment_maintenance:
    application: blog
    cname_prefix: blog-production
    enabled: false
"""

RETURN = r"""
instances:
  description: The instances as they are now, or in check mode would be.
  returned: success
  type: list
  elements: dict
  contains:
    instance_id:
      description: The instance.
      type: str
      returned: always
      sample: i-0123456789abcdef0
    maintenance:
      description: Whether it shows the page.
      type: bool
      returned: always
    changed:
      description: Whether it did not do so before.
      type: bool
      returned: always
environment_id:
  description: Id of the environment.
  returned: success
  type: str
  sample: e-abcdefghij
environment_name:
  description: Its name.
  returned: success
  type: str
  sample: blog-production
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 6
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import (
    ModuleCalls,
    fail,
    finish,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.selection import NAMED_BY, ONE_ENVIRONMENT
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.maintenance import PAGE, maintain
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader.sources import Services


def main():
    argument_spec = {
        **ONE_ENVIRONMENT,
        "enabled": {"default": True, "type": "bool"},
        "page": {"default": PAGE, "type": "str"},
        "poll_interval": {"default": 2, "type": "float"},
        "retry_after": {"default": 600, "type": "int"},
        "wait_timeout": {"default": 120, "type": "int"},
    }
    module = AnsibleAWSModule(
        argument_spec=argument_spec,
        mutually_exclusive=[NAMED_BY],
        required_one_of=[NAMED_BY],
        supports_check_mode=True,
    )
    calls = ModuleCalls(module)
    try:
        services = Services(*(calls.client(name) for name in ("elasticbeanstalk", "ec2", "ssm")))
        changed, result = calls.in_time(lambda: maintain(services, module.params, module.check_mode))
    except AnsibleBeanstalkError as error:
        fail(module, error, changed=calls.changed, api_calls=calls.total)
    finish(module, changed, {**result, "api_calls": calls.total})


if __name__ == "__main__":
    main()
