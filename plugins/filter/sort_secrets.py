# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: sort_secrets
version_added: 1.0.0
short_description: Sort secrets by how they reach the application
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Takes a dictionary of secrets, each of them a file of the source bundle, the ARN of a secret that the instances
    fetch, or a plain environment property, and checks the limits of Elastic Beanstalk.
  - The role C(secrets) uses it. No error message holds a value.
options:
  _input:
    description: Names, each with one of C(file) (and C(content)), C(arn), C(value), or null to remove it.
    type: dict
    required: true
  properties:
    description: The environment's other properties.
    type: dict
    default: {}
  options:
    description: The environment's option settings, in either form.
    type: raw
    default: {}
  platform:
    description: Name or ARN of the platform.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Sort them
  ansible.builtin.set_fact:
    sorted: "{{ eb_secrets | jack.beanstalk.sort_secrets(options=eb_option_settings) }}"
  no_log: true
"""

RETURN = r"""
_value:
  description:
    - C(overlay), rendered files; C(files), files that git ignores; C(references), names and ARNs; C(properties), names
      and values.
  type: dict
"""

from ansible.errors import AnsibleFilterError


def sort_secrets(secrets, properties=None, options=None, platform=""):
    """The filter; see DOCUMENTATION."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.secrets import (
        SecretsError,
    )
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.secrets import (
        sort_secrets as sort,
    )

    try:
        return sort(secrets or {}, properties or {}, options or {}, platform)
    except SecretsError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"sort_secrets": sort_secrets}
