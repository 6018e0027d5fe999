# SPDX-License-Identifier: GPL-3.0-or-later
"""The record object: what it holds, and what happens when it is missing, foreign, denied, or written by two at once."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.record import (
    Record,
    RecordUnreadableError,
    can_settle,
    decode,
    digests,
    encode,
    record_key,
)
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.environment.record_store import RecordStore
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.given import parse
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.option_settings.keys import Key
from botocore.exceptions import ClientError

PROPERTIES = "aws:elasticbeanstalk:application:environment"
SECRETS = "aws:elasticbeanstalk:application:environmentsecrets"
ASG = "aws:autoscaling:asg"
WANTED = parse({PROPERTIES: {"GREETING": "hello-world"}, SECRETS: {"KEY": "arn:x"}, ASG: {"MinSize": 2}})


class Bucket:
    """S3's conditional writes, for one object; ``between`` happens once before a write, ``refuse`` is an error code."""

    def __init__(self, body: bytes | None = None, refuse: str = "") -> None:
        self.body, self.refuse, self.writes = body, refuse, 0
        self.between: Callable[[], None] = lambda: None
        self.codes: list[str] = []

    @property
    def etag(self) -> str:
        return f'"{hash(self.body)}"'

    def get_object(self, **_names: str) -> dict[str, Any]:
        if self.refuse or self.body is None:
            raise self._error(self.refuse or "NoSuchKey", "GetObject")
        return {"Body": io.BytesIO(self.body), "ContentLength": len(self.body), "ETag": self.etag}

    def put_object(self, *, Body: bytes, IfMatch: str = "", IfNoneMatch: str = "", **_names: str) -> dict[str, Any]:  # noqa: N803
        between, self.between = self.between, lambda: None
        between()
        if self.codes:
            raise self._error(self.codes.pop(0), "PutObject")
        if (IfNoneMatch and self.body is not None) or (IfMatch and IfMatch != self.etag):
            raise self._error("PreconditionFailed", "PutObject")
        assert IfMatch or IfNoneMatch == "*", "every write is conditional"
        self.body, self.writes = Body, self.writes + 1
        return {"ETag": self.etag}

    @staticmethod
    def _error(code: str, operation: str) -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


def store(bucket: Bucket) -> RecordStore:
    return RecordStore(lambda: bucket, lambda: "bucket", "shop", "Shop-Live", sleep=lambda _seconds: None)


def test_it_has_names_and_digests_and_no_value() -> None:
    key = Key(ASG, "MinSize")
    record = Record().with_names(WANTED).with_settled("e-1", {key.label: digests(key, "2", None)})
    document = json.loads(encode(record))
    assert document["format"] == 1
    assert (document["properties"], document["secrets"]) == (["GREETING"], ["KEY"])
    assert document["options"] == [f"{ASG}:MinSize"]
    assert "hello-world" not in encode(record).decode()
    assert decode(encode(record)) == record


def test_what_others_added_stays() -> None:
    document = {**json.loads(encode(Record())), "history": [{"label": "v1"}]}
    record = decode(json.dumps(document).encode()).with_names(WANTED)
    assert json.loads(encode(record))["history"] == [{"label": "v1"}]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"format": 1}', b'{"format": 2}', b'{"format": 1, "properties": "A"}'])
def test_what_is_not_a_record_is_not_read(body: bytes) -> None:
    with pytest.raises(RecordUnreadableError):
        decode(body)


def test_hidden_values_get_no_digest() -> None:
    assert not can_settle(Key(PROPERTIES, "GREETING"), "hello")
    assert not can_settle(Key("aws:rds:dbinstance", "DBPassword"), "hello")
    assert can_settle(Key(PROPERTIES, "EMPTY"), "")
    assert can_settle(Key(ASG, "MinSize"), "2")


def test_settled_is_of_one_environment() -> None:
    record = Record().with_settled("e-1", {"x": ("a", "b")})
    assert record.settled_of("e-1") == {"x": ("a", "b")}
    assert record.settled_of("e-2") == {}


def test_the_key_is_that_of_the_locks_logical_environment() -> None:
    assert store(Bucket()).key == record_key("shop", "shop-live") == "jack.beanstalk/records/shop/shop-live.json"


def test_a_record_begins_and_grows() -> None:
    bucket = Bucket()
    one = store(bucket)
    assert one.read() == Record()
    assert not one.exists
    assert one.change(lambda record: record.with_names(WANTED))
    assert one.change(lambda record: record.with_names(WANTED)), "what is there needs no second write"
    assert bucket.writes == 1
    assert one.exists


@pytest.mark.parametrize("there", [None, encode(Record(properties=frozenset({"BEFORE"})))])
def test_two_who_write_at_once_lose_nothing(there: bytes | None) -> None:
    bucket = Bucket(there)
    one, other = store(bucket), store(bucket)
    one.read()
    bucket.between = lambda: other.change(lambda record: record.with_names(parse({PROPERTIES: {"THEIRS": 1}}))) or None
    assert one.change(lambda record: record.with_names(WANTED))
    found = decode(bucket.body or b"")
    assert {"THEIRS", "GREETING"} <= found.properties
    assert ("BEFORE" in found.properties) is (there is not None)


def test_a_conflict_is_tried_again() -> None:
    bucket = Bucket()
    bucket.codes = ["ConditionalRequestConflict", "ConditionalRequestConflict"]
    assert store(bucket).change(lambda record: record.with_names(WANTED))
    assert bucket.writes == 1


def test_others_who_keep_writing_are_given_up_on() -> None:
    bucket = Bucket()
    bucket.codes = ["PreconditionFailed"] * 50
    one = store(bucket)
    assert not one.change(lambda record: record.with_names(WANTED))
    assert one.problem.endswith("was not written: others kept changing it.")


@pytest.mark.parametrize(
    ("bucket", "sentence"),
    [
        (Bucket(b"nonsense"), "cannot be used: it is not a record of this collection (it is not JSON): remove it to"),
        (Bucket(b'{"format": 9}'), "it has format 9, and this collection knows format 1: update the collection."),
        (Bucket(b" " * (1 << 20) + b"{}"), "cannot be read: it has more than 1 MiB."),
        (Bucket(refuse="AccessDenied"), "cannot be read: allow s3:GetObject (with s3:ListBucket on the bucket), see"),
    ],
)
def test_what_cannot_be_read_is_said_and_left_alone(bucket: Bucket, sentence: str) -> None:
    one = store(bucket)
    assert one.read() is None
    assert sentence in one.problem
    assert not one.change(lambda record: record.with_names(WANTED))
    assert bucket.writes == 0
