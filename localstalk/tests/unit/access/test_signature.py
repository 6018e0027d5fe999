# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures that AWS's own documents print, and what is left of them when something is altered."""

from __future__ import annotations

import io
import time
from typing import Any

import pytest

from localstalk.access import signature
from localstalk.access.errors import AccessError
from localstalk.access.request import SignedRequest
from localstalk.keys import Key

NAME = "AKIAIOSFODNN7EXAMPLE"
S3_KEY = Key(NAME, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
IAM_KEY = Key("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
FRIDAY = "20130524T000000Z"


def environ(method: str, uri: str, body: bytes = b"", **headers: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": uri,
        "wsgi.input": io.BytesIO(body),
        "CONTENT_LENGTH": str(len(body)),
    }
    for name, value in headers.items():
        made[name if name == "CONTENT_TYPE" else f"HTTP_{name}"] = value
    return made


def authorization(scope: str, headers: str, signed: str, key: Key = S3_KEY) -> str:
    return (
        f"AWS4-HMAC-SHA256 Credential={key.access_key}/{scope}/aws4_request,SignedHeaders={headers},Signature={signed}"
    )


def verify(request: dict[str, Any], key: Key = S3_KEY) -> signature.Caller:
    return signature.verify(SignedRequest(request), lambda name: key if name == key.access_key else None)


def reason(request: dict[str, Any], key: Key = S3_KEY) -> str:
    with pytest.raises(AccessError) as caught:
        verify(request, key)
    return caught.value.reason


def get_object() -> dict[str, Any]:
    """S3 API Reference, "Signature Calculations for the Authorization Header" for one chunk."""
    names = "host;range;x-amz-content-sha256;x-amz-date"
    signed = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    return environ(
        "GET", "/test.txt", HOST="examplebucket.s3.amazonaws.com", RANGE="bytes=0-9", X_AMZ_CONTENT_SHA256=NOTHING,
        X_AMZ_DATE=FRIDAY, AUTHORIZATION=authorization("20130524/us-east-1/s3", names, signed),
    )  # fmt: skip


def put_object() -> dict[str, Any]:
    """The same page: a key that has to be encoded."""
    names = "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class"
    signed = "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
    return environ(
        "PUT", "/test%24file.text", b"Welcome to Amazon S3.", HOST="examplebucket.s3.amazonaws.com",
        DATE="Fri, 24 May 2013 00:00:00 GMT", X_AMZ_DATE=FRIDAY, X_AMZ_STORAGE_CLASS="REDUCED_REDUNDANCY",
        X_AMZ_CONTENT_SHA256="44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        AUTHORIZATION=authorization("20130524/us-east-1/s3", names, signed),
    )  # fmt: skip


def get_lifecycle() -> dict[str, Any]:
    """The same page: a parameter without a value."""
    signed = "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    return environ(
        "GET", "/?lifecycle", HOST="examplebucket.s3.amazonaws.com", X_AMZ_CONTENT_SHA256=NOTHING, X_AMZ_DATE=FRIDAY,
        AUTHORIZATION=authorization("20130524/us-east-1/s3", "host;x-amz-content-sha256;x-amz-date", signed),
    )  # fmt: skip


def link() -> dict[str, Any]:
    """S3 API Reference, "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)"."""
    query = (
        f"X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={NAME}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-Date={FRIDAY}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )
    return environ("GET", f"/test.txt?{query}", HOST="examplebucket.s3.amazonaws.com")


SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
FIRST = b"10000;chunk-signature=ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\n"
SECOND = b"400;chunk-signature=0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497\r\n"
LAST = b"0;chunk-signature=b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9\r\n"
CHUNKS = FIRST + b"a" * 65536 + b"\r\n" + SECOND + b"a" * 1024 + b"\r\n" + LAST + b"\r\n"


def chunked(body: bytes = CHUNKS) -> dict[str, Any]:
    """S3 API Reference, "... Transferring Payload in Multiple Chunks"."""
    names = (
        "content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;"
        "x-amz-storage-class"
    )
    made = environ(
        "PUT", "/examplebucket/chunkObject.txt", body, HOST="s3.amazonaws.com", X_AMZ_DATE=FRIDAY,
        X_AMZ_STORAGE_CLASS="REDUCED_REDUNDANCY", CONTENT_ENCODING="aws-chunked", X_AMZ_DECODED_CONTENT_LENGTH="66560",
        X_AMZ_CONTENT_SHA256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        AUTHORIZATION=authorization("20130524/us-east-1/s3", names, SEED),
    )  # fmt: skip
    return made | {"CONTENT_LENGTH": "66824"}


def list_users() -> dict[str, Any]:
    """IAM User Guide, "Create a signed AWS API request", in its earlier form as a task in four steps."""
    signed = "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    return environ(
        "GET", "/?Action=ListUsers&Version=2010-05-08", HOST="iam.amazonaws.com", X_AMZ_DATE="20150830T123600Z",
        CONTENT_TYPE="application/x-www-form-urlencoded; charset=utf-8",
        AUTHORIZATION=authorization("20150830/us-east-1/iam", "content-type;host;x-amz-date", signed, IAM_KEY),
    )  # fmt: skip


def old_link(signed: str = "NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D", expires: str = "1175139620") -> dict[str, Any]:
    """S3 User Guide, "Signing and authenticating REST requests": the bucket is in the name of the host."""
    query = f"AWSAccessKeyId={NAME}&Signature={signed}&Expires={expires}"
    return environ("GET", f"/photos/puppy.jpg?{query}", HOST="johnsmith.localhost:4566")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set the time that signatures are compared with."""

    def set_to(moment: float) -> None:
        monkeypatch.setattr(time, "time", lambda: moment)

    set_to(1369353600.0)
    return set_to


@pytest.mark.parametrize("request_", [get_object, put_object, get_lifecycle, link, chunked], ids=lambda f: f.__name__)
def test_signatures_printed_by_the_reference_of_s3(clock: Any, request_: Any) -> None:
    made = request_()
    body = made["wsgi.input"].getvalue()
    assert verify(made) == signature.Caller(S3_KEY, "20130524/us-east-1/s3")
    assert made["wsgi.input"].read() == body, "it is there for who answers"


def test_the_signature_printed_by_the_guide_of_iam(clock: Any) -> None:
    clock(1440938160.0)
    assert verify(list_users(), IAM_KEY).key == IAM_KEY


def test_the_link_of_version_two_printed_by_the_guide(clock: Any) -> None:
    clock(1175139600.0)
    assert verify(old_link()) == signature.Caller(S3_KEY, "20070329/us-east-1/s3", names_host=False)
    clock(1175139621.0)
    assert reason(old_link()) == "link over"


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (old_link(signed="x"), "wrong signature"),
        (old_link(signed="NpgCjnDzrM%2BWFzoENXmpNDUsSn9%3D"), "wrong signature"),
        (old_link(expires="1275139620"), "wrong signature"),
        (old_link(expires="never"), "unsigned"),
        (old_link() | {"HTTP_X_AMZ_ACL": "public-read"}, "wrong signature"),
        (old_link() | {"REQUEST_METHOD": "PUT"}, "wrong signature"),
        (old_link() | {"CONTENT_TYPE": "text/html"}, "wrong signature"),
        (old_link() | {"REQUEST_URI": f"/photos/puppy.jpg?AWSAccessKeyId={NAME}&Signature=x"}, "unsigned"),
        (old_link() | {"REQUEST_URI": "/a?AWSAccessKeyId=AKIANOBODY&Signature=x&Expires=1275139620"}, "unknown key"),
        (old_link() | {"REQUEST_URI": old_link()["REQUEST_URI"] + "&Signature=x"}, "unsigned"),
        (old_link() | {"REQUEST_URI": old_link()["REQUEST_URI"] + "&acl"}, "wrong signature"),
    ],
)
def test_altered_links_of_version_two(clock: Any, made: dict[str, Any], why: str) -> None:
    clock(1175139600.0)
    made["wsgi.input"] = io.BytesIO()
    assert reason(made) == why


def changed(make: Any, name: str, before: str, after: str) -> dict[str, Any]:
    made: dict[str, Any] = make()
    assert before in made[name]
    return made | {name: made[name].replace(before, after)}


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: get_object() | {"REQUEST_URI": "/other.txt"}, "wrong signature"),
        (lambda: get_object() | {"REQUEST_URI": "/test.txt?acl"}, "wrong signature"),
        (lambda: get_object() | {"REQUEST_METHOD": "DELETE"}, "wrong signature"),
        (lambda: get_object() | {"HTTP_HOST": "127.0.0.1"}, "wrong signature"),
        (lambda: get_object() | {"HTTP_RANGE": "bytes=0-99"}, "wrong signature"),
        (lambda: get_object() | {"HTTP_X_AMZ_COPY_SOURCE": "/theirs/key"}, "unsigned headers"),
        (lambda: get_object() | {"HTTP_X_AMZ_SECURITY_TOKEN": "token"}, "wrong token"),
        (lambda: get_object() | {"HTTP_X_AMZ_CONTENT_SHA256": f"{NOTHING},{NOTHING}"}, "wrong body"),
        (lambda: get_object() | {"HTTP_X_AMZ_CONTENT_SHA256": "UNSIGNED-PAYLOAD"}, "wrong signature"),
        (lambda: get_object() | {"HTTP_X_AMZ_DATE": f"{FRIDAY},{FRIDAY}"}, "incomplete"),
        (lambda: get_object() | {"HTTP_X_AMZ_DATE": "20130524T000001Z"}, "wrong signature"),
        (lambda: get_object() | {"HTTP_X_AMZ_DATE": "20130525T000000Z"}, "incomplete"),
        (lambda: get_object() | {"HTTP_AUTHORIZATION": f"AWS {NAME}:frJIUN8DYpKDtOLCwo//yllqDzg="}, "unsupported"),
        (lambda: changed(get_object, "HTTP_AUTHORIZATION", "us-east-1", "eu-west-1"), "wrong signature"),
        (lambda: changed(get_object, "HTTP_AUTHORIZATION", "/s3/", "/ec2/"), "wrong signature"),
        (lambda: changed(get_object, "HTTP_AUTHORIZATION", NAME, "AKIANOBODY"), "unknown key"),
        (lambda: changed(get_object, "HTTP_AUTHORIZATION", "=host;", "="), "incomplete"),
        (lambda: changed(get_object, "HTTP_AUTHORIZATION", "host;range;", "host;host;range;"), "incomplete"),
        (lambda: changed(get_object, "HTTP_AUTHORIZATION", "range;", "range;te;"), "wrong signature"),
        (lambda: changed(get_object, "HTTP_AUTHORIZATION", "HMAC-SHA256 ", "ECDSA-P256-SHA256 "), "incomplete"),
        (lambda: changed(get_object, "HTTP_AUTHORIZATION", "bdb41", "bdb41,AWS4-HMAC-SHA256 x"), "incomplete"),
        (lambda: get_object() | {"REQUEST_URI": link()["REQUEST_URI"]}, "unsupported"),
        (lambda: put_object() | {"wsgi.input": io.BytesIO(b"Welcome to Amazon S4.")}, "wrong body"),
        (lambda: chunked(CHUNKS.replace(b"aaa\r\n", b"aab\r\n", 1)), "wrong signature"),
        (lambda: chunked(CHUNKS.replace(b"10000;", b"ffff;", 1)), "wrong signature"),
        (lambda: chunked(CHUNKS.replace(SECOND + b"a" * 1024 + b"\r\n", b"")), "wrong signature"),
        (lambda: chunked(CHUNKS.replace(LAST, b"")), "wrong signature"),
        (lambda: chunked(b""), "wrong signature"),
        (lambda: changed(link, "REQUEST_URI", "/test.txt", "/other.txt"), "wrong signature"),
        (lambda: changed(link, "REQUEST_URI", "=86400", "=86401"), "wrong signature"),
        (lambda: changed(link, "REQUEST_URI", "=86400", "=604801"), "malformed link"),
        (lambda: changed(link, "REQUEST_URI", "=86400", "=-1"), "malformed link"),
        (lambda: changed(link, "REQUEST_URI", "&X-Amz-Date", f"&X-Amz-Date={FRIDAY}&X-Amz-Date"), "malformed link"),
        (lambda: changed(link, "REQUEST_URI", "&X-Amz-SignedHeaders=host", ""), "malformed link"),
        (lambda: changed(link, "REQUEST_URI", "HMAC-SHA256", "HMAC-SHA1"), "unsupported"),
        (lambda: changed(link, "REQUEST_URI", "?", "?response-content-type=text%2Fhtml&"), "wrong signature"),
        (lambda: link() | {"HTTP_X_AMZ_ACL": "public-read"}, "unsigned headers"),
        (lambda: environ("GET", "/test.txt", HOST="examplebucket.s3.amazonaws.com"), "unsigned"),
    ],
)  # fmt: skip
def test_altered_requests(clock: Any, made: Any, why: str) -> None:
    assert reason(made()) == why


@pytest.mark.parametrize(
    ("make", "seconds", "why"),
    [
        (get_object, -901, "wrong time"), (get_object, -899, None),
        (get_object, 899, None), (get_object, 901, "wrong time"),
        (link, -901, "wrong time"), (link, 86_399, None), (link, 86_401, "link over"),
    ],
)  # fmt: skip
def test_requests_are_good_for_a_while(clock: Any, make: Any, seconds: float, why: str | None) -> None:
    clock(1369353600.0 + seconds)
    if why is None:
        assert verify(make()).key == S3_KEY
    else:
        assert reason(make()) == why


def test_trailers_are_signed_too(clock: Any) -> None:
    """S3 API Reference, "... Transferring Payload in Multiple Chunks, Including Trailing Headers": its example."""
    names = (
        "content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class;"
        "x-amz-trailer"
    )
    seed = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
    signatures = [
        "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
        "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
        "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
    ]
    sizes = [65536, 1024, 0]
    parts = [
        b"%x;chunk-signature=%s\r\n%s" % (size, each.encode(), b"a" * size + b"\r\n" if size else b"")
        for size, each in zip(sizes, signatures, strict=True)
    ]
    trailer = b"x-amz-checksum-crc32c:sOO8/Q==\r\n"
    last = b"x-amz-trailer-signature:d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n\r\n"

    def upload(body: bytes) -> dict[str, Any]:
        return environ(
            "PUT", "/examplebucket/chunkObject.txt", body, HOST="s3.amazonaws.com", X_AMZ_DATE=FRIDAY,
            X_AMZ_STORAGE_CLASS="REDUCED_REDUNDANCY", CONTENT_ENCODING="aws-chunked",
            X_AMZ_DECODED_CONTENT_LENGTH="66560", X_AMZ_TRAILER="x-amz-checksum-crc32c",
            X_AMZ_CONTENT_SHA256="STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            AUTHORIZATION=authorization("20130524/us-east-1/s3", names, seed),
        )  # fmt: skip

    assert verify(upload(b"".join([*parts, trailer, last]))).key == S3_KEY
    assert reason(upload(b"".join([*parts, trailer.replace(b"sOO8", b"sOO9"), last]))) == "wrong signature"
    assert reason(upload(b"".join([*parts, trailer]))) == "wrong signature"
    assert reason(upload(b"".join(parts))) == "wrong signature"
