#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: legacy_project_info
version_added: 0.1.0
short_description: Read a project of the old Elastic Beanstalk ritual as inventory variables
description:
  - Reads a project that deploys with marker files, hook scripts in C(.ebextensions), C(deploy.sh) and the EB CLI, and
    returns what the playbooks of this collection need to deploy it, with one host for each environment.
  - Understood are C(.elasticbeanstalk/config.yml) with its branch defaults, container commands that touch a marker,
    C(files:) that write hook scripts with a prefix, scripts that remove them, C(git add -f) of secrets before
    C(eb deploy --staged), C(Dockerfile) and C(Dockerfile.base), and the usual requirement files.
  - Whatever was not understood is returned too, with what to do about it, and stays in the bundle as it is.
  - Only reads files of the project. Runs nothing, not even git, and writes nothing; values of secrets are not returned.
author:
  - The jack.beanstalk team (!UNKNOWN)
requirements:
  - PyYAML
options:
  path:
    description:
      - Folder of the project.
    type: path
    required: true
  platform:
    description:
      - The platform for the inventory.
      - By default it is the project's own, or C(Docker running on 64bit Amazon Linux 2023) where that is retired.
    type: str
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details:
      - The module only reads.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: N/A
    details:
      - The module changes nothing.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no
        change.
    support: full
seealso:
  - module: jack.beanstalk.bundle_lint
"""

EXAMPLES = r"""
- name: See what a legacy project says
  jack.beanstalk.legacy_project_info:
    path: "{{ playbook_dir }}/../guestbook"
  register: legacy

- name: Show what is left to do
  ansible.builtin.debug:
    msg: "{{ legacy.open }}"
"""

RETURN = r"""
variables:
  description: Inventory variables for all hosts.
  returned: success
  type: dict
  sample:
    eb_application: guestbook
    eb_region: ap-northeast-2
    eb_platform: Docker running on 64bit Amazon Linux 2023
    eb_hooks_prefix: nick
    eb_hooks:
      - name: migrate
        command: python manage.py migrate --noinput
        where: container
        leader_only: true
    eb_secrets_files: [.secrets/]
hosts:
  description: Inventory variables that differ, by host; a host is an environment.
  returned: success
  type: dict
  sample:
    guestbook-production:
      eb_environment_name: guestbook-production
      eb_cname_prefix: guestbook-production
      eb_source: {path: /srv/guestbook, from: ref, ref: main}
understood:
  description: What the inventory now says, and where it came from.
  returned: success
  type: list
  elements: dict
  contains: &note
    file:
      description: File of the project.
      type: str
      returned: always
      sample: .ebextensions/01_files.config
    line:
      description: Line of the file, counted from 1; 0 when the file as a whole is meant.
      type: int
      returned: always
      sample: 14
    text:
      description: What was found, and what became of it.
      type: str
      returned: always
      sample: The hook migrate runs on the leader, in the container.
open:
  description: What was not understood, or needs a look, and what to do about it.
  returned: success
  type: list
  elements: dict
  contains: *note
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.project import (
    NotAProjectError,
    read_project,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.document import HAS_YAML


def main():
    argument_spec = {"path": {"required": True, "type": "path"}, "platform": {"type": "str"}}
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    if not HAS_YAML:
        module.fail_json(msg=missing_required_lib("PyYAML"))
    try:
        project = read_project(module.params["path"], module.params["platform"])
    except NotAProjectError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **project.as_dict())


if __name__ == "__main__":
    main()
