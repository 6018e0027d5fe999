# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets by how they reach the application: a file of the bundle, a reference, or a plain environment property.

Names and limits: "Environment properties and other software settings" of the AWS Elastic Beanstalk Developer Guide;
forms of ARNs: "Fetching secrets and parameters to environment variables" there. No message holds a value.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any

from ..core.errors import AnsibleBeanstalkRefusedError
from ..option_settings.given import MAX_PROPERTIES_BYTES, parse
from ..option_settings.keys import LAUNCH, Key
from ..option_settings.values import text_value

MAX_NAME = 128
PROFILE = Key(LAUNCH, "IamInstanceProfile")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SECRET = re.compile(r"arn:aws[\w-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@!-]+(?::[^:\s]+)?")
_PARAMETER = re.compile(r"arn:aws[\w-]*:ssm:[a-z0-9-]+:\d{12}:parameter/[\w./-]+")
_LEGACY = re.compile(r"Amazon Linux (?:AMI|201\d)|Amazon Linux(?! ?2)")
_FORMS = ({"file"}, {"file", "content"}, {"arn"}, {"value"})


class SecretsError(ValueError):
    """Secrets that cannot be used; the message is one sentence for the user and holds no value."""


def sort_secrets(
    secrets: Mapping[str, Any], properties: Mapping[str, Any], options: Any, platform: str
) -> dict[str, Any]:
    """The secrets as `overlay` and `files` of the bundle, `references`, and `properties` of the environment.

    `properties` and `options` (in either form) are the other ones of the environment, against which limits are checked.
    A secret that is None (YAML null) is removed, by whichever way it got there. Raises SecretsError.
    """
    if not isinstance(secrets, Mapping):
        raise SecretsError(f"The secrets are a {type(secrets).__name__}, not a dictionary of names (eb_secrets).")
    sorted_out: dict[str, Any] = {"overlay": [], "files": [], "references": {}, "properties": {}}
    for name, given in secrets.items():
        if given is None:
            _check_name(str(name), properties)
            sorted_out["references"][str(name)] = sorted_out["properties"][str(name)] = None
            continue
        if not isinstance(given, Mapping) or set(given) not in _FORMS:
            raise SecretsError(
                f"The secret {name} is none of: a file in the bundle (file, and content unless it is a file that git "
                "ignores), a reference (arn), a plain property (value), or null to remove it."
            )
        if "file" in given:
            _add_file(sorted_out, str(name), given)
            continue
        _check_name(str(name), properties)
        if "arn" in given:
            sorted_out["references"][str(name)] = _checked_arn(str(name), str(given["arn"]))
        else:
            sorted_out["properties"][str(name)] = _plain_text(str(name), given["value"])
    _check_limits({**properties, **sorted_out["properties"]})
    if any(sorted_out["references"].values()):
        _check_environment(options, platform)
    return sorted_out


def _plain_text(name: str, value: Any) -> str | None:
    if isinstance(value, Mapping):
        raise SecretsError(f"The value of the secret {name} is a dictionary, not a plain value.")
    return None if value is None else text_value(value)


def _add_file(sorted_out: dict[str, Any], name: str, given: Mapping[str, Any]) -> None:
    path = str(given["file"])
    normal = posixpath.normpath(path)
    if posixpath.isabs(path) or normal.split("/")[0] in ("..", ".", ".git"):
        raise SecretsError(f"The secret {name} names {path}, which is not a path inside the bundle.")
    if "content" in given:
        # The mode marks the file as a secret for the role bundle, which then removes the zip after its upload.
        sorted_out["overlay"].append({"path": normal, "content": str(given["content"]), "mode": "0600"})
    else:
        sorted_out["files"].append(normal)


def _check_name(name: str, properties: Mapping[str, Any]) -> None:
    if not _NAME.fullmatch(name) or len(name) > MAX_NAME:
        raise SecretsError(f"The secret {name} cannot be an environment variable: letters, digits and _, at most 128.")
    # A null property beside a secret says that the plain one is to go.
    if properties.get(name) is not None:
        raise SecretsError(
            f"The secret {name} is also among the environment properties (eb_environment_properties): keep one."
        )


def _checked_arn(name: str, arn: str) -> str:
    if _SECRET.fullmatch(arn) or _PARAMETER.fullmatch(arn):
        return arn
    if re.fullmatch(_PARAMETER.pattern + ":.*", arn):
        raise SecretsError(
            f"The secret {name} names a key of an SSM parameter; only secrets of Secrets Manager have keys."
        )
    raise SecretsError(
        f"The secret {name} is not the ARN of a Secrets Manager secret "
        "(arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, and :KEY for one key of it) "
        "or of an SSM parameter (arn:aws:ssm:REGION:ACCOUNT:parameter/NAME)."
    )


def _check_limits(properties: Mapping[str, Any]) -> None:
    texts = {name: text_value(value) for name, value in properties.items() if value is not None}
    total = sum(len(f"{name}={text}".encode()) for name, text in texts.items())
    if total > MAX_PROPERTIES_BYTES:
        raise SecretsError(
            f"The environment properties have {total} bytes together, secrets included; Elastic Beanstalk takes "
            f"{MAX_PROPERTIES_BYTES}: make some files of the bundle or references (eb_secrets)."
        )


def _check_environment(options: Any, platform: str) -> None:
    try:
        settings = parse(options)
    except AnsibleBeanstalkRefusedError as error:
        raise SecretsError(str(error)) from error
    if not settings.get(PROFILE):
        raise SecretsError(
            f"Secrets by ARN are fetched with the rights of the instance profile: set {PROFILE.option} in {LAUNCH} "
            "(eb_option_settings), with secretsmanager:GetSecretValue or ssm:GetParameter."
        )
    if _LEGACY.search(platform):
        raise SecretsError(
            f"The platform {platform} cannot fetch secrets by ARN: that came with the platform versions of "
            "26 March 2025."
        )
