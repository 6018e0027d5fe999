# SPDX-License-Identifier: GPL-3.0-or-later
"""Smoke tests as a visitor makes them: a real HTTPS server with a certificate of a test authority, redirects, Host."""

from __future__ import annotations

import http.server
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.core.errors import AnsibleBeanstalkRefusedError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.arguments import smoke_tests_of
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.cycle.smoke_tests import SmokeTest, SmokeTester
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DOMAIN = "www.example.com"
LIVE = "shop.eu-central-1.elasticbeanstalk.com"
# Resolves everywhere, and is nobody's live name: the candidate's CNAME in these tests.
CANDIDATE = "localhost"


class Django(http.server.BaseHTTPRequestHandler):
    """Answers as a Django that looks at its host and wants TLS does."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.headers["Host"], self.path))
        name = self.headers["Host"].partition(":")[0]
        if name not in (DOMAIN, LIVE):
            self.answer(400, "Invalid HTTP_HOST header")
        elif self.path == "/login":
            self.answer(302, "", Location="https://login.example.org/?token=secret")
        elif self.path == "/round":
            self.answer(302, "", Location="/round")
        elif not server.secure:
            self.answer(301, "", Location=f"https://{DOMAIN}:{server.tls_port}{self.path}")
        else:
            self.answer(200, f"welcome to {name}")

    def answer(self, status: int, text: str, **headers: str) -> None:
        self.send_response(status)
        for header, value in {**headers, "Content-Length": str(len(text))}.items():
            self.send_header(header, value)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_: Any) -> None:
        pass


class Site(NamedTuple):
    port: int
    tls_port: int
    ca_path: str
    asked: list[tuple[str, str]]


def certificates(folder: Path) -> tuple[Path, Path]:
    """The file of a test authority, and that of a key and a certificate for the domain."""
    now, keys = datetime.now(UTC), (ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1()))
    names = [x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)]) for text in ("Test authority", DOMAIN)]
    made = [
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(names[0])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=name is names[0], path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(DOMAIN)]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(keys[0].public_key()), critical=False)
        .sign(keys[0], hashes.SHA256())
        for name, key in zip(names, keys, strict=True)
    ]
    pem = serialization.Encoding.PEM
    private = keys[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    authority, site = folder / "authority.pem", folder / "site.pem"
    authority.write_bytes(made[0].public_bytes(pem))
    site.write_bytes(private + made[1].public_bytes(pem))
    return authority, site


@contextmanager
def serving(secure: Path | None, asked: list[tuple[str, str]], tls_port: int = 0) -> Iterator[int]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Django)
    server.asked, server.secure, server.tls_port = asked, secure is not None, tls_port
    if secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(secure)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    authority, mine = certificates(tmp_path_factory.mktemp("certificates"))
    asked: list[tuple[str, str]] = []
    with serving(mine, asked) as tls_port, serving(None, asked, tls_port) as port:
        yield Site(port, tls_port, str(authority), asked)


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


def outcome(check: SmokeTest) -> tuple[int, str]:
    """What is said of the candidate, while the live name is another one."""
    return SmokeTester([check]).run(CANDIDATE, 1, LIVE)


def test_certificate_is_checked_by_the_visitors_name(site: Site) -> None:
    check = SmokeTest(scheme="https", port=site.tls_port, host=DOMAIN, ca_path=site.ca_path, body=f"to {DOMAIN}")
    assert outcome(check) == (1, "")
    assert site.asked[-1] == (f"{DOMAIN}:{site.tls_port}", "/")


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({}, f"the certificate is not good for {LIVE}: Hostname mismatch"),
        ({"host": DOMAIN, "ca_path": ""}, f"the certificate is not good for {DOMAIN}: unable to get local issuer"),
        ({"host": DOMAIN, "ca_path": "", "validate_certs": False}, ""),
    ],
)
def test_certificate_of_another_name_or_authority_is_no_answer(site: Site, more: dict[str, Any], sentence: str) -> None:
    given = {"scheme": "https", "port": site.tls_port, "ca_path": site.ca_path, **more}
    good, said = outcome(SmokeTest(**given))
    assert said.startswith(f"/: {sentence}") if sentence else said == ""
    assert good == (0 if sentence else 1)


def test_candidate_is_asked_with_the_live_host(site: Site) -> None:
    check = SmokeTest(path="/healthz", port=site.port, status=(301,))
    assert outcome(check) == (1, "")
    assert site.asked[-1] == (f"{LIVE}:{site.port}", "/healthz")
    # Under its own name it is refused, as everything was that looks at its host.
    assert SmokeTester([check]).run(CANDIDATE, 1) == (0, "/healthz: status 400")


def test_redirect_is_expected_or_followed_and_never_out_of_the_environment(site: Site) -> None:
    target = f"https://{DOMAIN}:{site.tls_port}/a?b=1"
    asserted = SmokeTest(path="/a?b=1", port=site.port, status=(301,), headers={"Location": target})
    assert outcome(asserted) == (1, "")
    assert outcome(SmokeTest(path="/a?b=1", port=site.port)) == (
        0,
        f"/a?b=1: status 301, to https://{DOMAIN}:{site.tls_port}/a",
    )
    followed = SmokeTest(
        path="/a?b=1", port=site.port, host=DOMAIN, follow_redirects=True, ca_path=site.ca_path, body="welcome"
    )
    assert outcome(followed) == (1, "")
    assert site.asked[-2:] == [(f"{DOMAIN}:{site.port}", "/a?b=1"), (f"{DOMAIN}:{site.tls_port}", "/a?b=1")]
    away = SmokeTest(path="/login", port=site.port, follow_redirects=True)
    assert outcome(away) == (0, "/login: it leads to https://login.example.org, which is not this environment")
    assert outcome(SmokeTest(path="/round", port=site.port, follow_redirects=True)) == (
        0,
        "/round: more than 5 redirects",
    )


def test_a_server_that_says_little_by_little_has_no_more_time_than_others() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection = listener.accept()[0]
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\n")
                over = threading.Event()
                try:
                    while not over.wait(0.1):
                        connection.sendall(b"x: y\r\n")
                except OSError:
                    pass

        thread = threading.Thread(target=drip)
        thread.start()
        check = SmokeTest(port=listener.getsockname()[1], timeout=0.5)
        assert outcome(check) == (0, "/: no answer in time")
        thread.join()


def test_authorities_that_cannot_be_read_are_refused_before_anything_is_done(tmp_path: Path) -> None:
    one = {
        "path": "/",
        "status": [200],
        "body": None,
        "headers": None,
        "latency": 0,
        "timeout": 10,
        "scheme": "https",
        "host": None,
        "port": 0,
        "follow_redirects": False,
        "validate_certs": True,
        "ca_path": str(tmp_path / "none.pem"),
    }
    with pytest.raises(AnsibleBeanstalkRefusedError, match=r"of /: .*none.pem is no file .*\(No such file"):
        smoke_tests_of({"smoke_tests": [one]})
    (tmp_path / "none.pem").write_text("nothing")
    with pytest.raises(AnsibleBeanstalkRefusedError, match="is no file of certificates"):
        smoke_tests_of({"smoke_tests": [one]})
    assert smoke_tests_of({"smoke_tests": [{**one, "ca_path": None}]}) == [SmokeTest(scheme="https")]


class Proxy(http.server.BaseHTTPRequestHandler):
    """Notes what it is asked; opens tunnels, and answers plain requests itself."""

    def do_CONNECT(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, self.headers["Proxy-Authorization"]))
        host, _colon, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=self.pass_on, args=(there, self.connection))
            back.start()
            self.pass_on(self.connection, there)
            back.join()
        self.close_connection = True

    def pass_on(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, self.headers["Host"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, str]]]:
    """A proxy that wants a password, as the environment of the controller names it; what it was asked."""
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://me:secret@127.0.0.1:{server.server_address[1]}")
    yield server.asked
    server.shutdown()
    server.server_close()
    thread.join()


def test_proxy_makes_a_tunnel_for_tls_and_goes_where_plain_requests_say(
    site: Site, proxy: list[tuple[str, str]]
) -> None:
    secure = SmokeTest(scheme="https", port=site.tls_port, host=DOMAIN, ca_path=site.ca_path, body=f"to {DOMAIN}")
    assert outcome(secure) == (1, "")
    assert proxy == [(f"{CANDIDATE}:{site.tls_port}", "Basic bWU6c2VjcmV0")]
    assert outcome(SmokeTest(path="/a", port=site.port, status=(204,))) == (1, "")
    assert proxy[1:] == [(f"http://{CANDIDATE}:{site.port}/a", f"{CANDIDATE}:{site.port}")]
