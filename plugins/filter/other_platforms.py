# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: other_platforms
version_added: 1.0.0
short_description: Find environments whose platform is not the wanted one
author:
  - The jack.beanstalk team (!UNKNOWN)
description:
  - Any version of a branch is right where the wanted platform names none, and a newer one is right where it does.
options:
  _input:
    description: Environments, as M(jack.beanstalk.environment_info) returns them.
    type: list
    elements: dict
    required: true
  platform:
    description: Solution stack name, platform ARN or platform branch.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show whose platform is another one
  ansible.builtin.debug:
    msg: "{{ found.environments | jack.beanstalk.other_platforms(eb_platform) | map(attribute='environment_name') }}"
"""

RETURN = r"""
_value:
  description: Those environments.
  type: list
  elements: dict
"""


def other_platforms(environments, platform):
    """The filter; see DOCUMENTATION."""
    from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.platform.resolution import (
        other_platforms as find_others,
    )

    return find_others(environments, platform)


class FilterModule:
    """Filters of this file."""

    def filters(self):
        """Names and functions."""
        return {"other_platforms": other_platforms}
