# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: merge_option_settings
version_added: 1.0.0
short_description: Add option settings to others that are in either form
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Option settings are a dictionary of namespaces, or a list of entries with C(namespace), C(option_name), C(value) and
    C(resource_name). What is added takes the place of what is there; the form stays.
options:
  _input:
    description: Option settings in either form.
    type: raw
    required: true
  more:
    description: Namespace to option name to value.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Add environment properties to the option settings
  ansible.builtin.debug:
    msg: "{{ eb_option_settings | jack.beanstalk.merge_option_settings(properties) }}"
  vars:
    properties:
      aws:elasticbeanstalk:application:environment: "{{ eb_environment_properties }}"
"""

RETURN = r"""
_value:
  description: All of them, in the form of the input.
  type: raw
"""


def merge_option_settings(given, more):
    """The filter; see DOCUMENTATION."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.given import merged

    return merged(given, more)


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"merge_option_settings": merge_option_settings}
