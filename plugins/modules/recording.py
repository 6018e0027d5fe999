#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: recording
version_added: 1.0.0
short_description: Record what AWS answers about an Elastic Beanstalk application
description:
  - Asks everything that this collection reads of an application and its environments, and writes each answer to a file,
    as botocore gives it. What AWS refuses to answer is recorded, too.
  - Account numbers, addresses, host names, principals, e-mail addresses, signed links and secrets are replaced.
    Option settings whose names look like a secret's lose their values.
  - Nothing in AWS is changed.
seealso:
  - module: jack.beanstalk.recording_events
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
      - New answers are written every time.
options:
  application:
    description:
      - Name of the application. Without it nothing is asked, and only O(documents) are written.
    type: str
  dest:
    description:
      - Folder for the files C(SERVICE.OPERATION.json), with mode 0600. It is made when it is not there.
    type: path
    required: true
  documents:
    description:
      - What else is to be recorded, by the names of the files. The same is replaced in it.
    type: dict
    default: {}
  secrets:
    description:
      - Texts that must not be in a recording, whatever they look like.
    type: list
    elements: str
    default: []
  wait_timeout:
    description:
      - Seconds after which the module gives up where AWS does not answer.
    type: int
    default: 120
"""

EXAMPLES = r"""
- name: Record what AWS says of the shop
  jack.beanstalk.recording:
    application: shop
    dest: build/recording/deployed
"""

RETURN = r"""
files:
  description: Files that were written.
  returned: success
  type: list
  elements: str
  sample: [build/recording/deployed/elasticbeanstalk.DescribeEnvironments.json]
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 23
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import ModuleCalls, fail
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.recording.answers import record_answers, write


def main():
    argument_spec = {
        "application": {"type": "str"},
        "dest": {"required": True, "type": "path"},
        "documents": {"default": {}, "type": "dict"},
        "secrets": {"default": [], "elements": "str", "no_log": True, "type": "list"},
        "wait_timeout": {"default": 120, "type": "int"},
    }
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    calls, given = ModuleCalls(module), module.params
    if module.check_mode:
        module.exit_json(changed=True, files=[], api_calls=0)
    try:
        asked = given["application"]
        answers = calls.in_time(lambda: record_answers(calls.client, asked)) if asked else {}
        files = write(given["dest"], answers | given["documents"], given["secrets"])
    except AnsibleBeanstalkError as error:
        fail(module, error, api_calls=calls.total)
    module.exit_json(changed=True, files=files, api_calls=calls.total)


if __name__ == "__main__":
    main()
