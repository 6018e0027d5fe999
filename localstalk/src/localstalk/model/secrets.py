# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets as an instance fetches them: from moto's Secrets Manager and SSM, with the rights of its instance profile.

Nobody has published the words in which Elastic Beanstalk reports a secret that cannot be fetched
(docs/elastic_beanstalk.md §12.12); that the update fails and is rolled back is known (§8.1).
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import Any

from localstalk import accounts
from localstalk.model import options
from localstalk.model.state import Settings

_REFERENCE = re.compile(r"\{\{resolve:(ssm|ssm-secure|secretsmanager):([^}]+)\}\}")


class SecretError(Exception):
    """A secret that the instance cannot have; the message says why."""


def environment_properties(account: str, region: str, settings: Settings) -> dict[str, str]:
    """Environment properties, with references to secrets resolved. Raises :class:`SecretError`."""
    profile = settings.get(("aws:autoscaling:launchconfiguration", "IamInstanceProfile"), "")
    stores = Secrets(account, region, profile)
    found = {
        name: stores.substitute(value) for (space, name), value in settings.items() if space == options.ENVIRONMENT
    }
    for (space, name), value in settings.items():
        if space == options.SECRETS:
            found[name] = stores.by_arn(value)
    return found


class Secrets:
    """The secret stores of one account and region, seen with an instance profile."""

    def __init__(self, account: str, region: str, profile: str) -> None:
        self.account = account
        self.region = region
        self.profile = profile

    def by_arn(self, arn: str) -> str:
        """The value of a secret (``ARN:KEY`` for a field of it) or of an SSM parameter. Raises SecretError."""
        if ":ssm:" in arn:
            self._permit("ssm", ("GetParameter", "GetParameters"), arn)
            return self.parameter(arn.partition(":parameter")[2])
        parts = arn.split(":")
        self._permit("secretsmanager", ("GetSecretValue",), ":".join(parts[:7]))
        return self.secret(":".join(parts[:7]), parts[7] if len(parts) > 7 else "")

    def substitute(self, value: str) -> str:
        """CloudFormation's dynamic references in a value, which CloudFormation itself resolves."""
        return _REFERENCE.sub(self._reference, value) if "{{resolve:" in value else value

    def _reference(self, match: re.Match[str]) -> str:
        if match.group(1).startswith("ssm"):
            return self.parameter(match.group(2).split(":")[0])
        return self.secret(match.group(2), "")

    def secret(self, name: str, field: str) -> str:
        """A secret by name or ARN. Raises SecretError."""
        from moto.core.exceptions import JsonRESTError, ServiceException

        try:
            text = str(self._backend("secretsmanager").get_secret_value(name, None, None)["SecretString"])
        except (JsonRESTError, ServiceException, KeyError) as error:
            raise SecretError(f"ResourceNotFoundException: cannot get the secret {name}") from error
        if not field:
            return text
        try:
            return str(json.loads(text)[field])
        except (ValueError, KeyError, TypeError) as error:
            raise SecretError(f"the secret {name} has no key {field}") from error

    def parameter(self, name: str) -> str:
        """An SSM parameter by name. Raises SecretError."""
        backend = self._backend("ssm")
        for spelling in (name, name.removeprefix("/")):
            found = backend.get_parameter(spelling)
            if found is not None:
                return str(found.decrypt(found.value))
        raise SecretError(f"ParameterNotFound: cannot get the parameter {name}")

    def _backend(self, service: str) -> Any:
        from moto.backends import get_backend

        return get_backend(service)[self.account][self.region]

    def _permit(self, service: str, actions: tuple[str, ...], arn: str) -> None:
        """Raise SecretError unless the instance profile's roles allow an action."""
        from moto.core.exceptions import ServiceException
        from moto.iam.access_control import IAMPolicy, PermissionResult

        iam, roles = accounts.iam(self.account), []
        with contextlib.suppress(ServiceException):
            roles = iam.get_instance_profile(self.profile).roles
        for role in roles:
            attached, _ = iam.list_attached_role_policies(role.name)
            inline = [iam.get_role_policy(role.name, name)[1] for name in iam.list_role_policies(role.name)]
            answers = [
                [IAMPolicy(policy).is_action_permitted(f"{service}:{action}", arn) for policy in [*attached, *inline]]
                for action in actions
            ]
            if any(PermissionResult.PERMITTED in each and PermissionResult.DENIED not in each for each in answers):
                return
        raise SecretError(
            f"AccessDeniedException: {self.profile} is not authorized to perform {service}:{actions[0]} on {arn}"
        )
