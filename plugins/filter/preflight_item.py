# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: preflight_item
version_added: 1.0.0
short_description: Say what the inventory wants of a host, before anything is made
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Takes the variables C(eb_*) of a host, and makes the arguments of the role C(preflight) of them.
options:
  _input:
    description: The host.
    type: str
    required: true
  hostvars:
    description: Variables of all hosts.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Look before the first deployment
  ansible.builtin.include_role:
    name: jack.beanstalk.preflight
  vars:
    preflight_item: "{{ inventory_hostname | jack.beanstalk.preflight_item(hostvars) }}"
"""

RETURN = r"""
_value:
  description: The arguments, and C(problem), a sentence when the host's secrets cannot be used.
  type: dict
"""

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.preflight.items import (
    preflight_item as make_item,
)


def preflight_item(host, hostvars):
    """The filter; see DOCUMENTATION."""
    return make_item(host, hostvars)


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"preflight_item": preflight_item}
