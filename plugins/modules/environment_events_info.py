#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environment_events_info
version_added: 1.0.0
short_description: Read the events of an Elastic Beanstalk environment or application
description:
  - Reads events, oldest first. Without the name of an environment, those of the whole application.
  - Elastic Beanstalk keeps events for six weeks.
author:
  - The jack.beanstalk team (!UNKNOWN)
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - jack.beanstalk.attributes.info
  - jack.beanstalk.selection.one
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  limit:
    description:
      - At most so many events, the newest ones.
    type: int
    default: 100
  request_id:
    description:
      - Only events of this request. Events on health and on added instances belong to no request.
    type: str
  severity:
    description:
      - Only events of at least this severity.
    type: str
    choices: [TRACE, DEBUG, INFO, WARN, ERROR, FATAL]
    default: INFO
  since:
    description:
      - Only events since then. A time such as V(2026-03-03T12:00:00Z), or so long ago, as V(90m), V(2h) or V(1d).
    type: str
  version_label:
    description:
      - Only events of this version.
    type: str
"""

EXAMPLES = r"""
- name: Look for errors of the last hour
  jack.beanstalk.environment_events_info:
    application: blog
    cname_prefix: blog-production
    severity: ERROR
    since: 1h
"""

RETURN = r"""
events:
  description: The events, oldest first.
  returned: success
  type: list
  elements: dict
  sample:
    - event_date: '2026-03-03T12:38:46.231Z'
      severity: INFO
      message: Environment update completed successfully.
      environment_name: blog-production
      request_id: 11111111-2222-3333-4444-555555555555
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 2
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.selection import NAMED_BY, ONE_ENVIRONMENT
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.observe.queries import list_events


def main():
    argument_spec = {
        **ONE_ENVIRONMENT,
        "limit": {"default": 100, "type": "int"},
        "request_id": {"type": "str"},
        "severity": {"choices": ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"], "default": "INFO", "type": "str"},
        "since": {"type": "str"},
        "version_label": {"type": "str"},
    }
    module = AnsibleAWSModule(
        argument_spec=argument_spec,
        mutually_exclusive=[NAMED_BY],
        supports_check_mode=True,
    )
    calls = ModuleCalls(module)
    calls.answer(lambda: {"events": list_events(calls.client("elasticbeanstalk"), module.params)})


if __name__ == "__main__":
    main()
