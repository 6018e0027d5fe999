# SPDX-License-Identifier: GPL-3.0-or-later
"""A message goes out to a topic's subscribers, or one sentence says why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest

TOPIC = "arn:aws:sns:eu-central-1:123456789012:operators"


@pytest.fixture
def queue(aws: dict[str, str]) -> Callable[[], list[dict[str, Any]]]:
    """A topic in a region of its own, and what a subscriber of it gets."""
    where = {
        "endpoint_url": aws["endpoint_url"],
        "region_name": "eu-central-1",
        "aws_access_key_id": aws["access_key"],
        "aws_secret_access_key": aws["secret_key"],
    }
    sns, sqs = boto3.client("sns", **where), boto3.client("sqs", **where)
    assert sns.create_topic(Name="operators")["TopicArn"] == TOPIC
    url = sqs.create_queue(QueueName="operators")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=TOPIC, Protocol="sqs", Endpoint=arn)

    def got() -> list[dict[str, Any]]:
        found = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
        for each in found:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(each["Body"]) for each in found]

    return got


def test_it_arrives(run: Callable[..., Any], queue: Callable[[], list[dict[str, Any]]]) -> None:
    checked = run("sns_message", topic=TOPIC, text="all is well", check=True)
    assert (checked["changed"], checked["message_id"], queue()) == (True, None, [])
    sent = run("sns_message", topic=TOPIC, subject="größer:\n done " + "x" * 100, text="ällesgut")
    (got,) = queue()
    assert (sent["changed"], sent["message_id"]) == (True, got["MessageId"])
    assert got["Message"] == "ällesgut"
    assert got["Subject"] == ("gr??er: done " + "x" * 100)[:99]
    run("sns_message", topic=TOPIC, text="no subject")
    (got,) = queue()
    assert got["Message"] == "no subject"


@pytest.mark.parametrize(
    ("topic", "text", "said"),
    [
        ("operators", "x", "operators is not the ARN of a standard SNS topic (arn:aws:sns:eu-central-1:"),
        (f"{TOPIC}.fifo", "x", f"{TOPIC}.fifo is not the ARN of a standard SNS topic"),
        (TOPIC, "", "A message to SNS has between 1 byte and 256 KiB."),
        (TOPIC, "ä" * 131073, "A message to SNS has between 1 byte and 256 KiB."),
        (f"{TOPIC}-gone", "x", "Failed to publish to the SNS topic"),
    ],
)
def test_why_not(run: Callable[..., Any], topic: str, text: str, said: str) -> None:
    failed = run("sns_message", topic=topic, text=text)
    assert failed["failed"]
    assert failed["msg"].startswith(said)
