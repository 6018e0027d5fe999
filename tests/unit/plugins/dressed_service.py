# SPDX-License-Identifier: GPL-3.0-or-later
"""A service between modules and localstalk whose DescribeConfigurationSettings are dressed as AWS's; see ``dressing``.

It speaks HTTP, so that modules in this process, playbooks and other programs see the same.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from . import dressing
from .captured import captured

_SPACE = "http://elasticbeanstalk.amazonaws.com/docs/2010-12-01/"
_CAPTURED = {(one["Namespace"], one["OptionName"]) for one in captured() if ":listener:" not in one["Namespace"]}
_LOCAL = ("connection", "transfer-encoding", "content-length", "keep-alive", "server", "date")
ET.register_namespace("", _SPACE)


class Dresser:
    """What is done to requests and answers. ``client`` makes a client of localstalk for a service."""

    def __init__(self, client: Callable[[str], Any]) -> None:
        self._client = client
        self.sent: list[dict[str, str]] = []
        self._known: set[tuple[str, str]] = set()
        self.denied = ""
        """An action of EC2 that is refused to everybody but this."""

    def refused(self, params: dict[str, str]) -> str:
        """Why a request is not passed on."""
        self.sent.append(params)
        return dressing.refusal(dressing.flat(params, "OptionSettings"))

    def passed_on(self, params: dict[str, str], body: bytes) -> bytes:
        """The request without options that AWS has and localstalk does not know yet."""
        names = ("OptionSettings", "OptionsToRemove")
        if not any(key.startswith(names) for key in params):
            return body
        rest = {key: value for key, value in params.items() if not key.startswith(names)}
        for name in names:
            known = [one for one in dressing.flat(params, name) if self._is_known(one)]
            for number, one in enumerate(known, 1):
                rest |= {f"{name}.member.{number}.{key}": value for key, value in one.items()}
        return urllib.parse.urlencode(rest).encode()

    def _is_known(self, one: dict[str, str]) -> bool:
        option = (one["Namespace"], one["OptionName"])
        if not self._known:
            found = self._client("elasticbeanstalk").describe_configuration_options()["Options"]
            self._known = {(each["Namespace"], each["Name"]) for each in found}
        return option in self._known or option not in _CAPTURED

    def dressed(self, params: dict[str, str], body: bytes) -> bytes:
        """The answer as AWS gives it."""
        if params.get("Action") != "DescribeConfigurationSettings" or "EnvironmentName" not in params:
            return body
        root = ET.fromstring(body)  # noqa: S314 -- localstalk's own
        for one in root.iter(f"{{{_SPACE}}}ConfigurationSettings"):
            for member in one:
                self._dress(member)
        return ET.tostring(root, encoding="utf-8", xml_declaration=False)

    def _dress(self, member: ET.Element) -> None:
        settings = member.find(f"{{{_SPACE}}}OptionSettings")
        assert settings is not None
        tags = ("EnvironmentName", "SolutionStackName", "PlatformArn")
        name, stack, arn = (member.findtext(f"{{{_SPACE}}}{tag}") or "" for tag in tags)
        given = [{_bare(part.tag): part.text or "" for part in setting} for setting in settings]
        wanted = dressing.dress(given, stack, self._group(name), self._image(arn))
        settings.clear()
        for one in wanted:
            element = ET.SubElement(settings, f"{{{_SPACE}}}member")
            for name, value in one.items():
                ET.SubElement(element, f"{{{_SPACE}}}{name}").text = value

    def _image(self, arn: str) -> str:
        found = self._client("elasticbeanstalk").describe_platform_version(PlatformArn=arn)["PlatformDescription"]
        return str(found["CustomAmiList"][0]["ImageId"])

    def _group(self, environment: str) -> str:
        tags = [{"Name": "tag:elasticbeanstalk:environment-name", "Values": [environment]}]
        found = self._client("ec2").describe_security_groups(Filters=tags)["SecurityGroups"]
        return str(found[0]["GroupId"]) if found else "sg-none"


def _bare(tag: str) -> str:
    return tag.rpartition("}")[2]


class DressedService:
    """Listens on a port of its own until it is closed; ``url`` is its address."""

    def __init__(self, behind: str, client: Callable[[str], Any], key: Credentials) -> None:
        self.dresser = dresser = Dresser(client)

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass_on(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                params = dict(urllib.parse.parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
                ours = "elasticbeanstalk" in self.headers.get("Authorization", "") and "Action" in params
                if dresser.denied and params.get("Action") == dresser.denied:
                    self._answer(403, {"Content-Type": "text/xml"}, _denial(dresser.denied))
                    return
                if ours and (problem := dresser.refused(params)):
                    self._answer(400, {"Content-Type": "text/xml"}, _error(problem))
                    return
                sent = dict(self.headers.items())
                if ours:
                    body = dresser.passed_on(params, body)
                    sent = _signed_anew(behind, self, body, key)
                status, headers, answer = _ask(behind, self, body, sent)
                self._answer(status, headers, dresser.dressed(params, answer) if ours and status == 200 else answer)

            def _answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    if name.lower() not in _LOCAL[:4]:
                        self.send_header(name, value)
                length = headers.get("Content-Length", "0") if self.command == "HEAD" else str(len(body))
                self.send_header("Content-Length", length)
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _pass_on  # noqa: N815

            def send_response(self, code: int, message: str | None = None) -> None:
                # Not with a Server and Date of its own: the lock reads S3's clock in the latter.
                self.send_response_only(code, message)

            def log_message(self, *_words: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def _signed_anew(behind: str, handler: BaseHTTPRequestHandler, body: bytes, key: Credentials) -> dict[str, str]:
    """The headers of a request whose body is another one now."""
    region, service = handler.headers["Authorization"].split("/")[2:4]
    request = AWSRequest("POST", behind + handler.path, {"Content-Type": handler.headers["Content-Type"]}, body)
    SigV4Auth(key, service, region).add_auth(request)
    return dict(request.headers.items())


def _ask(
    behind: str, handler: BaseHTTPRequestHandler, body: bytes, sent: dict[str, str]
) -> tuple[int, dict[str, str], bytes]:
    local = ("connection", "expect", "content-length")
    headers = {name: value for name, value in sent.items() if name.lower() not in local}
    request = urllib.request.Request(behind + handler.path, body or None, headers, method=handler.command)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return answer.status, dict(answer.headers.items()), answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, dict(error.headers.items()), error.read()


def _denial(action: str) -> bytes:
    return (
        "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform: "
        f"ec2:{action}</Message></Error></Errors><RequestID>0</RequestID></Response>"
    ).encode()


def _error(message: str) -> bytes:
    return (
        f'<ErrorResponse xmlns="{_SPACE}"><Error><Type>Sender</Type><Code>InvalidParameterValue</Code>'
        f"<Message>{message}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
    ).encode()
