# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors, and what Elastic Beanstalk's own errors mean.

AnsibleBeanstalkError            anything that this code cannot do; one sentence for the user
|- AnsibleBeanstalkRefusedError  refused before a call was made (names, protection)
`- AnsibleBeanstalkWaitError     an operation failed or took too long; carries state, events and logs

Almost every semantic failure of the service is InvalidParameterValue, so the text decides (elastic_beanstalk.md §1.2).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ansible_collections.amazon.aws.plugins.module_utils.errors import AWSErrorHandler
from ansible_collections.amazon.aws.plugins.module_utils.exceptions import AnsibleAWSError

_Function = TypeVar("_Function", bound=Callable[..., Any])


class AnsibleBeanstalkError(AnsibleAWSError):  # type: ignore[misc]
    """An Elastic Beanstalk operation cannot be done; `message` is one sentence for the user."""


class AnsibleBeanstalkRefusedError(AnsibleBeanstalkError):
    """Refused here, before any call was made."""


class AnsibleBeanstalkWaitError(AnsibleBeanstalkError):
    """An operation failed, or its deadline passed. `report` is what the module returns beside the message.

    ``reason`` is the service's own word for it, where the message ends with it.
    """

    def __init__(self, message: str, report: Mapping[str, Any], reason: str = "") -> None:
        super().__init__(message=message)
        self.report, self.reason = dict(report), reason


def error_code(error: BaseException) -> str:
    """AWS error code of an exception, "" when it has none; looks into AnsibleAWSError."""
    inner = getattr(error, "exception", None) or error
    response = getattr(inner, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def error_text(error: BaseException) -> str:
    """AWS error message of an exception, or its own text."""
    inner = getattr(error, "exception", None) or error
    response = getattr(inner, "response", None) or {}
    return str(response.get("Error", {}).get("Message", "") or inner)


def message_contains(error: BaseException, *fragments: str) -> bool:
    """Whether the error's text has one of the fragments, in any case."""
    text = error_text(error).lower()
    return any(fragment.lower() in text for fragment in fragments)


def is_busy(error: BaseException) -> bool:
    """The environment is in the middle of another operation: try again when it is Ready."""
    return message_contains(error, "Must be Ready", "currently pending deployment") or (
        error_code(error) in ("OperationInProgressFailure", "OperationInProgressException")
    )


def is_missing(error: BaseException) -> bool:
    """The thing that the call named is not there."""
    return error_code(error) == "ResourceNotFoundException" or message_contains(
        error,
        "No Environment found for",
        "No Application Version named",
        "No Application named",
        "No Template named",
        "No Configuration Template named",
    )


_UNREADABLE = "Unable to download from S3 location"


def is_unreadable(error: BaseException) -> bool:
    """The bundle of a version is not in S3 any more, by the answer to a call or by an event of the operation.

    The text is that of InvalidParameterCombination (hsingh/ansible-elastic-beanstalk#40).
    """
    told = (str(event.get("message", "")) for event in getattr(error, "report", {}).get("events") or ())
    return message_contains(error, _UNREADABLE) or any(_UNREADABLE in text for text in told)


def already_exists(error: BaseException) -> bool:
    """The thing to create is there already."""
    return message_contains(error, "already exists")


_BROKEN_OFF = frozenset(
    {"CutHeadError", "IncompleteReadError", "ResponseParserError", "ResponseStreamingError", "StalledError"}
)
_TRANSIENT = _BROKEN_OFF | {
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ConnectionClosedError",
    "ProxyConnectionError",
}


def is_broken_off(error: BaseException) -> bool:
    """The answer began, and broke off."""
    return type(error).__name__ in _BROKEN_OFF


def is_transient(error: BaseException) -> bool:
    """The network or the service failed, which says nothing about the operation that is waited for."""
    inner = getattr(error, "exception", None)
    status = (getattr(inner, "response", None) or {}).get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return type(inner).__name__ in _TRANSIENT or status >= 500 or error_code(error).startswith("Throttling")


def health_unsupported(error: BaseException) -> bool:
    """The environment has basic health reporting only, so there is nothing to know about its instances."""
    return error_code(error) == "InvalidRequestException" or message_contains(error, "is not supported.")


_ADVICE = (
    ("ExpiredToken", "the AWS credentials have expired; log in again"),
    ("InvalidClientTokenId", "AWS does not know the access key; check profile, access_key and region"),
    ("UnrecognizedClientException", "AWS does not know the access key; check profile, access_key and region"),
    ("SignatureDoesNotMatch", "the secret key is wrong"),
    ("S3LocationNotInServiceRegionException", "the bundle's bucket is in another region; use one in this region"),
    ("TooManyApplicationVersionsException", "the region's quota of application versions is used up; delete old ones"),
    ("TooManyEnvironmentsException", "the region's quota of environments is used up; terminate one"),
    ("NoSuchBucket", "the bucket does not exist; leave it out to use Elastic Beanstalk's own"),
    ("Throttling", "AWS kept answering that there are too many requests; try again later"),
)


# The answer to a HEAD request has no body, so no more than its status.
_DENIED = ("AccessDenied", "InsufficientPrivileges", "UnauthorizedOperation", "403")
_NAMED_ACTION = re.compile(r"not authorized to perform: ([\w-]+:\w+)")
_UNNAMED_ACTIONS = {
    # S3 says so of an object that is not there, unless the bucket may be listed (S3 API reference, GetObject).
    "GetObject": "s3:GetObject (with s3:ListBucket on the bucket)",
    "HeadObject": "s3:GetObject (with s3:ListBucket on the bucket)",
    "PutObject": "s3:PutObject",
    "DescribeInstances": "ec2:DescribeInstances",
}


def denied_action(error: BaseException) -> str:
    """The IAM action whose lack AWS refused a call for, "" when it was refused for something else.

    S3 and EC2 do not always name it, so it is told from the call.
    """
    if not error_code(error).startswith(_DENIED):
        return ""
    named = _NAMED_ACTION.search(error_text(error))
    operation = str(getattr(getattr(error, "exception", None) or error, "operation_name", ""))
    return named[1] if named else _UNNAMED_ACTIONS.get(operation, f"the action {operation}")


def advice(error: BaseException) -> str:
    """What to do about an AWS error, "" when the error says it all."""
    code = error_code(error)
    action = denied_action(error)
    if action:
        return f"the credentials may not do this: allow {action} in their IAM policy, see docs/iam of jack.beanstalk"
    if "NoCredentials" in type(getattr(error, "exception", None) or error).__name__:
        return "no AWS credentials were found; set profile, or access_key and secret_key"
    return next((text for start, text in _ADVICE if code.startswith(start)), "")


def translate_errors(description: str) -> Callable[[_Function], _Function]:
    """Have a function raise AnsibleBeanstalkError for botocore's exceptions: "Failed to" and the description."""

    def decorate(function: _Function) -> _Function:
        handled = AWSErrorHandler.common_error_handler(description)(function)

        @functools.wraps(function)
        def translated(*args: Any, **kwargs: Any) -> Any:
            try:
                return handled(*args, **kwargs)
            except AnsibleBeanstalkError:
                raise
            except AnsibleAWSError as error:
                raise AnsibleBeanstalkError(message=error.message, exception=error.exception) from error.exception
            except Exception as error:
                # Half an answer that came as a whole one: botocore does not count it among its own errors.
                if not is_broken_off(error):
                    raise
                raise AnsibleBeanstalkError(message=f"Failed to {description}", exception=error) from error

        return translated  # type: ignore[return-value]

    return decorate
