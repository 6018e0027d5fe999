#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environment
version_added: 1.0.0
short_description: Manage an Elastic Beanstalk environment
description:
  - Creates an environment, deploys a version to it, changes its settings, platform or tags, or terminates it.
  - Updates only what differs, then verifies every instance. An operation has succeeded when the environment
    is Ready with the wanted version, no failure event came since the start, and every instance says itself that it
    runs the version, that its deployment is V(Deployed), and that it is healthy. Health V(Warning) that lasts is
    accepted with a warning.
  - Every instance is verified when nothing differs, too, so unchanged means verified. Where an instance runs another
    version or its deployment failed, O(version_label) is deployed again, once in a run (action V(redeploy)). Bad health
    alone fails the task with its causes, as another deployment would run leader tasks again for nothing. Instances
    that are starting are waited for, within O(wait_timeout).
  - With basic health reporting, which tells nothing of instances, the version label, the events of the last deployment
    and the environment's health decide. An environment whose desired size is 0 is accepted with a warning; having no
    instances otherwise is a failure.
  - When it failed, the message is one sentence, followed by what the failing step printed, as Elastic Beanstalk's own
    log of the deployment has it, else the logs of the failing instance; and by what to do next.
  - While another operation is running the module waits in line, within O(wait_timeout).
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.application_version
  - module: jack.beanstalk.environment_info
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.attributes.environment
  - jack.beanstalk.capacity
  - jack.beanstalk.progress
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  application:
    description:
      - Name of the application. It has to exist, unless O(src) is given.
    type: str
    required: true
  name:
    description:
      - Name of the environment, 4 to 40 letters, digits and hyphens. Used to create it.
      - It finds the environment only when O(cname_prefix) and O(environment_id) are not given, because a swap of
        CNAMEs gives the work to an environment of another name.
    type: str
  cname_prefix:
    description:
      - CNAME prefix of the environment. The environment that holds it is the one that is managed, whatever its name is.
      - It is all that stands before C(.REGION.elasticbeanstalk.com) in the CNAME, or before C(.elasticbeanstalk.com) in
        an old one, in China before C(.REGION.eb.amazonaws.com.cn); the case of letters does not matter.
      - A new environment can get 4 to 63 letters, digits and hyphens. One that was made without a prefix has
        V(blog-production.eba-k3v9x2mq) or the like, which Elastic Beanstalk made up. That finds the environment;
        nothing is created with it.
      - When nobody holds the prefix but the environment O(name) has another CNAME, or when two environments may be
        meant, the module fails and says what to write.
    type: str
  environment_id:
    description:
      - Id of the environment. Takes precedence over the names.
    type: str
  version_label:
    description:
      - Version that shall run. Another version is deployed by the environment's deployment policy, which decides
        whether there is downtime.
      - Elastic Beanstalk's sample application when an environment is created without it.
    type: str
  src:
    description:
      - Source bundle of O(version_label). When another version runs and the application does not have this one yet, it
        is uploaded to Elastic Beanstalk's own bucket and the version is made first, and the application when there
        is none; the module waits until the version is processed.
      - Where Elastic Beanstalk says that the version or its bundle in S3 is gone, it is made again of this file, and
        the operation is tried once more.
      - M(jack.beanstalk.application_version) does the same apart, with tags.
    type: path
  remove_src:
    description:
      - Whether O(src) is removed from the controller at the end, whatever the outcome; for bundles with secrets.
    type: bool
    default: false
  version_description:
    description:
      - Description of a version that is made.
    type: str
  gather_leader:
    description:
      - Whether to find out who was elected leader afterwards, as M(jack.beanstalk.leader_info) does, but once per
        deployment on one controller.
    type: bool
    default: false
  platform:
    description:
      - Name of a solution stack, ARN of a platform version, or name of a platform branch such as V(Docker running on
        64bit Amazon Linux 2023).
      - For a branch, and for an ARN that leaves the version out, the newest version is taken when the environment is
        created; any version of the branch is right later on. An ARN may leave the region out, too.
      - Another version of the platform, or another branch of the same kind, replaces the running instances. A platform
        of another family, generation or architecture is refused, as that needs a new environment; see
        M(jack.beanstalk.cycle).
      - An environment that runs a newer version than this one, by managed updates for instance, keeps it, and a warning
        says so.
    type: str
  platform_downgrade:
    description:
      - Whether an environment that runs a newer version than O(platform) goes back to that.
    type: bool
    default: false
  tier:
    description:
      - Tier of a new environment. It cannot be changed.
    type: str
    choices: [WebServer, Worker]
  description:
    description:
      - Description of the environment, at most 200 characters.
    type: str
  option_settings:
    description:
      - Option settings as a dictionary of namespaces, each a dictionary of options. Numbers, booleans and lists may
        be given as such, and C(ConfigDocument) as a dictionary.
      - Or a list of dictionaries with C(namespace), C(option_name), C(value), and for scheduled actions
        (C(aws:autoscaling:scheduledaction)) C(resource_name), which is the action's name and needed.
      - An option that has a parameter of its own may be given either way, but not differently in both.
      - Options that are not named are left alone. A null value removes an option, which has its default then.
      - What Elastic Beanstalk takes and does not describe back, or keeps in another way, is sent once; from then on a
        warning names it. It is noted in the record of O(purge_properties).
      - A secret by ARN removes the plain property of its name, and the reverse, in the same update.
      - Secrets by ARN (C(aws:elasticbeanstalk:application:environmentsecrets)) are refused on a platform version from
        before 26 March 2025, which cannot fetch them.
      - The service tells nobody a C(DBPassword). It is sent when the database has none yet, and when this controller
        has seen another one before.
      - Depending on the option, Elastic Beanstalk restarts the application or replaces the instances.
    type: raw
    default: {}
  purge_properties:
    description:
      - Whether environment properties, and secrets by ARN, that are not in O(option_settings) are removed.
      - V(true) removes those that this collection has set. Their names, and no values, are in a record object of the
        logical environment, in the bucket of the lock. Where that is missing or cannot be read nothing is removed, and
        a warning says so.
      - V(all) removes those that others have set, too, but none that the platform sets itself, as C(PYTHONPATH).
    type: raw
    default: false
  tags:
    description:
      - Tags of the environment. Nothing changes when they are not given. A change is an update of the environment,
        without downtime.
    type: dict
    aliases: [resource_tags]
  purge_tags:
    description:
      - Whether tags that are not in O(tags) are removed.
    type: bool
    default: true
  state:
    description:
      - V(present) creates or changes the environment.
      - V(absent) terminates it, unless it has the tag C(jack:protected=true), or a coupled database that would be
        deleted with it. An environment whose tag C(jack:logical) names the CNAME that it holds is live; it is only
        terminated when it is named by O(cname_prefix).
    type: str
    choices: [present, absent]
    default: present
  lock:
    description:
      - Holds the lock of the logical environment (see M(jack.beanstalk.lock)) from before the first write until the
        end, so that other runs of this collection wait or are refused. V({}) takes it with the defaults.
      - A run that finds nothing to do does not touch the lock. Needs O(cname_prefix).
    type: dict
    suboptions:
      owner:
        description:
          - Who holds it. A lock that this owner holds already is used, and stays. Made up when it is not given.
        type: str
      wait_timeout:
        description: Seconds to wait for another holder before the module fails, with the holder's name and reason.
        type: int
        default: 300
      ttl:
        description: Seconds after which the lock of a run that was killed ends. It is renewed while the module waits.
        type: int
        default: 180
      bucket:
        description: S3 bucket of the lock. Elastic Beanstalk's own bucket of the region when it is not given.
        type: str
  wait:
    description:
      - Whether to wait for the end of the operation and verify every instance. Without it, an environment that needs no
        change is observed once, and problems are warnings.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds after which the module gives up waiting. Elastic Beanstalk itself goes on.
    type: int
    default: 1800
  poll_interval:
    description:
      - Seconds between two polls. They become rarer, up to four times as long, the longer an operation takes whose end
        is not expected from earlier ones.
    type: float
    default: 5
"""

EXAMPLES = r"""
- name: Have an environment that runs a version
  jack.beanstalk.environment:
    application: blog
    name: blog-production
    cname_prefix: blog-production
    platform: Docker running on 64bit Amazon Linux 2023
    version_label: blog-9a6b4ba045ee5d01
    instance_profile: aws-elasticbeanstalk-ec2-role
    min_size: 2
    max_size: 4
    scale_out_cpu: 90
    health_check_path: /health/
    deployment_policy: Rolling
    option_settings:
      aws:elasticbeanstalk:application:environment:
        DJANGO_SETTINGS_MODULE: config.settings

- name: Terminate an environment
  jack.beanstalk.environment:
    application: blog
    name: blog-staging
    state: absent
"""

RETURN = r"""
environment:
  description: The environment as it is now, or in check mode as it would be; null when it is absent.
  returned: success
  type: dict
  sample:
    environment_name: blog-production
    environment_id: e-abcdefghij
    application_name: blog
    version_label: blog-9a6b4ba045ee5d01
    status: Ready
    health: Green
    health_status: Ok
    cname: blog-production.us-east-1.elasticbeanstalk.com
    cname_prefix: blog-production
    url: http://blog-production.us-east-1.elasticbeanstalk.com/
    platform: 64bit Amazon Linux 2023 v4.3.0 running Docker
    tier: WebServer
instances:
  description: What each instance says about itself.
  returned: success
  type: list
  elements: dict
  contains:
    instance_id:
      description: Id of the EC2 instance.
      type: str
      returned: always
      sample: i-0123456789abcdef0
    version_label:
      description: Version that this instance runs.
      type: str
      returned: always
    deployment_id:
      description: Number of the deployment, which grows with each one.
      type: int
      returned: always
    deployment_status:
      description: V(Deployed), V(In Progress) or V(Failed).
      type: str
      returned: always
    health_status:
      description: Health status, such as V(Ok).
      type: str
      returned: always
    color:
      description: Health as a colour.
      type: str
      returned: always
    causes:
      description: Why the health is what it is.
      type: list
      elements: str
      returned: always
events:
  description: Events of the operation, oldest first.
  returned: always
  type: list
  elements: dict
  contains:
    event_date:
      description: When it happened.
      type: str
      returned: always
    severity:
      description: Severity of the event.
      type: str
      returned: always
      sample: INFO
    message:
      description: Text of the event.
      type: str
      returned: always
      sample: Environment update completed successfully.
    environment_name:
      description: Name of the environment.
      type: str
      returned: always
    request_id:
      description: Id of the request that caused it.
      type: str
      returned: always
leader:
  description: The leader, as M(jack.beanstalk.leader_info) returns it.
  returned: with O(gather_leader), when the environment is Ready, and not in check mode
  type: dict
hooks:
  description: What the generated hooks did on each instance, as M(jack.beanstalk.leader_info) returns it.
  returned: with O(gather_leader), when the environment is Ready, and not in check mode
  type: list
  elements: dict
actions:
  description:
    - What was done, or would be in check mode.
    - When the task failed, C(changed) says whether any of it took effect.
  returned: always
  type: list
  elements: str
  sample: [update_version, update_settings]
api_calls:
  description: Number of requests that were sent to AWS.
  returned: always
  type: int
  sample: 9
causes:
  description: Causes of the environment's health.
  returned: when an operation failed
  type: list
  elements: str
cause:
  description: Why the operation failed, in one line. C(msg) has the end of what the failing step printed.
  returned: when an operation failed
  type: str
  sample: "hook .platform/hooks/postdeploy/jack_10_migrate.sh: column posts.slug does not exist"
logs:
  description: End of the logs of failing instances, as instance id, then log file, then lines.
  returned: when an operation failed
  type: dict
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.arguments import (
    ARGUMENTS,
    REQUIRED_ONE_OF,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.job import environment_item
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.parts import guard_secrets
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.module import run_one


def main():
    arguments = {**ARGUMENTS, "progress_file": {"type": "path"}}
    module = AnsibleAWSModule(argument_spec=arguments, required_one_of=REQUIRED_ONE_OF, supports_check_mode=True)
    run_one(module, environment_item, guard_secrets(module))


if __name__ == "__main__":
    main()
