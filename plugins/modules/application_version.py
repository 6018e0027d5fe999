#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: application_version
version_added: 1.0.0
short_description: Manage an Elastic Beanstalk application version
description:
  - Uploads a source bundle and makes an application version of it, or deletes a version.
  - A version that exists is not uploaded again. Its bundle cannot be changed, so use labels that are made from the
    content, as M(jack.beanstalk.source_bundle) does.
  - With O(src) the bundle in S3 is checked (C(s3:GetObject), and C(s3:ListBucket) to tell that it is missing). It is
    uploaded again where it is gone, or has another checksum than the one that was recorded when the version was made,
    never because O(src) has other bytes, since the dates in a bundle are those of the commit. Where the credentials
    may not do that, nothing is done.
  - A version that an environment runs is never deleted.
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.source_bundle
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.actiongroup
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  application:
    description:
      - Name of the application; it has to exist.
    type: str
    required: true
  version_label:
    description:
      - Label of the version, 1 to 100 characters.
    type: str
    required: true
  src:
    description:
      - The source bundle, a file on the controller. Needed when the version does not exist yet.
    type: path
  remove_src:
    description:
      - Remove O(src) from the controller at the end, whatever the outcome. For bundles with secrets
        (RV(jack.beanstalk.source_bundle#module:bundle.has_secrets)). Not in check mode.
    type: bool
    default: false
  description:
    description:
      - Description of the version, at most 200 characters. Nothing changes when it is not given; an empty text clears
        it.
    type: str
  diff_with:
    description:
      - Label of another version of the application. In diff mode, a new version is shown with the names of the files,
        hooks and secrets in which its bundle, made by M(jack.beanstalk.source_bundle), differs from the other's.
    type: str
  bucket:
    description:
      - Bucket for the bundle, in the same region. Elastic Beanstalk's own bucket when it is not given.
      - To name Elastic Beanstalk's own bucket (V(elasticbeanstalk-REGION-ACCOUNT)) saves the call that asks for it.
      - The key is C(application/version_label.zip).
    type: str
  process:
    description:
      - Whether Elastic Beanstalk checks C(env.yaml) and C(.ebextensions) before the version can be used.
    type: bool
    default: true
  tags:
    description:
      - Tags of the version. Nothing changes when they are not given.
    type: dict
    aliases: [resource_tags]
  purge_tags:
    description:
      - Whether tags that are not in O(tags) are removed.
    type: bool
    default: true
  delete_source_bundle:
    description:
      - With O(state=absent), whether the bundle is deleted from S3 too.
    type: bool
    default: true
  wait_timeout:
    description:
      - Seconds for the upload, and until the version is processed.
    type: int
    default: 300
  poll_interval:
    description:
      - Seconds between two polls at the version while it is processed.
    type: float
    default: 2
  state:
    description:
      - V(present) creates or changes the version, V(absent) deletes it.
    type: str
    choices: [present, absent]
    default: present
"""

EXAMPLES = r"""
- name: Bundle the application
  jack.beanstalk.source_bundle:
    path: "{{ playbook_dir }}/examples/blog"
  register: made

- name: Have a version of it
  jack.beanstalk.application_version:
    application: blog
    version_label: "{{ made.bundle.version_label }}"
    src: "{{ made.bundle.path }}"
    remove_src: "{{ made.bundle.has_secrets }}"
    description: "{{ made.bundle.description }}"

- name: Delete an old version and its bundle
  jack.beanstalk.application_version:
    application: blog
    version_label: blog-9a6b4ba045ee5d01
    state: absent
"""

RETURN = r"""
version:
  description: The version as it is now, or in check mode as it would be; null when it is absent.
  returned: success
  type: dict
  contains:
    application_name:
      description: Name of the application.
      type: str
      returned: always
      sample: blog
    version_label:
      description: Label of the version.
      type: str
      returned: always
      sample: blog-9a6b4ba045ee5d01
    description:
      description: Description of the version.
      type: str
      returned: always
    status:
      description: V(PROCESSED) or V(UNPROCESSED).
      type: str
      returned: always
      sample: PROCESSED
    application_version_arn:
      description: ARN of the version.
      type: str
      returned: always
    source_bundle:
      description: Where the bundle is in S3.
      type: dict
      returned: always
      sample: {s3_bucket: elasticbeanstalk-us-east-1-123456789012, s3_key: blog/blog-9a6b4ba045ee5d01.zip}
    date_created:
      description: When it was created.
      type: str
      returned: always
    date_updated:
      description: When it was changed last.
      type: str
      returned: always
    tags:
      description: The tags.
      type: dict
      returned: when tags are given
api_calls:
  description: Number of requests that were sent to AWS.
  returned: success
  type: int
  sample: 5
"""

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.application.versions import ensure_version
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.module_parts import (
    ModuleCalls,
    check_version_params,
    fail,
    finish,
    remove_bundle,
)


def main():
    argument_spec = {
        "application": {"required": True, "type": "str"},
        "bucket": {"type": "str"},
        "delete_source_bundle": {"default": True, "type": "bool"},
        "description": {"type": "str"},
        "diff_with": {"type": "str"},
        "poll_interval": {"default": 2, "type": "float"},
        "process": {"default": True, "type": "bool"},
        "purge_tags": {"default": True, "type": "bool"},
        "remove_src": {"default": False, "type": "bool"},
        "src": {"type": "path"},
        "state": {"choices": ["present", "absent"], "default": "present", "type": "str"},
        "tags": {"aliases": ["resource_tags"], "type": "dict"},
        "version_label": {"required": True, "type": "str"},
        "wait_timeout": {"default": 300, "type": "int"},
    }
    module = AnsibleAWSModule(argument_spec=argument_spec, supports_check_mode=True)
    calls = ModuleCalls(module)
    try:
        check_version_params(module.params)
        changed, result = calls.in_time(
            lambda: ensure_version(
                calls.client("elasticbeanstalk"), calls.client("s3"), module.params, module.check_mode
            )
        )
    except AnsibleBeanstalkError as error:
        fail(module, error, changed=calls.changed)
    finally:
        remove_bundle(module)
    finish(module, changed, {**result, "api_calls": calls.total})


if __name__ == "__main__":
    main()
