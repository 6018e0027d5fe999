#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_info
version_added: 1.0.0
short_description: Describe Elastic Beanstalk environments
description:
  - Describes environments with health, causes, tags, and what each instance runs. Environments that were terminated are
    left out.
  - To find the live environment, ask by O(cname_prefix). Names change with every recreation of an environment.
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
options:
  gather:
    description:
      - What to ask for beside the environments themselves. Each costs one more call for every environment.
    type: list
    elements: str
    choices: [health, instances, tags]
    default: [health, instances, tags]
"""

EXAMPLES = r"""
- name: Find the live environment
  jack.beanstalk.environment_info:
    application: blog
    cname_prefix: blog-production
  register: live

- name: List all environments with one call
  jack.beanstalk.environment_info:
    gather: []
"""

RETURN = r"""
environments:
  description: The environments, ordered by application and name.
  returned: success
  type: list
  elements: dict
  contains:
    environment_name:
      description: Name of the environment.
      type: str
      returned: always
      sample: blog-production
    environment_id:
      description: Id of the environment.
      type: str
      returned: always
      sample: e-abcdefghij
    application_name:
      description: Name of the application.
      type: str
      returned: always
      sample: blog
    environment_arn:
      description: ARN of the environment.
      type: str
      returned: always
    description:
      description: Description of the environment.
      type: str
      returned: always
    version_label:
      description: Version that was deployed last with success.
      type: str
      returned: always
    status:
      description: Status, such as V(Ready) or V(Updating).
      type: str
      returned: always
      sample: Ready
    health:
      description: Health as a colour.
      type: str
      returned: always
      sample: Green
    health_status:
      description: Health status of enhanced health reporting.
      type: str
      returned: always
      sample: Ok
    cname:
      description: CNAME of the environment, null for workers.
      type: str
      returned: always
    cname_prefix:
      description:
        - What stands before C(.REGION.elasticbeanstalk.com) in the CNAME, in lower case; null for workers.
      type: str
      returned: always
    url:
      description: URL made from the CNAME.
      type: str
      returned: always
    endpoint_url:
      description: Name of the load balancer, or address of the instance.
      type: str
      returned: always
    platform:
      description: Name of the solution stack, or ARN of the platform version.
      type: str
      returned: always
    platform_arn:
      description: ARN of the platform version.
      type: str
      returned: always
    tier:
      description: V(WebServer) or V(Worker).
      type: str
      returned: always
    abortable_operation_in_progress:
      description: Whether an operation is running that can be aborted.
      type: bool
      returned: always
    date_created:
      description: When it was created.
      type: str
      returned: always
    date_updated:
      description: When it was changed last.
      type: str
      returned: always
    causes:
      description: Why the health is what it is.
      type: list
      elements: str
      returned: when health is gathered
    instances:
      description: Instances, as M(jack.beanstalk.environment) returns them.
      type: list
      elements: dict
      returned: when instances are gathered
    verification:
      description:
        - Whether the environment runs the version that it says, by the rules of M(jack.beanstalk.environment). An
          environment without instances, or with basic health reporting, costs up to three calls more for it.
      type: dict
      returned: when instances are gathered
      contains:
        state:
          description:
            - V(verified) when every instance says that it runs the version, its deployment is Deployed and its health
              is accepted.
            - V(waiting) while an operation is running or an instance is starting.
            - V(redeploy) when an instance runs another version or its deployment failed.
            - V(failed) when only health is bad, or instances are missing.
          type: str
          returned: always
          sample: verified
        reasons:
          description: Why it is not V(verified).
          type: list
          elements: str
          returned: always
        causes:
          description: What Elastic Beanstalk says of bad health.
          type: list
          elements: str
          returned: always
        warnings:
          description: What was accepted, and should be known.
          type: list
          elements: str
          returned: always
    tags:
      description: Tags that users set.
      type: dict
      returned: when tags are gathered
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 4
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.selection import MANY_ENVIRONMENTS
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.environments import (
    describe_all,
)


def main():
    gather = ["health", "instances", "tags"]
    argument_spec = {
        **MANY_ENVIRONMENTS,
        "gather": {"choices": gather, "default": gather, "elements": "str", "type": "list"},
    }
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    calls = ModuleCalls(module)
    calls.answer(lambda: {"environments": describe_all(calls.client, module.params)})


if __name__ == "__main__":
    main()
