# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM enforcement on request: moto's own, for all services, with an administrator to begin with."""

from __future__ import annotations

import json
from typing import Any

ADMINISTRATOR = "localstalk"
"""User name, access key id and secret of the administrator: what ``localstalk env`` prints."""
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def enforce(account: str) -> None:
    """From now on, check signatures and policies of every call; the administrator of ``account`` may do everything."""
    from moto import settings
    from moto.iam.models import iam_backends

    backend = iam_backends[account]["aws"]
    backend.create_user("us-east-1", ADMINISTRATOR)
    backend.put_user_policy(ADMINISTRATOR, "everything", json.dumps(_EVERYTHING))
    key = backend.create_access_key(ADMINISTRATOR)
    backend.access_keys.pop(key.physical_resource_id)
    key.access_key_id = key.secret_access_key = ADMINISTRATOR
    backend.access_keys[ADMINISTRATOR] = key
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    _honour_links()


def _honour_links() -> None:
    """Let presigned S3 links work: moto looks for the signature in a header only. The link itself is the permission."""
    from moto.core.authorization import ActionAuthenticatorMixin

    check = ActionAuthenticatorMixin._authenticate_and_authorize_s3_action

    def check_unless_link(self: Any, *arguments: Any, **named: Any) -> None:
        if "Authorization" in self.headers or "Signature=" not in self.uri:
            check(self, *arguments, **named)

    ActionAuthenticatorMixin._authenticate_and_authorize_s3_action = check_unless_link


def signed(environ: dict[str, Any]) -> bool:
    """Whether a WSGI request carries a signature at all."""
    return "HTTP_AUTHORIZATION" in environ or "Signature=" in environ.get("QUERY_STRING", "")
