# SPDX-License-Identifier: GPL-3.0-or-later
"""How deployments ended, as real servers on this machine hear it: webhooks, Slack's among them, SNS, and mail."""

from __future__ import annotations

import asyncio
import http.server
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import UnthreadedController

from localstalk.testing import Localstalk

Play = Callable[..., subprocess.CompletedProcess[str]]
GONE = "127.0.0.1:1"


@dataclass
class Heard:
    """What came in: posts by path, mails, and messages of a topic by a queue."""

    url: str
    smtp_port: int
    topic: str
    queue: Callable[[], list[dict[str, Any]]]
    posts: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    mails: list[Any] = field(default_factory=list)

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append((envelope.rcpt_tos, message_from_bytes(envelope.content, policy=policy.default)))
        return "250 OK"

    def receivers(self) -> list[dict[str, Any]]:
        mail = {"type": "mail", "to": ["ops@example.com"], "sender": "deploy@example.com"}
        return [
            {"type": "slack", "url": f"{self.url}/slack-token"},
            {"type": "webhook", "url": f"{self.url}/hook", "results": ["done", "unchanged", "failed"]},
            {"type": "sns", "topic": self.topic},
            {**mail, "host": "127.0.0.1", "port": self.smtp_port, "secure": "never"},
        ]

    def broken(self) -> list[dict[str, Any]]:
        return [
            {"type": "slack", "url": f"{self.url}/broken/slack-token"},
            {"type": "webhook", "url": f"http://{GONE}/hook"},
            {"type": "sns", "topic": f"{self.topic}-gone"},
            {"type": "mail", "to": ["ops@example.com"], "host": "127.0.0.1", "port": 1},
        ]

    def clear(self) -> None:
        self.posts.clear()
        self.mails.clear()
        self.queue()


@pytest.fixture
def heard(shared_localstalk: Localstalk) -> Iterator[Heard]:
    sns, sqs = shared_localstalk.client("sns"), shared_localstalk.client("sqs")
    topic, queue = sns.create_topic(Name="told")["TopicArn"], sqs.create_queue(QueueName="told")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def received() -> list[dict[str, Any]]:
        found = sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        for each in found:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=each["ReceiptHandle"])
        return [json.loads(each["Body"]) for each in found]

    received()  # what an earlier test left
    heard = Heard("", 0, topic, received)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.posts.append((self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))
            self.send_response(500 if self.path.startswith("/broken") else 200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        heard.url = f"http://127.0.0.1:{server.server_port}"
        loop = asyncio.new_event_loop()
        mail = UnthreadedController(heard, hostname="127.0.0.1", port=0, loop=loop)
        mail.begin()
        heard.smtp_port = mail.server.sockets[0].getsockname()[1]
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        yield heard
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        mail.end()
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        server.shutdown()


@pytest.mark.slow
def test_each_kind_of_receiver_hears_how_the_deployments_of_a_batch_ended(
    play_shop: Play, heard: Heard, tmp_path: Path
) -> None:
    hosts, reports = ["told-a", "told-b"], tmp_path / "reports"
    folder = {"eb_report_folder": str(reports)}
    predicted = play_shop("deploy", hosts, "--check", eb_notify=heard.receivers(), **folder)
    assert predicted.returncode == 0, predicted.stdout + predicted.stderr
    assert (heard.posts, heard.mails, heard.queue()) == ([], [], [])
    assert not reports.exists()

    done = play_shop("deploy", hosts, eb_notify=heard.receivers(), **folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was not delivered" not in done.stdout
    assert "slack-token" not in done.stdout + done.stderr
    slack = sorted(body["text"] for path, body in heard.posts if path == "/slack-token")
    assert [one.partition(" runs version ")[0] for one in slack] == [
        f"told-a/{name}: done. {name} ({document['environment_id']})"
        for name, document in zip(hosts, sorted_documents(heard), strict=True)
    ]
    assert all(one.endswith(", health Green.") for one in slack)
    (to, mail), (_to, other) = sorted(heard.mails, key=lambda one: one[1]["Subject"])
    assert (to, mail["Subject"], mail["From"]) == (["ops@example.com"], "told-a/told-a: done", "deploy@example.com")
    assert mail.get_body().get_content().strip() == slack[0]
    assert other["Subject"] == "told-a/told-b: done"
    assert sorted((one["Subject"], one["Message"]) for one in heard.queue()) == [
        (f"told-a/{name}: done", text) for name, text in zip(hosts, slack, strict=True)
    ]
    assert [(one["logical"], one["result"]) for one in index(reports)] == [
        ("told-a/told-a", "done"),
        ("told-a/told-b", "done"),
    ]

    heard.clear()
    again = play_shop("deploy", hosts, eb_notify=heard.receivers(), **folder)
    assert again.returncode == 0, again.stdout + again.stderr
    assert [one["result"] for one in sorted_documents(heard)] == ["unchanged", "unchanged"]
    assert {path for path, _body in heard.posts} == {"/hook"}, "nobody is told by default that nothing was done"
    assert (heard.mails, heard.queue()) == ([], [])
    assert len(index(reports)) == 2, "what was as it should be is not reported"

    heard.clear()
    failed = play_shop("deploy", hosts, eb_notify=heard.receivers(), eb_platform="No such platform", **folder)
    assert failed.returncode == 2
    for document in sorted_documents(heard):
        assert (document["result"], document["version_label"]) == ("failed", "")
        assert "No such platform" in document["sentence"]
    assert sorted(mail["Subject"] for _to, mail in heard.mails) == ["told-a/told-a: failed", "told-a/told-b: failed"]
    assert [one["result"] for one in index(reports)] == ["failed", "failed", "done", "done"]
    (page, _other) = (reports / one["page"] for one in index(reports)[:2])
    assert "No such platform" in page.read_text()
    assert json.loads(page.with_suffix(".json").read_text())["result"] == "failed"


def index(reports: Path) -> list[dict[str, Any]]:
    """The reports of a folder, newest first; each has its page."""
    lines = json.loads((reports / "index.json").read_text())
    assert {one["page"] for one in lines} == {one.name for one in reports.glob("*.html")} - {"index.html"}
    return lines


def sorted_documents(heard: Heard) -> list[dict[str, Any]]:
    return sorted((body for path, body in heard.posts if path == "/hook"), key=lambda one: one["logical"])


@pytest.mark.slow
def test_a_notification_that_fails_is_reported_and_changes_nothing(play_shop: Play, heard: Heard) -> None:
    done = play_shop("deploy", ["deaf"], eb_notify=heard.broken() + heard.receivers())
    assert done.returncode == 0, done.stdout + done.stderr
    shown = " ".join(done.stdout.split())
    end = "The run itself ended as done."
    assert f"The slack notification was not delivered: HTTP status 500. {end}" in shown
    assert f"The webhook notification was not delivered: nothing answers there. {end}" in shown
    assert "The sns notification was not delivered: Failed to publish to the SNS topic" in shown
    assert "The mail notification was not delivered: " in shown
    assert "failed=0" in shown
    assert "slack-token" not in done.stdout + done.stderr
    assert (len(heard.mails), len(heard.queue()), len(heard.posts)) == (1, 1, 3), "the others were told"


@pytest.mark.slow
def test_a_bundle_that_cannot_be_made_is_told_as_well(play_shop: Play, heard: Heard) -> None:
    missing = {"key": {"file": "nowhere/key"}}
    hosts = ["unmade-a", "unmade-b"]
    predicted = play_shop("deploy", hosts, "--check", eb_notify=heard.receivers(), eb_secrets=missing)
    assert predicted.returncode == 2
    assert (heard.posts, heard.mails, heard.queue()) == ([], [], [])
    failed = play_shop("deploy", hosts, eb_notify=heard.receivers(), eb_secrets=missing)
    assert failed.returncode == 2
    assert "was not delivered" not in failed.stdout
    for name, document in zip(hosts, sorted_documents(heard), strict=True):
        assert (document["logical"], document["result"]) == (f"unmade-a/{name}", "failed")
        assert "nowhere/key" in document["sentence"]
    assert sorted(mail["Subject"] for _to, mail in heard.mails) == [
        "unmade-a/unmade-a: failed",
        "unmade-a/unmade-b: failed",
    ]
    assert len(heard.queue()) == 2
    assert "slack-token" not in failed.stdout + failed.stderr


def test_a_receiver_that_cannot_be_meant_is_refused_before_anything_is_done(
    play_shop: Play, shared_localstalk: Localstalk
) -> None:
    refused = play_shop("deploy", ["misdirected"], eb_notify=[{"type": "pager"}])
    assert refused.returncode == 2
    why = "Receiver 1 of eb_notify cannot be told: value of type must be one of: slack, webhook, sns, mail, got: pager."
    assert why in " ".join(refused.stdout.split())
    eb = shared_localstalk.client("elasticbeanstalk")
    assert eb.describe_environments(ApplicationName="misdirected")["Environments"] == []
