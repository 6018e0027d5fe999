# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: bundle_groups
version_added: 1.0.0
short_description: Group the hosts of a fleet whose source bundles are the same
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Compares the variables of the inventory from which C(deploy.yml) makes a bundle. Hosts with secrets in the bundle
    are left out, as are hosts of which a variable cannot be templated.
extends_documentation_fragment:
  - jack.beanstalk.selection.hosts
"""

EXAMPLES = r"""
- name: Deduplicate source bundles
  ansible.builtin.set_fact:
    eb_bundle_groups: "{{ ansible_play_hosts | jack.beanstalk.bundle_groups(hostvars) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description: By host, the first host whose bundle is the same; itself when there is none before it.
  type: dict
"""


def bundle_groups(hosts, hostvars):
    """The filter; see DOCUMENTATION."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.bundle.groups import (
        bundle_groups as find_groups,
    )

    return find_groups(hosts, hostvars)


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"bundle_groups": bundle_groups}
