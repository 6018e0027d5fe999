# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a request is refused, and how each protocol of AWS says so.

Sources: "Common error types" of the query API's references, S3's and EC2's lists of error codes, and
"CommonErrors" of the JSON services (Systems Manager, Secrets Manager, Lambda).
"""

from __future__ import annotations

from typing import Literal

from localstalk.refusals import Error, Protocol

Reason = Literal[
    "unsigned", "incomplete", "unknown key", "wrong token", "session over", "wrong signature", "wrong time",
    "malformed link", "link over", "wrong body", "unsigned headers", "unsupported",
]  # fmt: skip


class AccessError(Exception):
    """A request that is not let in. ``detail`` is the sentence that the services which have one add."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(reason)
        self.reason: Reason = reason
        self.detail = detail

    def told(self, protocol: Protocol) -> Error:
        """Code, message and HTTP status as the services of that protocol have them."""
        if protocol == "ec2":
            return _EC2
        code, message, status = _TABLE[protocol][self.reason]
        return code, self.detail or message, status


_INVALID = "The security token included in the request is invalid."
_EXPIRED = "The security token included in the request is expired"
_WRONG_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key "
    "and signing method. Consult the service documentation for details."
)
_S3_WRONG_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. Check your key and signing method."
)
_HEADERS = "There were headers present in the request which were not signed"
_EC2: Error = ("AuthFailure", "AWS was not able to validate the provided access credentials", 401)
_S3: dict[Reason, Error] = {
    "unsigned": ("AccessDenied", "Access Denied", 403),
    "incomplete": ("AuthorizationHeaderMalformed", "The authorization header is malformed.", 400),
    "malformed link": ("AuthorizationQueryParametersError", "Error parsing the query parameters.", 400),
    "unknown key": ("InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.", 403),
    "wrong token": ("InvalidToken", "The provided token is malformed or otherwise invalid.", 400),
    "session over": ("ExpiredToken", "The provided token has expired.", 400),
    "wrong signature": ("SignatureDoesNotMatch", _S3_WRONG_SIGNATURE, 403),
    "wrong time": (
        "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
        403,
    ),
    "link over": ("AccessDenied", "Request has expired", 403),
    "wrong body": (
        "XAmzContentSHA256Mismatch",
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
        400,
    ),
    "unsigned headers": ("AccessDenied", _HEADERS, 403),
    "unsupported": (
        "InvalidRequest",
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        400,
    ),
}
_QUERY: dict[Reason, Error] = {
    "unsigned": ("MissingAuthenticationToken", "Missing Authentication Token", 403),
    "incomplete": ("IncompleteSignature", "The request signature does not conform to AWS standards.", 403),
    "malformed link": ("IncompleteSignature", "The request signature does not conform to AWS standards.", 403),
    "unknown key": ("InvalidClientTokenId", _INVALID, 403),
    "wrong token": ("InvalidClientTokenId", _INVALID, 403),
    "session over": ("ExpiredToken", _EXPIRED, 403),
    "wrong signature": ("SignatureDoesNotMatch", _WRONG_SIGNATURE, 403),
    "wrong time": ("SignatureDoesNotMatch", _WRONG_SIGNATURE, 403),
    "link over": ("RequestExpired", "Request has expired.", 400),
    "wrong body": ("SignatureDoesNotMatch", _WRONG_SIGNATURE, 403),
    "unsigned headers": ("SignatureDoesNotMatch", _WRONG_SIGNATURE, 403),
    "unsupported": ("IncompleteSignature", "The request signature does not conform to AWS standards.", 403),
}
_JSON_CODES = {
    "MissingAuthenticationToken": "MissingAuthenticationTokenException",
    "IncompleteSignature": "IncompleteSignatureException",
    "InvalidClientTokenId": "UnrecognizedClientException",
    "ExpiredToken": "ExpiredTokenException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
    "RequestExpired": "RequestExpired",
}
_JSON: dict[Reason, Error] = {why: (_JSON_CODES[code], text, 400) for why, (code, text, _) in _QUERY.items()}
_REST_JSON: dict[Reason, Error] = {why: (code, text, 403) for why, (code, text, _) in _JSON.items()}
_TABLE: dict[Protocol, dict[Reason, Error]] = {"s3": _S3, "query": _QUERY, "json": _JSON, "rest-json": _REST_JSON}
