#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_logs
version_added: 1.0.0
short_description: Fetch logs of an Elastic Beanstalk environment
description:
  - Asks the instances for the last 100 lines of each log, as C(eb logs) does, and returns them or writes them to
    files. The environment has to be Ready for it.
  - Or reads Elastic Beanstalk's own log of the newest deployment, which says what ran and what a failed step printed.
  - With O(follow) goes on and prints the lines that are added, with the instance and the file of each.
  - Or has Elastic Beanstalk analyze events, health and logs, as C(eb logs --analyze) does.
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
    support: full
    details:
      - No analysis is asked for, as it costs money.
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
  file:
    description:
      - With O(follow), only logs whose path has this text in it.
    type: str
    default: ""
  follow:
    description:
      - Print what is added to the logs until somebody interrupts it, or for O(follow_timeout), and return no logs.
        Needs C(connection=local), where it is seen.
      - The end of each log is asked for again and again, so more than 100 lines of one log between two polls are not
        all there, which is said. While a deployment or another operation runs, it is Elastic Beanstalk's own log of it.
    type: bool
    default: false
  follow_timeout:
    description:
      - Seconds after which following ends.
    type: int
    default: 3600
  instance_ids:
    description:
      - Only logs of these instances.
    type: list
    elements: str
    default: []
  kind:
    description:
      - V(tail) are the ends of all logs.
      - V(deployment) is the log of the newest deployment, configuration update or restart, also while that goes on.
        Platform versions of Amazon Linux 2 and 2023 since March 2026 have it. Needs C(s3:GetObject) and
        C(s3:ListBucket) on Elastic Beanstalk's bucket.
      - V(analyze) is an analysis by Amazon Bedrock in your account, which costs money and needs rights of the instance
        profile, see "AI-powered environment analysis" in AWS's guide.
    type: str
    choices: [tail, deployment, analyze]
    default: tail
  lines:
    description:
      - With O(follow), so many lines of each log to begin with.
    type: int
    default: 10
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

- name: Why did the deployment fail?
  jack.beanstalk.environment_logs:
    application: blog
    cname_prefix: blog-production
    kind: deployment

- name: Watch who visits, for an hour at most
  jack.beanstalk.environment_logs:
    application: blog
    cname_prefix: blog-production
    follow: true
    file: nginx/access.log
"""

RETURN = r"""
logs:
  description:
    - Instance id, then path of the log, then its last lines. Empty when they were written to files.
    - A deployment log is one for all instances, and stands under the environment's id; an analysis has the path
      C(analysis).
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
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.following import follow_logs
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.queries import fetch_logs
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.run.progress import ProgressFile


def main():
    argument_spec = {
        **ONE_ENVIRONMENT,
        "dest": {"type": "path"},
        "file": {"default": "", "type": "str"},
        "follow": {"default": False, "type": "bool"},
        "follow_timeout": {"default": 3600, "type": "int"},
        "instance_ids": {"default": [], "elements": "str", "type": "list"},
        "kind": {"choices": ["tail", "deployment", "analyze"], "default": "tail", "type": "str"},
        "lines": {"default": 10, "type": "int"},
        "poll_interval": {"default": 2, "type": "float"},
        "progress_file": {"type": "path"},
        "wait_timeout": {"default": 120, "type": "int"},
    }
    module = AnsibleAWSModule(
        argument_spec=argument_spec,
        mutually_exclusive=[NAMED_BY, ("dest", "follow")],
        required_one_of=[NAMED_BY],
        supports_check_mode=True,
    )
    calls = ModuleCalls(module)
    try:
        if module.check_mode and (module.params["dest"] or module.params["kind"] == "analyze"):
            module.exit_json(changed=bool(module.params["dest"]), logs={}, files=[], missing=[], api_calls=0)
        client = calls.client("elasticbeanstalk")
        if module.params["follow"]:
            file = ProgressFile(module.params["progress_file"])
            calls.answer(lambda: follow_logs(client, calls.client, module.params, file.lines, file.abandoned))
        changed, result = calls.in_time(lambda: fetch_logs(client, calls.client, module.params))
    except AnsibleBeanstalkError as error:
        fail(module, error, api_calls=calls.total)
    module.exit_json(changed=changed, **result, api_calls=calls.total)


if __name__ == "__main__":
    main()
