# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: freeze_refusals
version_added: 1.0.0
short_description: Find hosts to which nothing is written now
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Every playbook that writes asks this. C(eb_freeze) of a host is a dictionary of C(until), C(reason) and C(by).
  - A time without a zone is UTC. One that cannot be read freezes, as a mistake must not thaw anything.
options:
  _input:
    description: The hosts. Those that C(eb_freeze_ignore) names are written to all the same.
    type: list
    elements: str
    required: true
  hostvars:
    description: Variables of all hosts.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Refuse to write while frozen
  ansible.builtin.fail:
    msg: "{{ frozen | join(' ') }}"
  when: frozen | length > 0
  vars:
    frozen: "{{ ansible_play_hosts | jack.beanstalk.freeze_refusals(hostvars) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: A sentence for each such host, with what to write to go on.
  type: list
  elements: str
"""


def freeze_refusals(hosts, hostvars):
    """The filter; see DOCUMENTATION."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.freeze import (
        freeze_refusals as find_refusals,
    )

    return find_refusals(hosts, hostvars)


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"freeze_refusals": freeze_refusals}
