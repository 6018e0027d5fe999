# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How modules are told which environments are meant; the options are in _beanstalk/observe/environments.py."""

from __future__ import annotations


class ModuleDocFragment:
    ONE = r"""
options:
  application:
    description:
      - Name of the application.
    type: str
    required: true
  cname_prefix:
    description:
      - CNAME prefix of the environment.
      - It is all that stands before C(.REGION.elasticbeanstalk.com) in the CNAME, so V(blog-production.eba-k3v9x2mq)
        for one that was made without a prefix.
    type: str
  environment_id:
    description:
      - Id of the environment.
    type: str
  name:
    description:
      - Name of the environment.
    type: str
"""

    MANY = r"""
options:
  application:
    description:
      - Only environments of this application.
    type: str
  cname_prefix:
    description:
      - Only the environment that holds this CNAME prefix.
      - It is all that stands before C(.REGION.elasticbeanstalk.com) in the CNAME, so V(blog-production.eba-k3v9x2mq)
        for one that was made without a prefix.
      - A failure when nobody holds it but an environment of that name has another CNAME, or when two hold it, with what
        to write instead.
    type: str
  ids:
    description:
      - Only environments with these ids. Unknown ids are left out.
    type: list
    elements: str
  names:
    description:
      - Only environments with these names. Unknown names are left out.
    type: list
    elements: str
"""

    LOCK = r"""
options:
  application:
    description:
      - Application of the logical environment.
    type: str
    required: true
  bucket:
    description:
      - S3 bucket of the lock. Elastic Beanstalk's own bucket of the region when it is not given.
    type: str
  cname_prefix:
    description:
      - CNAME prefix of the logical environment, all that stands before C(.REGION.elasticbeanstalk.com) in its CNAME.
        The case of letters does not matter.
    type: str
    required: true
"""

    HOSTS = r"""
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
"""
