# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: deployment_items
version_added: 1.0.0
short_description: Make the list of environments of what the inventory says
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Takes the variables C(eb_*) of each host, and the source bundle that was made for it, and makes an item for
    M(jack.beanstalk.environments) of them.
  - Values of the inventory, of C(-e) and registered ones count. Variables of plays and roles are not in C(hostvars).
  - A host whose variables cannot be used gets an item with a sentence, so that it fails alone.
extends_documentation_fragment:
  - jack.beanstalk.selection.hosts
"""

EXAMPLES = r"""
- name: Bring all environments to this version
  jack.beanstalk.environments:
    environments: "{{ ansible_play_hosts | jack.beanstalk.deployment_items(hostvars) }}"
  run_once: true
  register: deployed
"""

RETURN = r"""
_value:
  description: The items.
  type: list
  elements: dict
"""


def deployment_items(hosts, hostvars):
    """The filter; see DOCUMENTATION."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.deployment.items import (
        deployment_items as make_items,
    )

    return make_items(hosts, hostvars)


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"deployment_items": deployment_items}
