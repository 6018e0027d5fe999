#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_command
version_added: 1.0.0
short_description: Run a shell script on the instances of an Elastic Beanstalk environment
description:
  - Runs a script as root on the leader, on one instance or on all instances, by Run Command of AWS Systems Manager, and
    returns what each of them said. It needs no SSH and no key.
  - The instances need the agent of Systems Manager, as Amazon Linux 2 and 2023 have it, and an instance profile with
    the policy C(AmazonSSMManagedInstanceCore).
author:
  - The jack.beanstalk team (!UNKNOWN)
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.progress
  - jack.beanstalk.selection.one
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: partial
    details:
      - The instances are chosen, and nothing is run.
  diff_mode:
    support: N/A
    details:
      - What a script changes is not known.
  idempotent:
    support: N/A
    details:
      - That depends on the script.
options:
  target:
    description:
      - V(all) runs it on every instance, V(one) on one that is the same as long as it exists, V(leader) on the one that
        was elected for the last deployment; it fails when that is not known (M(jack.beanstalk.leader_info)).
    type: str
    choices: [all, one, leader]
    default: all
  script:
    description:
      - The shell script. AWS keeps it in the history of Systems Manager, so it must hold no secret.
    type: str
    required: true
  timeout:
    description:
      - Seconds after which Systems Manager ends the script, at least 1.
    type: int
    default: 300
  follow:
    description:
      - Print the lines of the script as they come, with the instance before each, and error output among them, as on a
        terminal; C(stderr) is then empty. It is run by C(bash). Each poll is another command of Systems Manager.
      - The output is meanwhile in a file in C(/run/jack.beanstalk) that only root can read.
    type: bool
    default: false
  fail_on_rc:
    description:
      - Fail when the script fails on an instance.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds after which the module gives up.
    type: int
    default: 600
  poll_interval:
    description:
      - Seconds between two polls.
    type: float
    default: 2
"""

EXAMPLES = r"""
- name: Ask every instance how full its disk is
  jack.beanstalk.instance_command:
    application: blog
    cname_prefix: blog-production
    script: df -h /var
  register: disks
  changed_when: false

- name: Count the sessions on the instance that was elected leader
  jack.beanstalk.instance_command:
    application: blog
    cname_prefix: blog-production
    target: leader
    script: docker exec "$(docker ps -q --filter ancestor=aws_beanstalk/current-app)" python manage.py count_sessions
"""

RETURN = r"""
results:
  description: What happened on each instance, by instance id.
  returned: success
  type: list
  elements: dict
  contains:
    instance_id:
      description: The instance.
      type: str
      returned: always
      sample: i-0123456789abcdef0
    status:
      description: V(Success), V(Failed), V(TimedOut) or another of Systems Manager's words.
      type: str
      returned: always
      sample: Success
    rc:
      description: Exit code, or -1 when there is none.
      type: int
      returned: always
      sample: 0
    stdout:
      description: Output, of which Systems Manager keeps 24000 characters.
      type: str
      returned: always
    stderr:
      description: Error output, of which Systems Manager keeps 24000 characters.
      type: str
      returned: always
environment_id:
  description: Id of the environment.
  returned: success
  type: str
  sample: e-abcdefghij
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 5
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls, fail
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.selection import NAMED_BY, ONE_ENVIRONMENT
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.commands import run_command
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader.sources import Services
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import ProgressFile


def main():
    argument_spec = {
        **ONE_ENVIRONMENT,
        "fail_on_rc": {"default": True, "type": "bool"},
        "follow": {"default": False, "type": "bool"},
        "poll_interval": {"default": 2, "type": "float"},
        "progress_file": {"type": "path"},
        "script": {"required": True, "type": "str"},
        "target": {"choices": ["all", "one", "leader"], "default": "all", "type": "str"},
        "timeout": {"default": 300, "type": "int"},
        "wait_timeout": {"default": 600, "type": "int"},
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
        heard = ProgressFile(module.params["progress_file"]).lines if module.params["follow"] else None
        result = calls.in_time(lambda: run_command(services, module.params, module.check_mode, heard))
    except AnsibleBeanstalkError as error:
        fail(module, error, changed=calls.changed, api_calls=calls.total)
    module.exit_json(changed=True, **result, api_calls=calls.total)


if __name__ == "__main__":
    main()
