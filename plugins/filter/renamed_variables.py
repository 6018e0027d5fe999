# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: renamed_variables
version_added: 1.0.0
short_description: Find variables of the inventory that have another name now
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Every playbook asks this first, so that a variable by its old name is an error and not ignored.
extends_documentation_fragment:
  - jack.beanstalk.selection.hosts
"""

EXAMPLES = r"""
- name: Refuse variables by their old names
  ansible.builtin.fail:
    msg: "{{ renamed | join(' ') }}"
  when: renamed | length > 0
  vars:
    renamed: "{{ ansible_play_hosts | jack.beanstalk.renamed_variables(hostvars) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: A sentence for each such variable, with its new name.
  type: list
  elements: str
"""


def renamed_variables(hosts, hostvars):
    """The filter; see DOCUMENTATION."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.variable_names import (
        renamed_variables as find_renamed,
    )

    return find_renamed(hosts, hostvars)


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"renamed_variables": renamed_variables}
