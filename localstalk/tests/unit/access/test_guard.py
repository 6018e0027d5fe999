# SPDX-License-Identifier: GPL-3.0-or-later
"""Who gets in over HTTP: real clients, forged requests, names and origins of other places."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from control_plane import Localstalk

PATIENT_ONCE = Config(retries={"total_max_attempts": 1})
KEYS = ["plain.zip", "with blank+plus.txt", "ä/é ü.txt", "a//b/../c", "tilde~star*(x)", "equals=&and?.txt", "%25.txt"]


def send(
    localstalk: Localstalk, method: str, uri: str, headers: list[tuple[str, str]], body: bytes = b""
) -> tuple[int, Any, str]:
    """Send exactly these headers; returns status, headers and text."""
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(localstalk.endpoint).netloc, timeout=30)
    connection.putrequest(method, uri, skip_host=True, skip_accept_encoding=True)
    for name, value in headers:
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, text


def host(localstalk: Localstalk) -> str:
    return urllib.parse.urlsplit(localstalk.endpoint).netloc


def signed(
    localstalk: Localstalk, form: str = "Action=DescribeApplications&Version=2010-12-01"
) -> list[tuple[str, str]]:
    """Headers of a call of Elastic Beanstalk, by botocore's own signer."""
    request = AWSRequest("POST", f"{localstalk.endpoint}/", {"Content-Type": "application/x-www-form-urlencoded"}, form)
    SigV4Auth(
        Credentials(localstalk.key.access_key, localstalk.key.secret_key), "elasticbeanstalk", "us-east-1"
    ).add_auth(request)
    return [("Host", host(localstalk)), *((name, str(value)) for name, value in request.headers.items())]


def refusal(localstalk: Localstalk, service: str, call: str, **more: Any) -> tuple[str, int]:
    client = localstalk.client(service, config=PATIENT_ONCE, **more)
    arguments = {"HostedZoneId": "Z1"} if call == "list_resource_record_sets" else {}
    with pytest.raises(ClientError) as caught:
        getattr(client, call)(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


SERVICES = [
    ("elasticbeanstalk", "describe_environments", ("InvalidClientTokenId", 403), ("SignatureDoesNotMatch", 403)),
    ("s3", "list_buckets", ("InvalidAccessKeyId", 403), ("SignatureDoesNotMatch", 403)),
    ("ec2", "describe_instances", ("AuthFailure", 401), ("AuthFailure", 401)),
    ("secretsmanager", "list_secrets", ("UnrecognizedClientException", 400), ("InvalidSignatureException", 400)),
    ("ssm", "describe_parameters", ("UnrecognizedClientException", 400), ("InvalidSignatureException", 400)),
    ("apigateway", "get_rest_apis", ("UnrecognizedClientException", 403), ("InvalidSignatureException", 403)),
    ("route53", "list_hosted_zones", ("InvalidClientTokenId", 403), ("SignatureDoesNotMatch", 403)),
]


@pytest.mark.parametrize(("service", "call", "stranger", "liar"), SERVICES, ids=[each[0] for each in SERVICES])
def test_each_protocol_refuses_in_its_own_words(
    localstalk: Localstalk, service: str, call: str, stranger: tuple[str, int], liar: tuple[str, int]
) -> None:
    getattr(localstalk.client(service), call)()
    assert refusal(localstalk, service, call, aws_access_key_id="AKIAIOSFODNN7EXAMPLE") == stranger
    assert refusal(localstalk, service, call, aws_secret_access_key="wrong") == liar


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("s3", "list_buckets", ("AccessDenied", 403)),
        ("elasticbeanstalk", "describe_environments", ("MissingAuthenticationToken", 403)),
        ("secretsmanager", "list_secrets", ("MissingAuthenticationTokenException", 400)),
    ],
)
def test_what_nobody_signed_is_refused(localstalk: Localstalk, service: str, call: str, code: tuple[str, int]) -> None:
    client = localstalk.client(service, config=Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1}))
    with pytest.raises(ClientError) as caught:
        getattr(client, call)()
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == code


@pytest.mark.parametrize("version", [None, "s3v4"], ids=["boto3s-default", "s3v4"])
def test_links_of_both_versions(localstalk: Localstalk, version: str | None) -> None:
    s3 = localstalk.client("s3", config=Config(signature_version=version))
    bucket = f"links-{localstalk.account}"
    s3.create_bucket(Bucket=bucket)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for key in KEYS:
        where = {"Bucket": bucket, "Key": key}
        link = s3.generate_presigned_url("put_object", Params=where | {"ContentType": "text/x-test"})
        assert ("AWSAccessKeyId=" in link) == (version is None)
        sent = urllib.request.Request(link, key.encode(), {"Content-Type": "text/x-test"}, method="PUT")  # noqa: S310
        opener.open(sent).close()
        with opener.open(s3.generate_presigned_url("get_object", Params=where)) as answer:
            assert answer.read().decode() == key
        for forged in (link.replace("ignature=", "ignature=x"), link.replace(bucket, f"{bucket}x")):
            sent = urllib.request.Request(forged, b"", {"Content-Type": "text/x-test"}, method="PUT")  # noqa: S310
            with pytest.raises(urllib.error.HTTPError) as caught:
                opener.open(sent)
            with caught.value as error:
                assert error.code in (400, 403)


@pytest.mark.parametrize("version", [None, "s3v4"], ids=["boto3s-default", "s3v4"])
def test_a_link_ends(localstalk: Localstalk, version: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = localstalk.client("s3", config=Config(signature_version=version))
    bucket = f"links-{localstalk.account}"
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    link = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"}, ExpiresIn=60)
    uri = link.removeprefix(localstalk.endpoint)
    assert send(localstalk, "GET", uri, [("Host", host(localstalk))])[0] == 200
    later = datetime.now(UTC).timestamp() + 61
    monkeypatch.setattr("localstalk.access.signature.time.time", lambda: later)
    status, _, text = send(localstalk, "GET", uri, [("Host", host(localstalk))])
    assert (status, "<Message>Request has expired</Message>" in text) == (403, True)


def test_objects_with_odd_keys_and_in_parts(localstalk: Localstalk) -> None:
    s3 = localstalk.client("s3")
    bucket = f"odd-{localstalk.account}"
    s3.create_bucket(Bucket=bucket)
    for key in KEYS:
        s3.put_object(
            Bucket=bucket, Key=key, Body=key.encode(), Metadata={"Note": "two  blanks "}, Tagging="a=b&c=d%20e"
        )
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == key.encode()
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode(), ChecksumAlgorithm="CRC32")
    assert len(s3.list_objects_v2(Bucket=bucket, Prefix="", MaxKeys=100)["Contents"]) == len(KEYS)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="parts")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="parts", UploadId=upload, PartNumber=1, Body=b"x" * 5_242_880)
    done = {"Parts": [{"ETag": part["ETag"], "PartNumber": 1}]}
    s3.complete_multipart_upload(Bucket=bucket, Key="parts", UploadId=upload, MultipartUpload=done)
    assert s3.head_object(Bucket=bucket, Key="parts")["ContentLength"] == 5_242_880


def test_a_linked_call_of_the_query_api(localstalk: Localstalk) -> None:
    query = "Action=DescribeApplications&Version=2010-12-01"
    request = AWSRequest("GET", f"{localstalk.endpoint}/?{query}")
    key = Credentials(localstalk.key.access_key, localstalk.key.secret_key)
    SigV4QueryAuth(key, "elasticbeanstalk", "us-east-1").add_auth(request)
    uri = str(request.url).removeprefix(localstalk.endpoint)
    assert send(localstalk, "GET", uri, [("Host", host(localstalk))])[0] == 200
    forged = uri.replace("DescribeApplications", "DescribeEnvironments")
    status, _, text = send(localstalk, "GET", forged, [("Host", host(localstalk))])
    assert (status, "<Code>SignatureDoesNotMatch</Code>" in text) == (403, True)


def test_who_asks_for_json_is_refused_in_json(localstalk: Localstalk) -> None:
    status, headers, text = send(
        localstalk, "GET", f"/?{FORM.decode()}", [("Host", host(localstalk)), ("Accept", "application/json")]
    )
    assert (status, headers["Content-Type"]) == (403, "application/json")
    assert json.loads(text)["Error"]["Code"] == "MissingAuthenticationToken"


def test_a_link_to_another_service_than_s3(localstalk: Localstalk) -> None:
    link = localstalk.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    status, _, text = send(localstalk, "GET", link.removeprefix(localstalk.endpoint), [("Host", host(localstalk))])
    assert (status, f"<Account>{localstalk.account}</Account>" in text) == (200, True)


FORM = b"Action=DescribeApplications&Version=2010-12-01"


def test_forged_calls(localstalk: Localstalk, monkeypatch: pytest.MonkeyPatch) -> None:
    good = signed(localstalk)
    assert send(localstalk, "POST", "/", good, FORM)[0] == 200
    assert send(localstalk, "POST", "/", good, FORM.replace(b"Describe", b"Delete"))[0] == 403
    for doubled in ("Authorization", "X-Amz-Date", "Host"):
        value = dict(good)[doubled]
        assert send(localstalk, "POST", "/", [*good, (doubled, value)], FORM)[0] in (400, 403), doubled
    assert send(localstalk, "POST", "/", [*good, ("X-Amz-Target", "AmazonSSM.DescribeParameters")], FORM)[0] == 400
    assert send(localstalk, "POST", "/", [*good, ("x_amz_date", "20130524T000000Z")], FORM)[0] == 200, (
        "no header of AWS"
    )
    assert send(localstalk, "POST", "/", [*good, ("X-Moto-Account-Id", "999999999999")], FORM)[0] == 200
    later = datetime.now(UTC).timestamp() + 901
    monkeypatch.setattr("localstalk.access.signature.time.time", lambda: later)
    assert send(localstalk, "POST", "/", good, FORM)[0] == 403, "replayed"


def test_users_of_iam_and_sessions_have_keys_of_their_own(localstalk: Localstalk) -> None:
    iam, sts = localstalk.client("iam"), localstalk.client("sts")
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    user = {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}
    localstalk.client("elasticbeanstalk", **user).describe_applications()
    iam.update_access_key(UserName="reader", AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refusal(localstalk, "elasticbeanstalk", "describe_applications", **user) == ("InvalidClientTokenId", 403)
    role = f"arn:aws:iam::{localstalk.account}:role/deployer"
    given = sts.assume_role(RoleArn=role, RoleSessionName="one")["Credentials"]
    session = {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"]}
    whole = session | {"aws_session_token": given["SessionToken"]}
    localstalk.client("elasticbeanstalk", **whole).describe_applications()
    localstalk.client("s3", **whole).list_buckets()
    bucket = f"session-{localstalk.account}"
    localstalk.client("s3").create_bucket(Bucket=bucket)
    localstalk.client("s3").put_object(Bucket=bucket, Key="k", Body=b"x")
    for version in (None, "s3v4"):
        s3 = localstalk.client("s3", config=Config(signature_version=version), **whole)
        link = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "k"})
        uri = link.removeprefix(localstalk.endpoint)
        assert send(localstalk, "GET", uri, [("Host", host(localstalk))])[0] == 200
        token = urllib.parse.quote(given["SessionToken"], safe="")
        assert token in uri
        assert send(localstalk, "GET", uri.replace(token, "x"), [("Host", host(localstalk))])[0] == 400
    for wrong in (session, session | {"aws_session_token": "x"}):
        assert refusal(localstalk, "elasticbeanstalk", "describe_applications", **wrong) == (
            "InvalidClientTokenId",
            403,
        )
        assert refusal(localstalk, "s3", "list_buckets", **wrong) == ("InvalidToken", 400)


def test_a_session_ends(localstalk: Localstalk, monkeypatch: pytest.MonkeyPatch) -> None:
    role = f"arn:aws:iam::{localstalk.account}:role/deployer"
    given = localstalk.client("sts").assume_role(RoleArn=role, RoleSessionName="one", DurationSeconds=900)[
        "Credentials"
    ]
    keys = {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }

    class Later(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) + timedelta(seconds=901)

    monkeypatch.setattr("localstalk.keys.datetime", Later)
    assert refusal(localstalk, "elasticbeanstalk", "describe_applications", **keys) == ("ExpiredToken", 403)
    assert refusal(localstalk, "s3", "list_buckets", **keys) == ("ExpiredToken", 400)
    assert refusal(localstalk, "ssm", "describe_parameters", **keys) == ("ExpiredTokenException", 400)


ADMINISTRATION = [
    ("GET", "health"), ("GET", "calls"), ("GET", "permissions"), ("GET", "environments"), ("GET", "url/shop"),
    ("GET", "dns"), ("POST", "database/shop"), ("GET", "faults"), ("POST", "faults"), ("DELETE", "faults"),
    ("POST", "ui/link"), ("GET", "nothing"), ("POST", "nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), ADMINISTRATION)
def test_administration_needs_the_keys(localstalk: Localstalk, method: str, path: str) -> None:
    refused = (
        403,
        "This needs the access key and the secret key that `localstalk env` prints, as user name and password "
        "(HTTP Basic), or a signature by them.\n",
    )
    for wrong in ("", "Basic eDp5", "Basic %", "Bearer x", "AWS4-HMAC-SHA256 Credential=x"):
        status, _, text = send(
            localstalk, method, f"/_localstalk/{path}", [("Host", host(localstalk)), ("Authorization", wrong)]
        )
        assert (status, text) == refused
    assert localstalk.ask(path, method)[0] != 403
    for name, value in {"Host": "evil.example", "Origin": "http://evil.example"}.items():
        status, text = localstalk.ask(path, method, **{name: value})
        assert (status, text) == (403, "This name or origin is not localstalk's own; ask it at 127.0.0.1.\n")


def test_administration_takes_a_signature_of_the_administrator_only(localstalk: Localstalk) -> None:
    iam = localstalk.client("iam")
    iam.create_user(UserName="other")
    other = iam.create_access_key(UserName="other")["AccessKey"]

    def ask(access_key: str, secret_key: str) -> int:
        request = AWSRequest("GET", f"{localstalk.endpoint}/_localstalk/health")
        SigV4Auth(Credentials(access_key, secret_key), "localstalk", "us-east-1").add_auth(request)
        headers = [("Host", host(localstalk)), *((name, str(value)) for name, value in request.headers.items())]
        return send(localstalk, "GET", "/_localstalk/health", headers)[0]

    assert ask(localstalk.key.access_key, localstalk.key.secret_key) == 200
    assert ask(other["AccessKeyId"], other["SecretAccessKey"]) == 403


def test_moto_has_no_administration_here(localstalk: Localstalk) -> None:
    request = AWSRequest("POST", f"{localstalk.endpoint}/moto-api/reset")
    SigV4Auth(Credentials(localstalk.key.access_key, localstalk.key.secret_key), "s3", "us-east-1").add_auth(request)
    headers = [("Host", host(localstalk)), *((name, str(value)) for name, value in request.headers.items())]
    assert send(localstalk, "POST", "/moto-api/reset", headers)[0] in (400, 404)
    localstalk.eb.describe_applications()
    assert send(localstalk, "POST", "/moto-api/reset", [("Host", host(localstalk))])[0] == 403


def test_the_page_opens_once_by_its_link(localstalk: Localstalk) -> None:
    own = [("Host", host(localstalk))]
    status, path = localstalk.ask("ui/link", "POST")
    assert status == 201
    path = path.strip()
    for name, value in {"Host": "evil.example", "Origin": "http://evil.example"}.items():
        foreign = [each for each in own if each[0] != name] + [(name, value)]
        assert send(localstalk, "GET", path, foreign)[0] == 403
    status, headers, text = send(localstalk, "GET", path, own)
    assert (status, "<title>localstalk</title>" in text) == (200, True)
    cookie, *attributes = headers["Set-Cookie"].split("; ")
    assert attributes == ["Path=/_localstalk/ui", "HttpOnly", "SameSite=Strict"]
    assert send(localstalk, "GET", path, own)[0] == 403, "a link works once"
    assert send(localstalk, "GET", path, [*own, ("Cookie", cookie)])[0] == 200
    assert send(localstalk, "GET", "/_localstalk/ui", [*own, ("Cookie", f"other=1; {cookie}")])[0] == 200
    assert send(localstalk, "GET", "/_localstalk/ui/nothing", [*own, ("Cookie", cookie)])[0] == 404
    for wrong in ("", cookie[:-1], "a=b"):
        status, _, text = send(localstalk, "GET", "/_localstalk/ui/stream", [*own, ("Cookie", wrong)])
        assert (status, text) == (
            403,
            "This page opens by the link that `localstalk ui` prints; a link works once.\n",
        )
    for name, value in {"Host": "evil.example", "Origin": "http://127.0.0.1:1"}.items():
        foreign = [each for each in own if each[0] != name] + [(name, value), ("Cookie", cookie)]
        assert send(localstalk, "GET", "/_localstalk/ui", foreign)[0] == 403
    assert send(localstalk, "GET", "/_localstalk/faults", [*own, ("Cookie", cookie)])[0] == 403, (
        "it only shows the page"
    )


def test_links_to_the_page_end(localstalk: Localstalk, monkeypatch: pytest.MonkeyPatch) -> None:
    _, path = localstalk.ask("ui/link", "POST")
    monkeypatch.setattr("localstalk.access.browser.LINK_SECONDS", 0.0)
    _, late = localstalk.ask("ui/link", "POST")
    assert send(localstalk, "GET", late.strip(), [("Host", host(localstalk))])[0] == 403
    assert send(localstalk, "GET", path.strip(), [("Host", host(localstalk))])[0] == 200


def test_no_answer_lets_other_origins_read_it(localstalk: Localstalk) -> None:
    bucket = f"open-{localstalk.account}"
    s3 = localstalk.client("s3")
    s3.create_bucket(Bucket=bucket, ACL="public-read")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    rules = [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["*"]}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    link = localstalk.client("s3", config=Config(signature_version="s3v4")).generate_presigned_url(
        "get_object", Params={"Bucket": bucket, "Key": "k"}
    )
    page = ("Origin", "http://evil.example")
    asked = [
        send(localstalk, "GET", link.removeprefix(localstalk.endpoint), [("Host", host(localstalk)), page]),
        send(localstalk, "POST", "/", [*signed(localstalk), page], FORM),
        send(localstalk, "GET", f"/{bucket}/k", [("Host", host(localstalk)), page]),
        send(
            localstalk,
            "OPTIONS",
            f"/{bucket}/k",
            [("Host", host(localstalk)), page, ("Access-Control-Request-Method", "PUT")],
        ),
        send(localstalk, "OPTIONS", "/_localstalk/faults", [("Host", host(localstalk)), page]),
        send(localstalk, "GET", "/_localstalk/ui", [("Host", host(localstalk)), page]),
    ]
    assert [status for status, _, _ in asked] == [200, 200, 403, 403, 403, 403], "a signature is its own permission"
    assert not [name for _, headers, _ in asked for name in headers if name.lower().startswith("access-control-")]


@pytest.fixture
def no_auth(localstalk: Localstalk, server: Any, monkeypatch: pytest.MonkeyPatch) -> Localstalk:
    monkeypatch.setattr(server.application.guard, "auth", False)
    return localstalk


def test_without_authentication_only_pages_are_kept_out(no_auth: Localstalk) -> None:
    for keys in ({"aws_access_key_id": "x", "aws_secret_access_key": "y"}, {}):
        no_auth.client("elasticbeanstalk", **keys).describe_applications()
    own = host(no_auth)
    port = own.rpartition(":")[2]
    assert json.loads(send(no_auth, "GET", "/_localstalk/health", [("Host", own)])[2])["driver"] == "sim"
    for name in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.evil.example:{port}", ""):
        assert send(no_auth, "GET", "/_localstalk/health", [("Host", name)])[0] == 403
        assert send(no_auth, "GET", "/", [("Host", name)])[0] == 403
        assert send(no_auth, "POST", "/", [*signed(no_auth)[1:], ("Host", name)], FORM)[0] == 403
    assert send(no_auth, "POST", "/", [("Host", own), ("Origin", "null")], FORM)[0] == 403
    for name in (f"localhost:{port}", f"bucket.localhost:{port}", f"[::1]:{port}"):
        assert send(no_auth, "GET", "/", [("Host", name)])[0] in (200, 404)
