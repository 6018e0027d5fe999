# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: writers
version_added: 0.1.0
short_description: Find out which hosts of a fleet write to the same place
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Compares variables of the inventory. Hosts of which a variable cannot be templated are left out.
  - One host can do this for all of them, which takes the controller less time than a task for each host.
options:
  _input:
    description: The hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: Variables of all hosts.
    type: dict
    required: true
  name:
    description: Name of the variable that tells what a host is called at its place, a CNAME prefix.
    type: str
    required: true
  place:
    description: Names of the variables that make the place; hosts with equal values share it.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Find out who writes beside whom
  ansible.builtin.set_fact:
    fleet_writers: "{{ ansible_play_batch | jack.beanstalk.writers(hostvars, 'eb_cname_prefix', place) }}"
  vars:
    place: [eb_application, eb_region]
  run_once: true
"""

RETURN = r"""
_value:
  description: C(place_of), the number of each host's place; C(names), for each place what its hosts are called.
  type: dict
"""

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.writers import writers as find_writers


def writers(hosts, hostvars, name, place):
    """The filter; see DOCUMENTATION."""
    return find_writers(hosts, hostvars, name, place)


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"writers": writers}
