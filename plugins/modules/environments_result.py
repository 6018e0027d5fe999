#!/usr/bin/python
# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: environments_result
version_added: 0.1.0
short_description: Make a host's own result of what was done for many
description:
  - Returns what M(jack.beanstalk.environments) found out for a host as the result of this task. So Ansible's recap,
    C(serial), C(max_fail_percentage), C(any_errors_fatal) and C(--limit) mean what they always mean.
  - It runs on the controller, starts no module and asks nothing.
author:
  - The jack.beanstalk team (!UNKNOWN)
seealso:
  - module: jack.beanstalk.environments
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
  environments:
    description:
      - C(environments) of the result of M(jack.beanstalk.environments).
    type: dict
    required: true
  item:
    description:
      - Which of them. The name of the host when it is not given.
    type: str
"""

EXAMPLES = r"""
- name: Make it each host's own result
  jack.beanstalk.environments_result:
    environments: "{{ deployed.environments }}"
"""

RETURN = r"""
msg:
  description: What went wrong, and what to do.
  returned: when it failed
  type: str
environment:
  description: As M(jack.beanstalk.environment) returns it, as is everything else.
  returned: when it did not fail
  type: dict
"""
