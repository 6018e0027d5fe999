#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle_lint
version_added: 1.0.0
short_description: Find what Elastic Beanstalk would refuse, ignore or misread in a source bundle
description:
  - Checks C(.ebextensions), C(.platform), the Docker files and the manifests of a source folder or of a zip, before a
    deployment finds the faults one by one.
  - Runs on the controller, talks to no AWS service, runs nothing from the bundle and changes nothing.
  - An error is something that Elastic Beanstalk refuses, drops or does differently from what is written, or that loses
    data. A warning works today but is fragile or risky.
author:
  - The jack.beanstalk team (!UNKNOWN)
requirements:
  - PyYAML
options:
  path:
    description:
      - Folder of the application source, or a zip as M(jack.beanstalk.source_bundle) makes it.
    type: path
    required: true
  platform:
    description:
      - The platform of the environment, as a solution stack name, a platform ARN, a platform branch name, or simply
        V(al2023), V(al2) or V(al1).
      - Rules that depend on the platform stay silent, or become warnings, when it is not given.
    type: str
  fail_on:
    description:
      - V(error) fails when there is an error, V(warning) when there is any finding, V(never) only reports.
    type: str
    choices: [error, warning, never]
    default: error
  skip_rules:
    description:
      - Identifiers of rules to leave out, as they stand in RV(findings[].rule).
    type: list
    elements: str
    default: []
  programs:
    description:
      - Whether to show what C(shellcheck) says of hooks and C(hadolint) of the C(Dockerfile), where these programs are
        installed, under their own names such as V(SC2086) and V(DL3008), as warnings.
    type: bool
    default: true
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
notes:
  - "Rules for the structure of configuration files: V(yaml-syntax), V(json-syntax), V(duplicate-key), V(unknown-key),
    V(wrong-type), V(missing-key), V(leader-only-misplaced), V(leader-only-with-test),
    V(ebextensions-ignored-file), V(misspelt-folder), V(nested-bundle), V(short-tag), V(cron-field),
    V(not-checked) (more than 2 MiB),
    V(lfs-pointer) (in a zip anywhere, in a folder only where the other rules look)."
  - "Rules for option settings: V(unknown-namespace), V(unknown-option), V(option-value), V(option-combination),
    V(option-without-namespace), V(retired-option), V(wsgi-path), V(properties-too-long),
    V(secret-in-property), V(rds-deletion-policy)."
  - "Rules for hooks and commands: V(hook-not-executable), V(hook-no-shebang), V(hook-crlf), V(hook-ignored),
    V(hook-no-container), V(host-needs-container), V(legacy-path-on-modern),
    V(retired-path), V(platform-hook-on-legacy), V(backup-leftover), V(backup-hook),
    V(bak-left-behind), V(docker-exec-all), V(docker-exec-tty)."
  - "Rules for Docker: V(dockerfile-missing), V(dockerfile-no-expose), V(dockerrun-version), V(dockerrun-image-ignored),
    V(dockerrun-no-ports), V(dockerrun-port-mismatch), V(compose-conflict), V(compose-dockerfile-unused),
    V(compose-no-port), V(compose-dollar), V(compose-own-env)."
  - "Rules for Django, whose settings are read and never run: V(django-static-root), V(django-allowed-hosts),
    V(django-command), V(django-csrf), V(django-sqlite)."
seealso:
  - module: jack.beanstalk.source_bundle
"""

EXAMPLES = r"""
- name: Stop before a deployment that Elastic Beanstalk would refuse
  jack.beanstalk.bundle_lint:
    path: "{{ playbook_dir }}/examples/blog"
    platform: Docker running on 64bit Amazon Linux 2023

- name: Report on a zip without failing, and leave one rule out
  jack.beanstalk.bundle_lint:
    path: "{{ made.bundle.path }}"
    platform: "{{ eb_platform }}"
    fail_on: never
    skip_rules:
      - secret-in-property
  register: lint
"""

RETURN = r"""
findings:
  description: What was found, sorted by file and line. Values of secrets are never in it.
  returned: always
  type: list
  elements: dict
  contains:
    file:
      description: The file, relative to the top of the bundle.
      type: str
      returned: always
      sample: .ebextensions/01_options.config
    line:
      description: The line, counted from 1; 0 when the file as a whole is meant.
      type: int
      returned: always
      sample: 4
    rule:
      description: Identifier of the rule.
      type: str
      returned: always
      sample: unknown-option
    severity:
      description: V(error) or V(warning).
      type: str
      returned: always
      sample: error
    message:
      description: What is wrong.
      type: str
      returned: always
      sample: aws:autoscaling:asg has no option MinSzie (did you mean MinSize?)
    effect:
      description: What Elastic Beanstalk does about it.
      type: str
      returned: always
      sample: EB refuses the setting (Unknown configuration setting) and the deployment fails.
    mend:
      description: How to mend it.
      type: str
      returned: always
      sample: Correct the option name.
error_count:
  description: Number of errors.
  returned: always
  type: int
  sample: 1
warning_count:
  description: Number of warnings.
  returned: always
  type: int
  sample: 0
file_count:
  description: Number of configuration files and hooks that were checked.
  returned: always
  type: int
  sample: 7
msg:
  description: What was found, in one sentence.
  returned: always
  type: str
  sample: Looked at 7 files and found nothing wrong.
"""

from ansible.module_utils.basic import AnsibleModule, missing_required_lib
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.bundle import UnreadableBundleError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.document import HAS_YAML
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.runner import lint_bundle


def main():
    argument_spec = {
        "fail_on": {"choices": ["error", "warning", "never"], "default": "error", "type": "str"},
        "path": {"required": True, "type": "path"},
        "platform": {"type": "str"},
        "programs": {"default": True, "type": "bool"},
        "skip_rules": {"default": [], "elements": "str", "type": "list"},
    }
    module = AnsibleModule(argument_spec=argument_spec, supports_check_mode=True)
    if not HAS_YAML:
        module.fail_json(msg=missing_required_lib("PyYAML"))
    try:
        names = ("path", "platform", "programs")
        wanted = {name: module.params[name] for name in names}
        report = lint_bundle(skip=module.params["skip_rules"], **wanted)
    except (UnreadableBundleError, ValueError) as error:
        module.fail_json(msg=str(error))
    result = {**report.as_dict(), "msg": report.sentence()}
    if report.fails(module.params["fail_on"]):
        module.fail_json(**result)
    for text in report.warnings():
        module.warn(text)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
