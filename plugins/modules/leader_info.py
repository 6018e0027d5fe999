#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: leader_info
version_added: 1.0.0
short_description: Tell which instances of Elastic Beanstalk environments were elected leader
description:
  - Elastic Beanstalk elects a leader among the instances for every deployment, and no API tells which one it was.
  - This module asks for what elections leave behind, and weighs it. Most trustworthy are the records of the hooks that
    this collection generates (V(hook_log)), then the platform engine's own log (V(engine_log)), which every environment
    has, whoever deployed it, then an EC2 tag that a hook may have set (V(ec2_tag)).
  - An election counts when it was held in the environment's last deployment, which Elastic Beanstalk's events tell, and
    for the version that the environment runs. Instances that Auto Scaling launches later run the same command alone and
    may elect themselves; they are not the leader of the deployment.
  - It never guesses. The state is V(found) with evidence; V(lost) when the leader was terminated; V(none) when nobody
    was elected, as in a traffic splitting deployment; and V(unknown) when evidence is missing or contradicts itself,
    and while an operation is running.
notes:
  - What it costs, in requests. Environments, their instances with tags, and events are one each for any number of
    environments (as long as these have no more than 1000 instances and 1000 events since their last deployment).
    The source V(tags) is included in that. V(ssm) is one request to send a command to 50 environments, one for each
    look whether it has ended, and one for the output of 50 instances. V(tail) and V(bundle) are one request for each
    environment, and one for each look at its answer.
  - The downloads of the logs that V(tail) and V(bundle) point to are not requests to an API and are not counted.
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
      - Name of the application. Without O(ids), O(names) or O(cname_prefixes), all of its environments are meant.
    type: str
  cname_prefixes:
    description:
      - CNAME prefixes of environments. They find the live environment whatever its name is.
      - A prefix is all that stands before C(.REGION.elasticbeanstalk.com) in the CNAME, so
        V(blog-production.eba-k3v9x2mq) for an environment that was made without one.
    type: list
    elements: str
    aliases: [cname_prefix]
  names:
    description:
      - Names of environments.
    type: list
    elements: str
    aliases: [name]
  ids:
    description:
      - Ids of environments.
    type: list
    elements: str
    aliases: [id, environment_id]
  sources:
    description:
      - Where to look for evidence. Those that are named are all asked, in this order, and have to agree.
      - V(tags) are the tags C(jack:leader) of the EC2 instances. V(ssm) runs a script that reads logs, as root, on all
        instances that AWS Systems Manager manages. V(tail) is a log request, which returns the last 100 lines of each
        log; V(bundle) is one that returns whole logs.
      - By default V(tags) and V(tail) are asked for a single environment, and V(tags), then V(ssm), then V(tail) for
        several, each for those whose leader is still unknown; V(bundle) comes last, where a log's end does not tell.
    type: list
    elements: str
    choices: [tags, ssm, tail, bundle]
  wait_timeout:
    description:
      - Seconds to wait for the instances' answers, all environments together.
    type: int
    default: 90
  poll_interval:
    description:
      - Seconds between two polls.
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

- name: Ask for the leaders of all environments of an application
  jack.beanstalk.leader_info:
    application: blog
  register: elected

- name: Say them
  ansible.builtin.debug:
    msg: "{{ item.environment.environment_name }}: {{ item.leader.state }} {{ item.leader.instance_id or '' }}"
  loop: "{{ elected.leaders }}"
  loop_control:
    label: "{{ item.environment.environment_id }}"

- name: Compare the tags of the instances with the logs of two environments
  jack.beanstalk.leader_info:
    names: [blog-blue, blog-green]
    sources: [tags, tail]
  register: elected
  failed_when: elected.leaders | selectattr('leader.state', 'eq', 'unknown') | list | length > 0
"""

RETURN = r"""
leaders:
  description: The answer for each environment, ordered by application and name.
  returned: success
  type: list
  elements: dict
  contains:
    environment:
      description: The environment, as M(jack.beanstalk.environment) returns it.
      type: dict
      returned: always
    verification:
      description:
        - Whether the environment runs what it should, as M(jack.beanstalk.environment_info) returns it. It is judged by
          the version label, the events of the last deployment and the environment's health, as instances are not asked.
      type: dict
      returned: always
    leader:
      description: The leader of its last deployment.
      type: dict
      returned: always
      contains: &leader
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
          sample: blog-9a6b4ba045ee5d01
        deployment_id:
          description: Number of the deployment, where the evidence tells it.
          type: int
          returned: always
          sample: 7
        command:
          description: Command for which it was elected.
          type: str
          returned: always
          sample: app-deploy
        at:
          description: When the evidence says that it was elected.
          type: str
          returned: always
          sample: '2026-03-03T12:38:46.231Z'
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
              description: V(hook_log), V(engine_log) or V(ec2_tag).
              type: str
              returned: always
              sample: engine_log
            via:
              description: How it was got, V(tags), V(ssm), V(tail) or V(bundle).
              type: str
              returned: always
              sample: tail
            instance_id:
              description: The instance that it is about.
              type: str
              returned: always
              sample: i-0123456789abcdef0
            says:
              description: V(leader) or V(not_leader).
              type: str
              returned: always
              sample: leader
            at:
              description: When the election was held, or the hook that knew of it ran.
              type: str
              returned: always
              sample: '2026-03-03T12:38:46.231Z'
            command:
              description: Command of the platform engine.
              type: str
              returned: always
              sample: app-deploy
            version_label:
              description: Version, where it is told.
              type: str
              returned: always
              sample: blog-9a6b4ba045ee5d01
            deployment_id:
              description: Number of the deployment, where it is told.
              type: int
              returned: always
              sample: 7
            invocation_id:
              description: Id of the election, where it is told.
              type: str
              returned: always
              sample: 5c0a2a4e-3c1c-4f0c-9c55-0d3f2d6b8f2e
    hooks:
      description:
        - What the generated hooks did on each instance in the newest deployment; empty where no log was read.
      type: list
      elements: dict
      returned: always
      sample: &hooks
        - instance_id: i-0123456789abcdef0
          name: migrate
          phase: postdeploy
          config_deploy: false
          leader_only: true
          leader: true
          once_store: none
          ran: true
          reason: leader
          rc: 0
          seconds: 2.5
          at: '2026-03-03T12:38:46Z'
          version_label: blog-9a6b4ba045ee5d01
          deployment_id: 7
leader:
  description: The leader, as in RV(leaders[].leader).
  returned: when there is exactly one environment
  type: dict
  contains: *leader
hooks:
  description: As in RV(leaders[].hooks).
  returned: when there is exactly one environment
  type: list
  elements: dict
  sample: *hooks
environment:
  description: The environment, as M(jack.beanstalk.environment) returns it.
  returned: when there is exactly one environment
  type: dict
costs:
  description:
    - What was asked, in order, for how many environments, and how many requests it took. V(description) are the
      environments, their instances and events; V(settings) tells whether the deployment policy elects a leader, and is
      asked only when nobody was elected and an instance has left.
  returned: success
  type: list
  elements: dict
  sample:
    - source: description
      environments: 50
      api_calls: 3
    - source: tags
      environments: 50
      api_calls: 0
    - source: ssm
      environments: 50
      api_calls: 4
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 7
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls, fail
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader.query import LeaderQuery, choose
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader.sources import SOURCES, Services


def main():
    named = {"type": "list", "elements": "str"}
    argument_spec = {
        "application": {"type": "str"},
        "cname_prefixes": {**named, "aliases": ["cname_prefix"]},
        "ids": {**named, "aliases": ["id", "environment_id"]},
        "names": {**named, "aliases": ["name"]},
        "poll_interval": {"default": 2, "type": "float"},
        "sources": {**named, "choices": list(SOURCES)},
        "wait_timeout": {"default": 90, "type": "int"},
    }
    module = AnsibleAWSModule(
        argument_spec=argument_spec,
        mutually_exclusive=[("cname_prefixes", "ids", "names")],
        required_one_of=[("application", "cname_prefixes", "ids", "names")],
        supports_check_mode=True,
    )
    calls = ModuleCalls(module)
    try:
        clients = [calls.client(name) for name in ("elasticbeanstalk", "ec2", "ssm")]
        services = Services(*clients, lambda: calls.client("autoscaling"))
        query = LeaderQuery(services, module.params, lambda: calls.total)
        leaders = calls.in_time(lambda: query.ask(choose(services.eb, module.params)))
    except AnsibleBeanstalkError as error:
        fail(module, error, api_calls=calls.total)
    only = leaders[0] if len(leaders) == 1 else {}
    module.exit_json(changed=False, leaders=leaders, **only, costs=query.costs, api_calls=calls.total)


if __name__ == "__main__":
    main()
