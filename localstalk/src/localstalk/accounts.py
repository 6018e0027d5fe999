# SPDX-License-Identifier: GPL-3.0-or-later
"""What an account has before anybody uses it: the roles that the developer guide has users make first.

``aws-elasticbeanstalk-ec2-role``, an instance profile with a role of that name, and
``aws-elasticbeanstalk-service-role``, with the managed policies that the guide, the console and ``eb create`` give
them; moto has the policies' real texts. They are made once, so that who deletes them has none.
"""

from __future__ import annotations

import json
import threading
from typing import Any

INSTANCES = "aws-elasticbeanstalk-ec2-role"
SERVICE = "aws-elasticbeanstalk-service-role"
_POLICIES = {
    INSTANCES: (
        "AWSElasticBeanstalkWebTier",
        "AWSElasticBeanstalkWorkerTier",
        "AWSElasticBeanstalkMulticontainerDocker",
    ),
    SERVICE: ("service-role/AWSElasticBeanstalkEnhancedHealth", "AWSElasticBeanstalkManagedUpdatesCustomerRolePolicy"),
}
_TRUSTED = {INSTANCES: "ec2.amazonaws.com", SERVICE: "elasticbeanstalk.amazonaws.com"}
_lock = threading.Lock()


def iam(account: str) -> Any:
    """moto's IAM of an account, with what the account begins with unless somebody was quicker."""
    from moto.backends import get_backend

    backend: Any = get_backend("iam")[account]["aws"]
    with _lock:
        if "_began" not in backend.__dict__:
            backend._began = True
            _begin(backend)
    return backend


def _begin(backend: Any) -> None:
    for name, policies in _POLICIES.items():
        trust = {"Effect": "Allow", "Principal": {"Service": _TRUSTED[name]}, "Action": "sts:AssumeRole"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        if any(each.name == name for each in backend.roles.values()):
            continue
        backend.create_role(name, document, "/", None, "", [], "3600")
        for policy in policies:
            arn = f"arn:aws:iam::aws:policy/{policy}"
            # moto loads them on demand only (MOTO_IAM_LOAD_MANAGED_POLICIES), as the daemon does.
            if arn in backend.managed_policies:
                backend.attach_role_policy(arn, name)
    if not any(each.name == INSTANCES for each in backend.instance_profiles.values()):
        backend.create_instance_profile(INSTANCES, "/", [])
        backend.add_role_to_instance_profile(INSTANCES, INSTANCES)
