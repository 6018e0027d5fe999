#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: item_result
version_added: 1.0.0
short_description: Make a host's own result of what was done for many
description:
  - Returns what M(jack.beanstalk.environments) or M(jack.beanstalk.cycles) found out for a host as the result of this
    task. So Ansible's recap, C(serial), C(max_fail_percentage), C(any_errors_fatal) and C(--limit) mean
    what they always mean.
  - It runs on the controller, starts no module and asks nothing.
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.environments
  - module: jack.beanstalk.cycles
extends_documentation_fragment:
  - jack.beanstalk.attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  items:
    description:
      - What the module returned by item, as C(environments) or C(cycles).
    type: dict
    required: true
  item:
    description:
      - Which of them. The name of the host when it is not given.
    type: str
  explain:
    description:
      - Whether the cause of a failure is printed, some twenty lines at most. Where many failed, a table says more.
    type: bool
    default: true
  report:
    description:
      - What is printed where nothing failed, as lines of text.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Make it each host's own result
  jack.beanstalk.item_result:
    items: "{{ deployed.environments }}"
"""

RETURN = r"""
msg:
  description: What went wrong, in a sentence, and where events and logs are. The cause was printed before.
  returned: when it failed
  type: str
changed:
  description:
    - Whether something was changed for this host. All else is as the module returned it, but of a failure, as Ansible
      prints all of that.
  returned: always
  type: bool
"""
