# SPDX-License-Identifier: GPL-3.0-or-later
"""IAM enforcement on request: moto's own, for all services, with an administrator to begin with."""

from __future__ import annotations

import json
import threading
from types import SimpleNamespace
from typing import Any

from localstalk import accounts
from localstalk.keys import Key

ADMINISTRATOR = "localstalk"
"""User name of the administrator, whose keys ``localstalk env`` prints."""
_EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
_lock = threading.Lock()
_asked: dict[str, dict[str, set[str]]] = {}


def enforce(account: str, administrator: Key) -> None:
    """From now on, check policies of every call; the administrator of ``account`` may do everything."""
    from moto import settings
    from moto.iam.access_control import IAMRequestBase

    backend = accounts.iam(account)
    backend.create_user("us-east-1", ADMINISTRATOR)
    backend.put_user_policy(ADMINISTRATOR, "everything", json.dumps(_EVERYTHING))
    key = backend.create_access_key(ADMINISTRATOR)
    backend.access_keys.pop(key.physical_resource_id)
    key.access_key_id, key.secret_access_key = administrator.access_key, administrator.secret_key
    backend.access_keys[key.access_key_id] = key
    # The guard has compared it, and knows forms of it that moto does not.
    IAMRequestBase.check_signature = lambda self: None
    settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
    _refine_s3()
    _note_permissions()
    _check_commands_by_resource()


def asked() -> dict[str, dict[str, list[str]]]:
    """What each principal has needed so far: ARNs by action, in the order of first use, whether permitted or not."""
    with _lock:
        return {who: {action: sorted(arns) for action, arns in actions.items()} for who, actions in _asked.items()}


def _note_permissions() -> None:
    """Note every permission that is checked: the least policy of a client is what it was asked for."""
    from moto.iam.access_control import IAMRequestBase

    check = IAMRequestBase.check_action_permitted

    def check_and_note(self: Any, resource: str) -> None:
        with _lock:
            _asked.setdefault(self._access_key.arn, {}).setdefault(self._action, set()).add(resource)
        check(self, resource)

    IAMRequestBase.check_action_permitted = check_and_note


def _check_commands_by_resource() -> None:
    """Let a policy say on which instances, and with which document, Run Command may be used; moto knows only "*".

    Source: Service Authorization Reference, AWS Systems Manager: SendCommand needs document and instances.
    """
    from moto.core.exceptions import AccessDeniedError
    from moto.ssm.responses import SimpleSystemManagerResponse

    def check(self: Any, resource: str = "*") -> None:
        arns = [resource]
        if self._get_action() == "SendCommand":
            arns = [f"arn:aws:ssm:{self.region}::document/{self._get_param('DocumentName')}"]
            arns += [
                f"arn:aws:ec2:{self.region}:{self.current_account}:instance/{each}"
                for each in self._get_param("InstanceIds") or ["*"]
            ]
        try:
            for arn in arns:
                super(SimpleSystemManagerResponse, self)._authenticate_and_authorize_normal_action(arn)
        except AccessDeniedError as error:
            # moto answers in XML, which clients of this service cannot read.
            error.description = json.dumps({"__type": "AccessDeniedException", "message": error.message})
            raise

    SimpleSystemManagerResponse._authenticate_and_authorize_normal_action = check


def _refine_s3() -> None:
    """Hide from those who may not list the bucket whether an object is there (S3 API reference, GetObject).

    Nor is there a permission for HeadBucket: it is ListBucket (reference, HeadBucket).
    """
    from moto.core.authorization import ActionAuthenticatorMixin

    check = ActionAuthenticatorMixin._authenticate_and_authorize_s3_action

    def check_more(self: Any, bucket_name: str | None = None, key_name: str | None = None) -> None:
        if self.data["Action"] == "HeadBucket":
            self.data["Action"] = "ListBucket"
        check(self, bucket_name, key_name)
        reads = bucket_name and key_name and self.data["Action"] == "GetObject"
        if reads and self.backend.get_object(bucket_name, key_name) is None:
            self.data["Action"] = "ListBucket"
            check(self, bucket_name)
            self.data["Action"] = "GetObject"

    ActionAuthenticatorMixin._authenticate_and_authorize_s3_action = check_more


def answer_simulations() -> None:
    """Have moto answer SimulatePrincipalPolicy, which it lacks, by its own evaluation of policies.

    Where nothing is enforced users may do everything, whether there are such users or not; roles of instances may do
    what their policies say. Resource-based policies and context keys count for nothing, as in moto's own checks.
    """
    from moto.core.responses import ActionResult
    from moto.iam.responses import IamResponse

    def simulate_principal_policy(self: Any) -> Any:
        policies = _policies(self.backend, str(self._get_param("PolicySourceArn")))
        results = [
            {"EvalActionName": action, "EvalResourceName": each, "EvalDecision": _decision(policies, action, each)}
            for action in self._get_param("ActionNames", [])
            for each in self._get_param("ResourceArns", []) or ["*"]
        ]
        return ActionResult({"EvaluationResults": results, "IsTruncated": False})

    IamResponse.simulate_principal_policy = simulate_principal_policy


def _policies(backend: Any, arn: str) -> list[Any] | None:
    """The policies of a user or role, as moto collects them for its own checks; None for all rights."""
    from moto import settings
    from moto.iam.access_control import AssumedRoleAccessKey, IAMUserAccessKey

    kind, _slash, path = arn.rpartition(":")[2].partition("/")
    name = path.rpartition("/")[2]
    who = SimpleNamespace(backend=backend, _owner_user_name=name, _owner_role_name=name)
    if kind == "role":
        backend.get_role(name)  # NoSuchEntity where there is none
        return list(AssumedRoleAccessKey.collect_policies(who))
    if settings.INITIAL_NO_AUTH_ACTION_COUNT != 0:
        return None
    backend.get_user(name)
    return list(IAMUserAccessKey.collect_policies(who))


def _decision(policies: list[Any] | None, action: str, resource: str) -> str:
    from moto.iam.access_control import IAMPolicy, PermissionResult

    if policies is None:
        return "allowed"
    results = [IAMPolicy(policy).is_action_permitted(action, resource) for policy in policies]
    if PermissionResult.DENIED in results:
        return "explicitDeny"
    return "allowed" if PermissionResult.PERMITTED in results else "implicitDeny"
