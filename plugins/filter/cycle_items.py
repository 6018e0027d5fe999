# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: cycle_items
version_added: 1.0.0
short_description: Make the list of cycles of what the inventory says
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Takes the variables C(eb_*) of each host, and makes an item for M(jack.beanstalk.cycles) of them.
  - Values of the inventory, of C(-e) and registered ones count. Variables of plays and roles are not in C(hostvars).
  - A host whose variables cannot be used gets an item with a sentence, so that it fails alone.
  - With the goal V(deploy) only those hosts have an item whose C(eb_deploy_strategy) is V(swap), and whose live
    environment has another version or platform.
extends_documentation_fragment:
  - jack.beanstalk.selection.hosts
options:
  goal:
    description: What the cycles are for, as M(jack.beanstalk.cycle) takes it.
    type: str
    choices: [recreate, deploy, rollback]
    default: recreate
"""

EXAMPLES = r"""
- name: Replace the live environments by fresh ones
  jack.beanstalk.cycles:
    cycles: "{{ ansible_play_batch | jack.beanstalk.cycle_items(hostvars) }}"
  run_once: true
  register: recreated
"""

RETURN = r"""
_value:
  description: The items.
  type: list
  elements: dict
"""


def cycle_items(hosts, hostvars, goal="recreate"):
    """The filter; see DOCUMENTATION."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.items import (
        cycle_items as make_items,
    )

    return make_items(hosts, hostvars, goal)


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"cycle_items": cycle_items}
