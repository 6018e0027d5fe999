#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: leader_info
version_added: 0.1.0
short_description: Tell which instance of an Elastic Beanstalk environment was elected leader
description:
  - Elastic Beanstalk elects a leader among the instances for every deployment, and no API tells which one it was.
  - This module asks the instances for the end of their logs, and weighs what they say. The hooks that this collection
    generates write a record of their own; for other environments the platform engine's log is read.
  - It never guesses. The state is V(found) with evidence, V(none) when every instance says that it was not elected,
    V(lost) when the leader does not exist any more, and V(unknown) when evidence is missing or contradicts itself.
author:
  - The jack.beanstalk team (!UNKNOWN)
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.attributes.info
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  application:
    description:
      - Name of the application.
    type: str
    required: true
  cname_prefix:
    description:
      - First part of the CNAME of the environment.
    type: str
  name:
    description:
      - Name of the environment.
    type: str
  environment_id:
    description:
      - Id of the environment.
    type: str
    aliases: [id]
  wait_timeout:
    description:
      - Seconds to wait for the instances' logs.
    type: int
    default: 90
  poll_interval:
    description:
      - Seconds between two looks.
    type: float
    default: 2
"""

EXAMPLES = r"""
- name: Ask for the leader of the live environment
  jack.beanstalk.leader_info:
    application: blog
    cname_prefix: blog-production
  register: elected

- name: Say it
  ansible.builtin.debug:
    msg: "{{ elected.leader.instance_id or elected.leader.state }}: {{ elected.leader.reason }}"
"""

RETURN = r"""
leader:
  description: The leader of the last deployment.
  returned: success
  type: dict
  contains:
    state:
      description: V(found), V(none), V(lost) or V(unknown).
      type: str
      returned: always
      sample: found
    instance_id:
      description: Id of the instance, null unless the state is V(found), or V(lost) and the id is known.
      type: str
      returned: always
      sample: i-0123456789abcdef0
    version_label:
      description: Version for which it was elected.
      type: str
      returned: always
    deployment_id:
      description: Number of the instance's deployment.
      type: int
      returned: always
    command:
      description: Command for which it was elected.
      type: str
      returned: always
      sample: app-deploy
    at:
      description: When the log told of it.
      type: str
      returned: always
    reason:
      description: Why the state is what it is.
      type: str
      returned: always
      sample: its own log says so
    evidence:
      description: Everything that was found, most trustworthy first.
      type: list
      elements: dict
      returned: always
      contains:
        source:
          description: V(hook_log) or V(engine_log).
          type: str
          returned: always
        instance_id:
          description: The instance whose log it is.
          type: str
          returned: always
        says:
          description: V(leader) or V(not_leader).
          type: str
          returned: always
        at:
          description: When.
          type: str
          returned: always
        command:
          description: Command of the platform engine.
          type: str
          returned: always
        version_label:
          description: Version, where the log tells it.
          type: str
          returned: always
        invocation_id:
          description: Id of the election, where the log tells it.
          type: str
          returned: always
hooks:
  description: What the generated hooks did on each instance in the newest deployment.
  returned: success
  type: list
  elements: dict
  sample:
    - instance_id: i-0123456789abcdef0
      name: migrate
      phase: postdeploy
      config_deploy: false
      leader_only: true
      leader: true
      ledger: none
      ran: true
      reason: elected leader
      rc: 0
      seconds: 2.5
      at: '2026-03-03T12:38:46Z'
      version_label: blog-9a6b4ba045ee5d01
      deployment_id: 7
environment:
  description: The environment, as M(jack.beanstalk.environment) returns it.
  returned: success
  type: dict
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 5
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.api import CallCounter
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.common import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.info import ask_leader
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.module_parts import fail


def main():
    argument_spec = {
        "application": {"required": True, "type": "str"},
        "cname_prefix": {"type": "str"},
        "environment_id": {"aliases": ["id"], "type": "str"},
        "name": {"type": "str"},
        "poll_interval": {"default": 2, "type": "float"},
        "wait_timeout": {"default": 90, "type": "int"},
    }
    names = ("cname_prefix", "environment_id", "name")
    module = AnsibleAWSModule(
        argument_spec=argument_spec,
        mutually_exclusive=[names],
        required_one_of=[names],
        supports_check_mode=True,
    )
    counter = CallCounter()
    try:
        answer = ask_leader(counter.attach(module.client("elasticbeanstalk")), module.params)
    except AnsibleBeanstalkError as error:
        fail(module, error)
    module.exit_json(changed=False, api_calls=counter.total, **answer)


if __name__ == "__main__":
    main()
