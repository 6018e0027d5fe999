# SPDX-License-Identifier: GPL-3.0-or-later
"""Who signed a request: Signature Version 4 in the headers or in the query, and S3's Version 2 in the query.

Sources: IAM User Guide, "Create a signed AWS API request"; S3 API Reference, "Authenticating Requests (AWS Signature
Version 4)"; S3 User Guide, "Signing and authenticating REST requests" for Version 2, with which boto3 presigns S3's
links unless it is told otherwise. Signatures are computed by botocore's own signers. All times are real.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import time
from calendar import timegm
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from botocore.auth import HmacV1QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from botocore.utils import normalize_url_path

from localstalk.access import chunks
from localstalk.access.errors import AccessError
from localstalk.access.request import SignedRequest
from localstalk.keys import Key

Find = Callable[[str], Key | None]
SKEW = 900
"""Seconds by which a client's clock may differ."""
LONGEST_LINK = 604_800
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 +Credential=(?P<credential>[^ ,]+) *, *SignedHeaders=(?P<headers>[^ ,]+) *, *"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)
_SCOPE = re.compile(r"(?P<key>[^/]+)/(?P<date>\d{8})/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")
_STAMP = re.compile(r"\d{8}T\d{6}Z")
_LINK = ("X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-SignedHeaders", "X-Amz-Signature")
_OLD_LINK = ("AWSAccessKeyId", "Signature", "Expires")
_HASH = re.compile("[0-9a-f]{64}")
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_SIGNED_CHUNKS = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")


@dataclass(frozen=True)
class Caller:
    """Who signed, for which service, and whether the signature covers the name that the client has for this server."""

    key: Key
    scope: str
    """Date, region and service, as in the credential of a signature."""
    names_host: bool = True

    @property
    def authorization(self) -> str:
        """A header that says so. Its signature is none: it was compared already."""
        credential = f"{self.key.access_key}/{self.scope}/aws4_request"
        return f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=compared"


@dataclass(frozen=True)
class _Claim:
    """What a request says of its own signature."""

    key: str
    date: str
    region: str
    service: str
    headers: tuple[str, ...]
    signature: str
    stamp: str

    @property
    def scope(self) -> str:
        return f"{self.date}/{self.region}/{self.service}"


def claimed_service(request: SignedRequest) -> str:
    """The service that a request says it was signed for; empty when it says nothing."""
    found = _AUTHORIZATION.fullmatch(request.header("Authorization") or "")
    credential = found["credential"] if found else request.parameters.get("X-Amz-Credential", [""])[0]
    scope = _SCOPE.fullmatch(credential)
    if scope:
        return scope["service"]
    old = request.header("Authorization") or ""
    return "s3" if old.startswith("AWS ") or "AWSAccessKeyId" in request.parameters else ""


def verify(request: SignedRequest, find: Find) -> Caller:
    """Who signed a request. Raises AccessError for one that is not signed, or not as it came."""
    header = request.header("Authorization")
    linked = any(name in request.parameters for name in (*_LINK, *_OLD_LINK[:2]))
    if header is not None and linked:
        raise AccessError("unsupported", "Only one auth mechanism allowed.")
    if header is not None:
        return _by_headers(request, header, find)
    if any(name in request.parameters for name in _LINK):
        return _by_link(request, find)
    if linked:
        return _by_old_link(request, find)
    raise AccessError("unsigned")


def _by_headers(request: SignedRequest, header: str, find: Find) -> Caller:
    if not header.startswith("AWS4-"):
        raise AccessError("unsupported")
    found = _AUTHORIZATION.fullmatch(header.strip())
    if not found:
        raise AccessError("incomplete")
    stamp = request.header("X-Amz-Date") or ""
    claim = _claim(found["credential"], found["headers"], found["signature"], stamp)
    key = _known(find, claim.key, request.header("X-Amz-Security-Token"))
    if abs(time.time() - _seconds(claim)) > SKEW:
        raise AccessError("wrong time")
    payload = _payload(request, claim.service)
    sign = _check(request, claim, key, request.query, payload)
    if payload in _SIGNED_CHUNKS:
        scope = f"{claim.stamp}\n{claim.scope}/aws4_request"
        chunks.check(
            request.body, payload, claim.signature, lambda kind, rest: sign(f"AWS4-HMAC-SHA256-{kind}\n{scope}\n{rest}")
        )
    return Caller(key, claim.scope)


def _by_link(request: SignedRequest, find: Find) -> Caller:
    for name in _LINK:
        request.parameter(name)
    if request.parameter("X-Amz-Algorithm") != "AWS4-HMAC-SHA256":
        raise AccessError("unsupported")
    told = ("X-Amz-Credential", "X-Amz-SignedHeaders", "X-Amz-Signature", "X-Amz-Date")
    claim = _claim(*(request.parameter(name) for name in told))
    token = request.parameter("X-Amz-Security-Token") if "X-Amz-Security-Token" in request.parameters else None
    key = _known(find, claim.key, token)
    # STS's links may do without it: then they are good for as long as a request is.
    lasts = request.parameter("X-Amz-Expires") if "X-Amz-Expires" in request.parameters else str(SKEW)
    if not lasts.isdecimal() or not 0 < int(lasts) <= LONGEST_LINK:
        raise AccessError("malformed link", "X-Amz-Expires must be a number from 1 to 604800.")
    began = _seconds(claim)
    if began - time.time() > SKEW:
        raise AccessError("wrong time", "Request is not valid yet")
    if time.time() > began + int(lasts):
        raise AccessError("link over")
    payload = UNSIGNED_PAYLOAD if claim.service == "s3" else hashlib.sha256(request.body).hexdigest()
    _check(request, claim, key, request.query_without("X-Amz-Signature"), payload)
    return Caller(key, claim.scope)


def _by_old_link(request: SignedRequest, find: Find) -> Caller:
    if any(len(request.parameters.get(name, [])) != 1 for name in _OLD_LINK):
        text = "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters"
        raise AccessError("unsigned", text)
    access_key, signature, expires = (request.parameter(name) for name in _OLD_LINK)
    token = request.parameter("x-amz-security-token") if "x-amz-security-token" in request.parameters else None
    key = _known(find, access_key, token)
    if not expires.isdecimal():
        raise AccessError("unsigned", f"Invalid date (should be seconds since epoch): {expires}")
    signer = HmacV1QueryAuth(Credentials(key.access_key, key.secret_key))
    headers = HTTPHeaders()
    for name in request.amazon_headers():
        headers[name] = request.header(name) or ""
    # boto3 moves what it signed of the headers into the query.
    for name in (each for each in request.parameters if each.lower().startswith("x-amz-")):
        if name.lower() in headers:
            raise AccessError("wrong signature")
        headers[name.lower()] = request.parameter(name)
    lines = [request.method, *(_moved(request, name) for name in ("content-md5", "content-type")), expires]
    custom = signer.canonical_custom_headers(headers)  # type: ignore[arg-type]
    split = urlsplit(f"http://host{request.path}?{request.query_without(*_OLD_LINK)}")
    resource = signer.canonical_resource(split, _bucket_of_host(request))
    wanted = signer.sign_string("\n".join([*lines, *filter(None, [custom]), resource]))
    if not hmac.compare_digest(wanted.encode(), signature.encode()):
        raise AccessError("wrong signature")
    if time.time() > int(expires):
        raise AccessError("link over")
    return Caller(key, f"{time.strftime('%Y%m%d', time.gmtime(time.time()))}/us-east-1/s3", names_host=False)


def _moved(request: SignedRequest, name: str) -> str:
    """A header that may stand in the query instead; in both places it must be the same."""
    sent = request.header(name)
    if name not in request.parameters:
        return sent or ""
    moved = request.parameter(name)
    if sent not in (None, "", moved):
        raise AccessError("wrong signature")
    return moved


def _bucket_of_host(request: SignedRequest) -> str | None:
    """The path with the bucket in it, when the bucket is in the name of the host: ``BUCKET.localhost``."""
    bucket, dot, rest = (request.header("Host") or "").partition(".localhost")
    return f"/{bucket}{request.path}" if dot and (not rest or rest.startswith(":")) else None


def _claim(credential: str, headers: str, signature: str, stamp: str) -> _Claim:
    scope = _SCOPE.fullmatch(credential)
    names = tuple(headers.split(";"))
    if not scope or not _STAMP.fullmatch(stamp) or not stamp.startswith(scope["date"]):
        raise AccessError("incomplete")
    if list(names) != sorted(set(names)) or "host" not in names or headers != headers.lower():
        raise AccessError("incomplete", "'Host' must be a 'SignedHeader' in the AWS Authorization.")
    return _Claim(scope["key"], scope["date"], scope["region"], scope["service"], names, signature, stamp)


def _seconds(claim: _Claim) -> int:
    try:
        return timegm(time.strptime(claim.stamp, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        raise AccessError("incomplete") from None


def _known(find: Find, access_key: str, token: str | None) -> Key:
    key = find(access_key)
    if key is None:
        raise AccessError("unknown key")
    if not hmac.compare_digest((key.token or "").encode(), (token or "").encode()):
        raise AccessError("wrong token")
    if key.expired:
        raise AccessError("session over")
    return key


def _payload(request: SignedRequest, service: str) -> str:
    """What stands for the body in the signature. Only S3 takes one that nobody has hashed."""
    told = request.header("X-Amz-Content-SHA256")
    if told is None:
        if service == "s3":
            raise AccessError("unsupported", "Missing required header for this request: x-amz-content-sha256")
        return hashlib.sha256(request.body).hexdigest()
    if service == "s3" and told in (UNSIGNED_PAYLOAD, _UNSIGNED_CHUNKS, *_SIGNED_CHUNKS):
        return told
    if not _HASH.fullmatch(told) or not hmac.compare_digest(told, hashlib.sha256(request.body).hexdigest()):
        raise AccessError("wrong body")
    return told


def _check(request: SignedRequest, claim: _Claim, key: Key, query: str, payload: str) -> Callable[[str], str]:
    """Compare the signature; returns what signs a text in the same way."""
    if not request.amazon_headers() <= set(claim.headers):
        raise AccessError("unsigned headers")
    signer = SigV4Auth(Credentials(key.access_key, key.secret_key), claim.service, claim.region)
    headers = HTTPHeaders()
    for name in claim.headers:
        value = request.header(name)
        if value is None:
            raise AccessError("wrong signature")
        headers[name] = value
    # S3 takes the path as it is; the others normalise it and encode it once more.
    path = request.path if claim.service == "s3" else quote(normalize_url_path(request.path), safe="/~")
    asked = AWSRequest(method=request.method, url=f"http://host/?{query}")
    asked.context["timestamp"] = claim.stamp
    canonical = [request.method, path or "/", signer.canonical_query_string(asked), signer.canonical_headers(headers)]
    canonical += ["", signer.signed_headers(headers), payload]

    def sign(text: str) -> str:
        return str(signer.signature(text, asked))

    if not hmac.compare_digest(sign(signer.string_to_sign(asked, "\n".join(canonical))), claim.signature):
        raise AccessError("wrong signature")
    return sign
