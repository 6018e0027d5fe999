#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_logs
version_added: 0.1.0
short_description: Fetch the end of the logs of an Elastic Beanstalk environment
description:
  - Asks the instances for the last 100 lines of each log, as C(eb logs) does, and returns them or writes them to
    files.
  - The environment has to be Ready.
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
    support: none
  idempotent:
    support: none
    details:
      - With O(dest), new logs are written every time.
options:
  dest:
    description:
      - Folder on the controller for the logs, as C(instance id/path of the log), with mode 0600. Without it the
        logs are returned.
    type: path
  instance_ids:
    description:
      - Only logs of these instances.
    type: list
    elements: str
    default: []
  poll_interval:
    description:
      - Seconds between two polls.
    type: float
    default: 2
  wait_timeout:
    description:
      - Seconds after which the module gives up.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Fetch the logs of the live environment
  jack.beanstalk.environment_logs:
    application: blog
    cname_prefix: blog-production
    dest: build/logs
"""

RETURN = r"""
logs:
  description: Instance id, then path of the log, then its last lines. Empty when they were written to files.
  returned: success
  type: dict
files:
  description: Files that were written.
  returned: success
  type: list
  elements: str
missing:
  description: Instances that sent nothing in time.
  returned: success
  type: list
  elements: str
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 2
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls, fail
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.selection import NAMED_BY, ONE_ENVIRONMENT
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.queries import fetch_logs


def main():
    argument_spec = {
        **ONE_ENVIRONMENT,
        "dest": {"type": "path"},
        "instance_ids": {"default": [], "elements": "str", "type": "list"},
        "poll_interval": {"default": 2, "type": "float"},
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
        if module.check_mode and module.params["dest"]:
            module.exit_json(changed=True, logs={}, files=[], missing=[], api_calls=0)
        changed, result = calls.in_time(lambda: fetch_logs(calls.client("elasticbeanstalk"), module.params))
    except AnsibleBeanstalkError as error:
        fail(module, error, api_calls=calls.total)
    module.exit_json(changed=changed, **result, api_calls=calls.total)


if __name__ == "__main__":
    main()
