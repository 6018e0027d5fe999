#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: legacy_project_info
version_added: 1.0.0
short_description: Read a project for Elastic Beanstalk as inventory variables
description:
  - Reads a project that deploys with the EB CLI, and returns what the playbooks of this collection need to deploy it,
    with one host for each environment.
  - Understood are C(.elasticbeanstalk/config.yml) with its branch defaults and saved configurations; hook scripts in
    C(.ebextensions) and C(.platform), with their leader by marker file, C(EB_IS_COMMAND_LEADER) or C(leader-test.sh),
    that run C(docker exec), compose services or commands in a virtual environment; C(container_commands) of Python
    platforms; scripts that call the EB CLI with C(git add -f) of secrets; Dockerfiles and the usual requirement files;
    C(cron.yaml) and the other files that Elastic Beanstalk reads.
  - Whatever was not understood is returned too, with what to do about it, and stays in the bundle as it is. No file
    that says how the project is deployed is left out.
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
      - By default it is the newest version of the project's own, or of its successor where that is retired.
    type: str
extends_documentation_fragment:
  - jack.beanstalk.attributes
  - jack.beanstalk.attributes.info
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
  description: Inventory variables for all hosts, wherever they are.
  returned: success
  type: dict
  sample:
    eb_application: guestbook
    eb_platform: Docker running on 64bit Amazon Linux 2023
    eb_hooks_prefix: nick
    eb_hooks:
      - name: migrate
        command: python manage.py migrate --noinput
        where: container
        leader_only: true
    eb_secrets_files: [.secrets/]
aws:
  description: Inventory variables for the environments on AWS.
  returned: success
  type: dict
  sample:
    eb_region: ap-northeast-2
    eb_aws: {profile: guestbook}
local:
  description: Inventory variables for a try on localstalk.
  returned: success
  type: dict
  sample:
    eb_region: us-east-1
    eb_localstalk: {driver: auto, speed: 20}
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
      sample: 01_migrate became the hook migrate, on the leader, for the application.
    urgent:
      description: Whether data or secrets are lost until somebody decides.
      type: bool
      returned: always
      sample: false
kept:
  description: What stays in the bundle as it is, and works there.
  returned: success
  type: list
  elements: dict
  contains: *note
open:
  description: What was not understood, or needs a look, and what to do about it.
  returned: success
  type: list
  elements: dict
  contains: *note
findings:
  description: What M(jack.beanstalk.bundle_lint) finds in the bundle as it will be, in that module's form.
  returned: success
  type: list
  elements: dict
report:
  description: All of this as a page of Markdown, what is to be decided first.
  returned: success
  type: str
  sample: "# guestbook: what was understood"
files:
  description: The inventories as files.
  returned: success
  type: list
  elements: dict
  contains:
    inventory:
      description: V(aws) or V(local).
      type: str
      returned: always
      sample: aws
    path:
      description: File of the inventory.
      type: str
      returned: always
      sample: group_vars/all/project.yml
    content:
      description: Its content.
      type: str
      returned: always
      sample: "eb_application: guestbook"
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.adopt.inventory import inventory_files, report
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
    files = inventory_files(project, module.params["path"])
    module.exit_json(changed=False, files=files, report=report(project), **project.as_dict())


if __name__ == "__main__":
    main()
