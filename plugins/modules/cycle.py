#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cycle
version_added: 1.0.0
short_description: Replace a live environment by a fresh one, and swap CNAMEs
description:
  - Creates a candidate from the live environment's own settings, verifies it, swaps the two CNAMEs, checks and watches
    the result, drains the old environment for the DNS time to live, and terminates it.
  - A run that was killed is continued by the next one, on any machine. What a cycle has done so far is kept in the lock
    object in S3 and in tags of the environments.
  - Before the swap the live environment is not touched. After the swap, a live name that does not lead to the new
    environment, or red health, swaps back.
  - The candidate starts with as many instances as the live environment has at that moment. When it has replaced it, its
    C(MinSize) is set to the live environment's own.
  - Generated security groups, topics and (when O(platform) changes) default machine images are not copied.
  - Before anything is made, the quotas of environments, Auto Scaling groups and (for a single instance) Elastic IP
    addresses are looked at, as far as the caller may.
  - Where AWS takes few requests of the account, cycles for which there is no room wait before they begin.
  - The swap is verified when Elastic Beanstalk shows both CNAMEs exchanged and both environments Ready, the live name
    answers all O(smoke_tests), and, until O(dns_ttl) and O(dns_margin) are over, neither DNS (where this machine
    resolves the names) nor the access logs say that the old environment answers. For the latter the first of
    O(smoke_tests) is sent with the query parameter C(jack-cname-check), and a log request shows who got it.
  - The events and log tails of a failed candidate are read before it is terminated, see RV(failure).
  - An item of M(jack.beanstalk.cycles) is the same; many of them run in one process.
author:
  - The jack.beanstalk team (!UNKNOWN)
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.progress
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    details:
      - Nothing is called that writes. RV(plan) and RV(steps) say what a run would do.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Every run that is not skipped makes a new environment. O(min_age) skips one that is young enough.
options:
  application:
    description:
      - Application of the logical environment.
    type: str
    required: true
  cname_prefix:
    description:
      - CNAME prefix of the logical environment. Whoever holds it is live, and is replaced.
      - It is all that stands before C(.REGION.elasticbeanstalk.com) in the CNAME, so V(blog-production.eba-k3v9x2mq)
        where the live environment was made without a prefix. A worker environment has none.
    type: str
    required: true
  name_prefix:
    description:
      - Beginning of the names of new environments; date and time are appended, up to 40 characters. The live
        environment's name when it is not given.
    type: str
  goal:
    description:
      - V(recreate) makes a fresh environment with the version that is live.
      - V(deploy) does the same with O(version_label).
      - V(rollback) swaps back to the newest environment that is still kept (see O(retain_old_for)). When none is,
        it makes a fresh one with the newest other version that the record knows to have been live and not rolled back.
        With O(version_label) it goes to that version, which has to exist.
    type: str
    choices: [recreate, deploy, rollback]
    default: recreate
  version_label:
    description:
      - Version of the new environment. The live environment's when it is not given.
      - With O(goal=rollback), the version to go to. The one that was live before when it is not given.
    type: str
  platform:
    description:
      - Solution stack name, platform ARN, or platform branch name (its newest version) of the new environment. The live
        environment's own when it is not given.
      - When the live environment runs a newer version of it than a pinned one, that is kept, with a warning.
    type: str
  platform_downgrade:
    description:
      - Whether the new environment gets O(platform) even if the live one runs a newer version of it.
    type: bool
    default: false
  option_settings:
    description:
      - Option settings of the new environment in place of the live environment's, as a dictionary of namespaces, each
        a dictionary of options, or as a list, as M(jack.beanstalk.environment) takes them. A null value drops one.
      - What Elastic Beanstalk itself chose or made for the live environment is left out, such as its security groups,
        its machine image and the plain texts of C(aws:cloudformation:template:parameter).
    type: raw
    default: {}
  purge_properties:
    description:
      - Whether the live environment's properties and secrets by ARN that are not in O(option_settings) are left out.
      - V(true) leaves out those that this collection has set, V(all) all of them; see M(jack.beanstalk.environment).
    type: raw
    default: false
  lock:
    description:
      - The lock of the logical environment, which a cycle always takes.
      - It needs C(s3:PutObject) and C(s3:GetObject) on C(jack.beanstalk/locks/*) of the bucket.
    type: dict
    suboptions:
      owner:
        description:
          - Who the lock says that holds it. Something that differs for each run when it is not given. Needed with
            O(stop_at), where it has to be the same in all calls of one run, and in no other run.
        type: str
      ttl:
        description:
          - Seconds after which the lock ends if this run dies.
        type: int
        default: 180
      wait_timeout:
        description:
          - Seconds to wait for another holder.
        type: int
        default: 300
      bucket:
        description:
          - S3 bucket of the lock. Elastic Beanstalk's own bucket of the region when it is not given.
        type: str
  stop_at:
    description:
      - Go on until this point only, so that something else can be done there. Call the module again to go on.
      - The lock is then held for O(stage_ttl) seconds.
    type: str
    choices: [before_candidate, after_candidate, before_swap, after_swap, before_retire, after_retire]
  stage_ttl:
    description:
      - Seconds for which the lock is held while something else is done at a stage.
    type: int
    default: 900
  force:
    description:
      - Begin although the live environment is young, the window is closed, or the version is live already.
    type: bool
    default: false
  min_age:
    description:
      - A live environment younger than this many seconds is not replaced; the run is skipped.
    type: float
    default: 21600
  window:
    description:
      - When a cycle may begin, as C(02:00-04:30) in UTC. A cycle that began is always continued.
    type: str
  jitter:
    description:
      - Begin up to this many seconds late, always equally late for one logical environment.
    type: float
    default: 0
  recreate_unhealthy:
    description:
      - Replace a live environment that is Red or Grey, too.
    type: bool
    default: false
  accepted_health:
    description:
      - Health that a candidate must have.
    type: list
    elements: str
    choices: [Green, Yellow]
    default: [Green]
  smoke_tests:
    description:
      - Requests that a candidate, and the live name after the swap, must answer well. None are sent when the
        list is empty.
      - A candidate is asked at its own address, with the name that visitors use in the C(Host) header and in TLS, so
        that an application that looks at its host answers as it will when it is live.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Path of the request, with its leading slash.
        type: str
        default: /
      status:
        description:
          - Status codes that are good. For a redirect give its code, and its C(Location) in
            O(smoke_tests[].headers), or O(smoke_tests[].follow_redirects).
        type: list
        elements: int
        default: [200]
      body:
        description: Text that the answer must contain.
        type: str
      headers:
        description: Headers that the answer must have, name to value.
        type: dict
      latency:
        description: Seconds that an answer may take; V(0) is as long as O(smoke_tests[].timeout).
        type: float
        default: 0
      timeout:
        description: Seconds to wait for an answer, with the redirects that are followed.
        type: float
        default: 10
      scheme:
        description: Whether the request is sent with or without TLS.
        type: str
        choices: [http, https]
        default: http
      host:
        description:
          - Name that visitors use, such as the domain that leads to the live CNAME; the live CNAME when it is not
            given. With V(https), the certificate must be good for it.
          - A proxy of the controller (C(http_proxy)) gets plain HTTP requests with the environment's own name.
        type: str
      port:
        description: Port of the environment; V(0) is 80, or 443 with V(https).
        type: int
        default: 0
      follow_redirects:
        description:
          - Whether up to five redirects to the same environment are followed, as from C(http) to C(https). One to
            another host is a bad answer.
        type: bool
        default: false
      validate_certs:
        description: Whether the certificate must be valid, and for this name.
        type: bool
        default: true
      ca_path:
        description: File on the controller with certificates of authorities (PEM), in place of the system's.
        type: path
  smoke_test_successes:
    description:
      - Rounds of all smoke tests that must be good, one after another.
    type: int
    default: 3
  require_leader_tasks:
    description:
      - A candidate is fit only when its logs show which instance was elected leader, and that all leader tasks among
        the generated hooks ended well there. Costs a log request.
    type: bool
    default: false
  bake_time:
    description:
      - Seconds for which a verified candidate must stay healthy before the swap.
    type: float
    default: 60
  dns_ttl:
    description:
      - Seconds for which resolvers may remember the old answer. The old environment is kept at least that long, and
        O(dns_margin) seconds more.
    type: float
    default: 60
  dns_margin:
    description:
      - Seconds added to O(dns_ttl), for resolvers that are late.
    type: float
    default: 30
  drain_requests_per_minute:
    description:
      - Requests per minute at which the old environment counts as drained, beyond those that the candidate got while
        it had no visitors, in the second half of O(bake_time). The load balancer's health checks are among the
        requests that EB counts.
      - The count is that of enhanced health. Without it the drain lasts as long as O(drain_timeout).
    type: int
    default: 5
  drain_timeout:
    description:
      - Seconds after the swap when the old environment counts as drained in any case.
    type: float
    default: 900
  retain_old_for:
    description:
      - Seconds for which the old environment is kept for a rollback. The next run after that terminates it. With V(0)
        this run terminates it.
    type: float
    default: 0
  retain_failed_for:
    description:
      - Seconds for which a failed candidate is kept, to look at it.
    type: float
    default: 0
  keep_versions:
    description:
      - Versions that earlier cycles ran and that are kept although no environment runs them. Others of these are
        deleted.
      - Saved configurations that carry the name of an environment of an earlier cycle are deleted, too, when
        O(name_prefix) is given.
    type: int
    default: 3
  create_timeout:
    description:
      - Seconds for a candidate to become Ready.
    type: float
    default: 2700
  verify_timeout:
    description:
      - Seconds for a Ready candidate to become fit.
    type: float
    default: 900
  swap_timeout:
    description:
      - Seconds for the swap to happen.
    type: float
    default: 600
  swap_verify_timeout:
    description:
      - Seconds after the swap for the live name to answer well.
    type: float
    default: 300
  rollback_timeout:
    description:
      - Seconds for swapping back to be possible.
    type: float
    default: 900
  terminate_timeout:
    description:
      - Seconds for a termination. What is left then is terminated by the next run.
    type: float
    default: 1800
  ready_timeout:
    description:
      - Seconds to wait for a live environment that is busy.
    type: float
    default: 900
  unhealthy_grace:
    description:
      - Seconds for which the new live environment may be Red before the swap is undone.
    type: float
    default: 30
  cycle_timeout:
    description:
      - A cycle that has not swapped and is older than this many seconds is given up; a new one begins.
    type: float
    default: 21600
  max_decision_age:
    description:
      - Seconds after which a decision is too old to be carried out; the run looks again.
    type: float
    default: 20
  request_settle_time:
    description:
      - Seconds during which a request whose answer was lost may still take effect. Nothing that depends on it is done
        in this time. At least 60 more than O(max_decision_age) on AWS.
    type: float
    default: 90
  poll_interval:
    description:
      - Seconds between two polls.
    type: float
    default: 10
"""

EXAMPLES = r"""
- name: Replace the live environment by a fresh one
  jack.beanstalk.cycle:
    application: blog
    cname_prefix: blog-production
    window: 02:00-04:30
    smoke_tests:
      - path: /healthz
        latency: 1
      - path: /
        scheme: https
        host: www.example.com
      - path: /
        status: [301]
        host: www.example.com
        headers:
          Location: https://www.example.com/
    retain_old_for: 3600
  register: cycle
  failed_when: cycle.result | default('') not in ['done', 'skipped']

- name: What would it do?
  jack.beanstalk.cycle:
    application: blog
    cname_prefix: blog-production
  check_mode: true
"""

RETURN = r"""
logical:
  description: Application and CNAME prefix of the logical environment, with a slash between them.
  returned: success
  type: str
  sample: shop/shop-live
goal:
  description: What the run was for, as O(goal).
  returned: success
  type: str
  sample: recreate
result:
  description:
    - How the run ended; empty when it only got to a stage, and in check mode when it would begin.
    - V(done), V(skipped), V(refused), V(locked), V(failed_rolled_back) (the old environment is live), or
      V(failed_needs_human) (nothing more is touched, what is not live is kept).
  returned: success
  type: str
  sample: done
sentence:
  description: Why.
  returned: success
  type: str
stage:
  description: The stage that was reached; empty when it was passed before, when the cycle fails, or when the run ended.
  returned: success
  type: str
  sample: before_swap
cycle:
  description: Id of the cycle that is in flight, or that ended in this call.
  returned: success
  type: str
  sample: 20260801T020000Z-17
live:
  description: The environment that holds the live name.
  returned: success
  type: dict
candidate:
  description: The environment that is to go live, or that went live in this cycle.
  returned: success
  type: dict
previous:
  description: The environment that was live when the cycle began.
  returned: success
  type: dict
steps:
  description: What was done, with the time on S3's clock, the action, the reason, and the id of the environment.
  returned: success
  type: list
  elements: dict
samples:
  description:
    - Requests to the live name (the first of O(smoke_tests)) at every wait of a cycle. C(at), C(seconds) that the
      answer took, and C(problem), empty when it was good.
  returned: success
  type: list
  elements: dict
events:
  description: At the end of a cycle, the events of its two environments since it began, oldest first.
  returned: success
  type: list
  elements: dict
instance_minutes:
  description:
    - At the end of a cycle, what it cost. Minutes for which the candidate's instances ran beside those of the
      environment that was live, added up over instances.
    - Null when Elastic Beanstalk's events name no instance, as without enhanced health.
  returned: success
  type: float
  sample: 23.5
failure:
  description:
    - What was learnt of a failed candidate before it was terminated, as far as it could be had. Empty when none was.
    - Keys are C(environment_id), C(events) that warn, C(logs) (instance id, then log file, then lines), C(lines) (both
      in short), C(cause) (in one line), and C(problem), which is why something is missing.
  returned: success
  type: dict
plan:
  description: In check mode, what a run would do.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import fail
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.arguments import ARGUMENTS, policy_of
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.job import cycle_item
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.parts import guard_secrets
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.module import run_one


def main():
    arguments = {**ARGUMENTS, "progress_file": {"type": "path"}}
    module = AnsibleAWSModule(argument_spec=arguments, supports_check_mode=True)
    invocation = guard_secrets(module)
    try:
        policy_of(module.params)
    except AnsibleBeanstalkError as error:
        fail(module, error, changed=False, invocation=invocation)
    run_one(module, cycle_item, invocation)


if __name__ == "__main__":
    main()
