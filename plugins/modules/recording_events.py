#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: recording_events
version_added: 1.0.0
short_description: Record events of an Elastic Beanstalk application as they arrive, and where its CNAME leads
description:
  - Watches an application until a file is removed, or until the time is up, so that it is run in the background
    (C(async)). Writes C(events.json), each event with the seconds from its date until it could be read, and
    C(names.json), from when on the CNAME led elsewhere, with its time to live.
  - The same is replaced as by M(jack.beanstalk.recording); addresses are numbered.
  - The dates are the controller's, so its clock has to be right.
seealso:
  - module: jack.beanstalk.recording
author:
  - The jack.beanstalk team (!UNKNOWN)
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
    details:
      - Nothing is asked and nothing is written.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - What happens is written every time.
options:
  application:
    description:
      - Name of the application. It need not be there yet.
    type: str
    required: true
  cname_prefix:
    description:
      - CNAME prefix whose address is asked for.
    type: str
    required: true
  dest:
    description:
      - Folder for the files, with mode 0600.
    type: path
    required: true
  until_gone:
    description:
      - A file. When it is removed, the module looks once more and ends.
    type: path
    required: true
  name_server:
    description:
      - Address of the name server, with C(:PORT) where that is not 53. The machine's own when it is not given.
    type: str
    default: ""
  poll_interval:
    description:
      - Seconds between two polls.
    type: float
    default: 2
  wait_timeout:
    description:
      - Seconds after which the module ends in any case.
    type: int
    default: 3600
"""

EXAMPLES = r"""
- name: Watch what comes
  jack.beanstalk.recording_events:
    application: shop
    cname_prefix: shop-production
    dest: build/recording
    until_gone: build/recording/.watching
  async: 3700
  poll: 0
"""

RETURN = r"""
event_count:
  description: Number of events.
  returned: success
  type: int
  sample: 42
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 600
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls, fail
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.waiters import Deadline
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.recording.watching import Watch, record_events


def main():
    argument_spec = {
        "application": {"required": True, "type": "str"},
        "cname_prefix": {"required": True, "type": "str"},
        "dest": {"required": True, "type": "path"},
        "until_gone": {"required": True, "type": "path"},
        "name_server": {"default": "", "type": "str"},
        "poll_interval": {"default": 2, "type": "float"},
        "wait_timeout": {"default": 3600, "type": "int"},
    }
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    calls, given = ModuleCalls(module), module.params
    if module.check_mode:
        module.exit_json(changed=True, event_count=0, api_calls=0)
    try:
        watch = Watch(calls.client("elasticbeanstalk"), given)
        deadline = Deadline(given["wait_timeout"], given["poll_interval"])
        calls.in_time(lambda: record_events(watch, given, deadline))
    except AnsibleBeanstalkError as error:
        fail(module, error, api_calls=calls.total)
    module.exit_json(changed=True, event_count=len(watch.events), api_calls=calls.total)


if __name__ == "__main__":
    main()
