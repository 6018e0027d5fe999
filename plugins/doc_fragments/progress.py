# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - Internal. The file to which progress is written as lines of JSON, for the action plugin of this module, which
        makes the file and prints what comes. Nothing is written where there is no such file.
    type: path
notes:
  - With C(connection=local) progress is printed as it comes. Nothing is printed for tasks with C(no_log), C(become) or
    C(async).
"""
