#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: source_bundle
version_added: 1.0.0
short_description: Make a reproducible Elastic Beanstalk source bundle
description:
  - Makes a zip of an application source as it is in a git ref, in the staged index or in the work tree, with rendered
    files and secret files laid over it.
  - Runs on the controller, talks to no AWS service, and never changes the work tree, the index or the object store of
    the repository.
  - The version label is made from names, modes and contents only, so equal content has an equal label on any machine,
    also in another commit. An unchanged source is recognised without reading it again.
  - All files of a bundle have one date, rendered files and secrets included. It is when the commit was made, for
    O(from=ref) and for an index or work tree without changes, so that every clone makes the same bytes of one commit.
    With changes it is the newest change among the files that differ from the commit (a removed file counts with its
    folder, a moved one from when it was moved); where there is no commit, the newest change of all. A zip counts in
    steps of two seconds, from 1980 to 2107, without a time zone; the dates are in UTC, as the clocks of instances are.
  - Nothing outside of O(path) is read, whatever became a symbolic link; a link itself is shipped as a link. Anything
    but files and links (a FIFO, a socket, a device), a file of more than 500 MB, a submodule that is not checked out,
    and names that would leave the bundle are refused. With C(core.fileMode=false) the modes that git has count.
  - Programs that the configuration of a repository names (C(core.fsmonitor), C(filter.*), C(gpg.program) and the like)
    are not run, nothing is fetched, and every git has a deadline. That git refuses the repository of another user is
    not changed; C(safe.directory) allows it.
  - What C(.gitattributes) marks C(export-ignore) is left out, as C(git archive) does it, which the EB CLI calls. Only
    the C(.gitattributes) files of the source count, not those of the machine or of the one clone. Contents are shipped
    as git stores them, or with O(from=work_tree) as they are on disk, so C(export-subst), C(eol) and filters change
    nothing. A pointer of Git LFS is therefore shipped as such; with O(platform) the rule C(lfs-pointer) warns of it.
  - An C(.ebignore) file has the meaning that the EB CLI gives it, so C(export-ignore) does not count then.
  - Folders named C(.git) and C(.elasticbeanstalk) are never shipped. Files under C(.platform/hooks) and
    C(.platform/confighooks) are always executable in the bundle.
author:
  - The jack.beanstalk team (!UNKNOWN)
requirements:
  - PyYAML, when O(platform) is given
options:
  path:
    description:
      - Folder of the application source; it may be a folder inside of a repository.
    type: path
    required: true
  from:
    description:
      - V(ref) bundles what is committed in O(ref), V(index) what is staged, V(work_tree) the files on disk that git
        does not ignore.
      - Only V(work_tree) works where there is no repository.
    type: str
    choices: [work_tree, index, ref]
    default: ref
  ref:
    description:
      - Commit, branch or tag to bundle with O(from=ref).
    type: str
    default: HEAD
  overlay:
    description:
      - Rendered files that are added to the bundle, or replace files in it, without touching the source.
    type: list
    elements: dict
    default: []
    suboptions:
      path:
        description: Name of the file in the bundle.
        type: str
        required: true
      content:
        description: Content of the file. It is not logged.
        type: str
        required: true
      mode:
        description: Mode of the file in the bundle, as an octal number in a string.
        type: str
        default: '0644'
  secrets:
    description:
      - Patterns of files below O(path) that are added although git ignores them. A folder means all files in it,
        V(**) any depth. A pattern that matches nothing, or that names a symbolic link, is an error.
    type: list
    elements: str
    default: []
  platform:
    description:
      - Look for faults in the bundle as M(jack.beanstalk.bundle_lint) does on this platform, before the zip gets its
        name. Errors fail, warnings are shown.
      - A solution stack name, a platform ARN, a platform branch name, or simply V(al2023), V(al2) or V(al1). Nothing is
        looked for when it is not given.
    type: str
  skip_rules:
    description:
      - Identifiers of rules to leave out, as M(jack.beanstalk.bundle_lint) lists them.
    type: list
    elements: str
    default: []
  label_prefix:
    description:
      - What the version label starts with. The name of the folder when it is not given.
    type: str
  cache_dir:
    description:
      - Folder for the bundles, made with mode 0700; the bundles have mode 0600. Bundles that were not used for a week
        are removed from it.
      - A bundle with secrets, that is with O(secrets) or with an O(overlay) file that its mode keeps from others, has a
        name of its own in each run, and whoever uploads it removes it
        (O(jack.beanstalk.application_version#module:remove_src)).
        What a killed run leaves is removed after an hour.
      - The default is C(jack.beanstalk/bundles) in the cache folder of the user.
    type: path
attributes:
  check_mode:
    description: Can run in check_mode and return changed status prediction without modifying target.
    support: full
    details:
      - The label is computed; the zip is not written. Without O(platform) RV(bundle.sha256) and RV(bundle.size) may be
        null.
  diff_mode:
    description:
      - Will return details on what has changed (or possibly needs changing in check_mode), when in diff mode.
    support: full
    details:
      - The names of the bundle's files are noted beside it, in check mode as well and with salted digests, so that
        M(jack.beanstalk.environment) can show which of them differ from those of the version that runs.
  idempotent:
    description:
      - When run twice in a row outside check mode, with the same arguments, the second invocation indicates no
        change.
    support: full
"""

EXAMPLES = r"""
- name: Bundle what is committed
  jack.beanstalk.source_bundle:
    path: "{{ playbook_dir }}/examples/blog"
  register: made

- name: Bundle the files on disk with a rendered hook and the secrets that git ignores
  jack.beanstalk.source_bundle:
    path: "{{ playbook_dir }}/examples/blog"
    from: work_tree
    label_prefix: blog
    platform: Docker running on 64bit Amazon Linux 2023
    overlay:
      - path: .platform/hooks/postdeploy/blog_10_migrate.sh
        content: "{{ lookup('ansible.builtin.template', 'migrate.sh.j2') }}"
        mode: '0755'
    secrets:
      - .secrets/
"""

RETURN = r"""
bundle:
  description: The bundle.
  returned: success
  type: dict
  contains:
    path:
      description: The zip file. In check mode it need not exist.
      type: str
      returned: always
      sample: /home/jack/.cache/jack.beanstalk/bundles/blog-9a6b4ba045ee5d01.zip
    version_label:
      description: Label prefix, and the first 16 hex digits of RV(bundle.content_sha256).
      type: str
      returned: always
      sample: blog-9a6b4ba045ee5d01
    sha256:
      description: Digest of the zip file.
      type: str
      returned: always
    content_sha256:
      description: Digest over path, mode and content of all files; the same on any machine.
      type: str
      returned: always
    size:
      description: Size of the zip in bytes.
      type: int
      returned: always
      sample: 54321
    file_count:
      description: Number of files in the bundle.
      type: int
      returned: always
      sample: 42
    description:
      description: First line of the last commit's message, at most 195 characters of it.
      type: str
      returned: always
      sample: Show the newest entry first
    has_secrets:
      description: Whether O(secrets) or an O(overlay) file with a mode such as V(0600) are in it.
      type: bool
      returned: always
    commit:
      description:
        - The commit that was bundled, or the last one before the changes that were; null outside of a repository.
      type: str
      returned: always
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle.build import make_bundle, source_spec
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.user_errors import BundleError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.document import HAS_YAML


def main():
    argument_spec = {
        "cache_dir": {"type": "path"},
        "from": {"choices": ["work_tree", "index", "ref"], "default": "ref", "type": "str"},
        "label_prefix": {"type": "str"},
        "overlay": {
            "default": [],
            "elements": "dict",
            "options": {
                "content": {"no_log": True, "required": True, "type": "str"},
                "mode": {"default": "0644", "type": "str"},
                "path": {"required": True, "type": "str"},
            },
            "type": "list",
        },
        "path": {"required": True, "type": "path"},
        "platform": {"type": "str"},
        "ref": {"default": "HEAD", "type": "str"},
        "secrets": {"default": [], "elements": "str", "no_log": False, "type": "list"},
        "skip_rules": {"default": [], "elements": "str", "type": "list"},
    }
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    if module.params["platform"] and not HAS_YAML:
        module.fail_json(msg=missing_required_lib("PyYAML"))
    # Hiding a word as short as "true" would blank it out of every answer; nothing that short is a secret.
    module.no_log_values.difference_update([value for value in module.no_log_values if len(value) < 8])
    try:
        made = make_bundle(source_spec(module.params), check_mode=module.check_mode, diff_mode=module._diff)
    except BundleError as error:
        module.fail_json(msg=str(error))
    for text in made.warnings:
        module.warn(text)
    result = {"changed": made.changed, "bundle": made.bundle.as_dict()}
    if module._diff:
        label = made.bundle.version_label
        result["diff"] = {"before": {} if made.changed else {"bundle": label}, "after": {"bundle": label}}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
