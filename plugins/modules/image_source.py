#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: image_source
version_added: 1.0.0
short_description: Find out what the base image of an application is made of
description:
  - Turns the lock file of an application into a requirements file with hashes, and computes a tag from everything that
    goes into the base image, which is the Dockerfile, the requirements, the other files that it copies, and the build
    arguments.
  - Reads the source as the module M(jack.beanstalk.source_bundle) does, so image and bundle are of the same commit.
    No package index is asked, and addresses of indexes are not taken over.
  - With O(dest) it writes the build context, which holds those files and no others.
  - Runs on the controller and talks to no AWS service.
author:
  - The jack.beanstalk team (!UNKNOWN)
options:
  path:
    description:
      - Folder of the application source; it may be a folder inside of a repository.
    type: path
    required: true
  from:
    description:
      - V(ref) reads what is committed in O(ref), V(index) what is staged, V(work_tree) the files on disk.
    type: str
    choices: [work_tree, index, ref]
    default: work_tree
  ref:
    description:
      - Commit, branch or tag to read with O(from=ref).
    type: str
    default: HEAD
  lock:
    description:
      - The lock file, which may be C(uv.lock), C(poetry.lock), C(Pipfile.lock), or a requirements file in which
        everything is pinned. The first of them that is there when it is not given.
    type: str
  groups:
    description:
      - Dependency groups to install beside the default one, such as V(dev). For a requirements file V(dev) means
        C(requirements-dev.txt).
    type: list
    elements: str
    default: []
  extras:
    description:
      - Extras of the application itself, for C(uv.lock) and C(poetry.lock).
    type: list
    elements: str
    default: []
  require_hashes:
    description:
      - Whether a package without a hash is an error.
    type: bool
    default: true
  packages:
    description:
      - Packages that the lock file must hold.
    type: list
    elements: str
    default: []
  requirements:
    description:
      - Name of the requirements file in the build context.
    type: str
    default: requirements.txt
  base_dockerfile:
    description:
      - Name of the base image's Dockerfile.
    type: str
    default: Dockerfile.base
  base_content:
    description:
      - Content of the base image's Dockerfile, when it is rendered and not the source's own.
    type: str
  dockerfile:
    description:
      - Name of the application's Dockerfile.
    type: str
    default: Dockerfile
  dockerfile_rendered:
    description:
      - Whether the application's Dockerfile is rendered, so that the source's own is not read.
    type: bool
    default: false
  build_args:
    description:
      - Build arguments that change what is in the image.
    type: dict
    default: {}
  dest:
    description:
      - Folder to write the build context to. Nothing is written when it is not given.
    type: path
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: none
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no
        change.
    support: full
"""

EXAMPLES = r"""
- name: Find out the tag of the base image of what is committed
  jack.beanstalk.image_source:
    path: "{{ playbook_dir }}/examples/blog"
    from: ref
  register: made

- name: Write the requirements of a poetry project, those of its group dev included
  jack.beanstalk.image_source:
    path: /srv/shop
    lock: poetry.lock
    groups: [dev]
    dest: /tmp/shop-base
"""

RETURN = r"""
image:
  description: What the base image is made of.
  returned: success
  type: dict
  contains:
    lock:
      description: The lock file.
      type: str
      returned: always
      sample: uv.lock
    packages:
      description: Names of the packages.
      type: list
      elements: str
      returned: always
      sample: [asgiref, django]
    requirements:
      description: The requirements file.
      type: str
      returned: always
    context:
      description: Names of the files in the build context.
      type: list
      elements: str
      returned: always
      sample: [Dockerfile.base, requirements.txt]
    digest:
      description: Digest of everything that goes into the image.
      type: str
      returned: always
    tag:
      description: The first 16 digits of it.
      type: str
      returned: always
      sample: 9a6b4ba045ee5d01
    dockerfile:
      description: The application's own Dockerfile, null when there is none or it is rendered.
      type: str
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.user_errors import BundleError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.plan import (
    Wanted,
    make_plan,
    write_context,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.requirement import LockError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.image.source import Source


def main():
    texts = {"default": [], "elements": "str", "type": "list"}
    argument_spec = {
        "base_content": {"type": "str"},
        "base_dockerfile": {"default": "Dockerfile.base", "type": "str"},
        "build_args": {"default": {}, "type": "dict"},
        "dest": {"type": "path"},
        "dockerfile": {"default": "Dockerfile", "type": "str"},
        "dockerfile_rendered": {"default": False, "type": "bool"},
        "extras": texts,
        "from": {"choices": ["work_tree", "index", "ref"], "default": "work_tree", "type": "str"},
        "groups": texts,
        "lock": {"type": "str"},
        "packages": texts,
        "path": {"required": True, "type": "path"},
        "ref": {"default": "HEAD", "type": "str"},
        "require_hashes": {"default": True, "type": "bool"},
        "requirements": {"default": "requirements.txt", "type": "str"},
    }
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    params = module.params
    try:
        plan = make_plan(Source(params["path"], params["from"], params["ref"]), Wanted.of(params))
        changed = bool(params["dest"]) and write_context(plan, params["dest"], check_mode=module.check_mode)
    except (BundleError, LockError) as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"Cannot write {error.filename}: {error.strerror}.")
    for sentence in plan.warnings:
        module.warn(sentence)
    module.exit_json(changed=changed, image=plan.as_dict())


if __name__ == "__main__":
    main()
