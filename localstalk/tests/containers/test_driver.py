# SPDX-License-Identifier: GPL-3.0-or-later
"""The container driver for real: instances, deployments that work or fail, load balancer, database, cleaning up."""

from __future__ import annotations

import concurrent.futures
import os
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dnslib import DNSRecord

from localstalk.driver import Command, CommandResult, HealthCheck, InstanceSpec
from localstalk.drivers.container import ContainerDriver, clean
from localstalk.drivers.container.cleaning import label

pytestmark = pytest.mark.containers

ACCOUNT = "123456789012"
ENVIRONMENT = "e-abcdefghij"
NAME = "blog.us-east-1.elasticbeanstalk.com"
SPECS = [
    InstanceSpec(f"i-{number:017x}", ENVIRONMENT, "blog-1", "blog", "us-east-1", "al2023", ACCOUNT) for number in (1, 2)
]
SERVER = r"""
use IO::Socket::INET;
$SIG{TERM} = sub { exit 0 };
my $server = IO::Socket::INET->new(LocalPort => 8000, Listen => 50, ReuseAddr => 1) or die;
while (my $client = $server->accept) {
  while (<$client>) { last if /^\r?$/ }
  my $text = "hello $ENV{GREETING}";
  print $client "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " . length($text) . "\r\n\r\n$text";
  close $client;
}
"""
APPLICATION = {
    "Dockerfile": 'FROM debian:bookworm-slim\nCOPY server.pl /\nEXPOSE 8000\nCMD ["perl", "/server.pl"]\n',
    "server.pl": SERVER,
}


def wait_for(what: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def refused(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), timeout=2).close()
    except ConnectionRefusedError:
        return True
    return False


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as response:  # noqa: S310 - our own address
        return str(response.read().decode())


def bundle(folder: Path, files: dict[str, str]) -> Path:
    path = folder / f"{uuid.uuid4().hex}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def command(name: str, path: Path | None = None, greeting: str = "world", timeout: float = 60.0) -> Command:
    properties = {"GREETING": greeting}
    return Command(name, uuid.uuid4().hex, 1, "v1", timeout, path, "bucket-123456789012/app/v1", properties)  # type: ignore[arg-type]


def everywhere(driver: ContainerDriver, what: Command) -> list[CommandResult]:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return list(pool.map(lambda spec: driver.run(spec.instance_id, what), SPECS))


def leftovers(home: Path, runtime: Path) -> list[str]:
    mark = label(home)
    found = []
    for argv in (
        ["podman", "ps", "-a", "--format", "{{.Names}}"],
        ["podman", "network", "ls", "--format", "{{.Name}}"],
    ):
        text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        found += [line for line in text.splitlines() if mark in line]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(home) in line]
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if str(home) in words or str(runtime) in words:
                found.append(words)
    found += [str(path) for path in runtime.rglob("*")] if runtime.exists() else []
    found += [str(path) for path in home.glob("*") if path.name != "edge.log"]
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    home = tmp_path_factory.mktemp("home")
    runtime = Path("/run/localstalk") / f"test-{label(home)}"
    yield home, runtime
    clean(home, runtime)
    if runtime.exists():
        runtime.rmdir()


@pytest.fixture(scope="module")
def driver(place: tuple[Path, Path]) -> Iterator[ContainerDriver]:
    made = ContainerDriver(*place, speed=20.0)
    try:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(made.launch, SPECS))
        made.create_load_balancer(ENVIRONMENT, HealthCheck())
        made.point(NAME, ENVIRONMENT)
        yield made
    finally:
        made.close()
    assert leftovers(*place) == []


def test_deploy_serve_and_fail(driver: ContainerDriver, tmp_path: Path) -> None:
    config = (
        "container_commands:\n"
        "  a: {command: 'echo led > /tmp/led', leader_only: true}\n"
        "  b: {command: 'echo $EB_IS_COMMAND_LEADER > /tmp/all'}\n"
    )
    hook = "#!/bin/sh\nsudo docker exec `sudo docker ps -q` perl -e 'print \"in the container: $ENV{GREETING}\\n\"'\n"
    good = bundle(
        tmp_path,
        {**APPLICATION, ".ebextensions/a.config": config, ".platform/hooks/postdeploy/a.sh": hook},
    )
    results = everywhere(driver, command("app-deploy", good))
    assert [result.status for result in results] == ["SUCCESS", "SUCCESS"], results
    assert sorted(bool(result.leader) for result in results) == [False, True]
    for spec, result in zip(SPECS, results, strict=True):
        said = driver.shell(spec.instance_id, "cat /tmp/all; ls /tmp/led; cat /var/log/eb-hooks.log", 10.0).stdout
        assert said.startswith("true\n/tmp/led\n" if result.leader else "false\n"), said
        assert "in the container: world" in said
        driver.register(ENVIRONMENT, spec.instance_id)
    wait_for(lambda: driver.healthy_targets(ENVIRONMENT) == {spec.instance_id for spec in SPECS})
    url = driver.url(NAME)
    assert url is not None
    assert get(url) == "hello world"

    # What fails leaves the old version serving, and says why.
    for files, event, log in (
        (
            {**APPLICATION, ".platform/hooks/prebuild/x.sh": "#!/bin/sh\necho oops >&2; exit 3\n"},
            None,
            "Error: Command .platform/hooks/prebuild/x.sh failed with error exit status 3. Stderr:oops",
        ),
        (
            {**APPLICATION, "Dockerfile": "FROM debian:bookworm-slim\nRUN echo no good; exit 7\n"},
            "Instance deployment failed to build the Docker image. The deployment failed.",
            "[Docker Specific Build Application]. Stop running the command. Error: failed to build docker image",
        ),
        (
            {"server.pl": SERVER},
            "Instance deployment: Both 'Dockerfile' and 'Dockerrun.aws.json' are missing in your source bundle. "
            "Include at least one of them. The deployment failed.",
            "[StageApplication]",
        ),
    ):
        result = driver.run(SPECS[0].instance_id, command("app-deploy", bundle(tmp_path, files), "never"))
        assert (result.status, result.returncode) == ("FAILURE", 1)
        assert result.output == "Engine execution has encountered an error."
        messages = [item.message for item in result.events]
        assert messages[-1] == "Instance deployment failed. For details, see 'eb-engine.log'."
        assert messages[:-1] == ([event] if event else [])
        assert log in driver.run(SPECS[0].instance_id, command("tail-log")).output
    assert driver.probe(SPECS[0].instance_id, "/").http_status == 200
    assert get(url) == "hello world"

    # A changed property reaches the application without a new build.
    assert {result.status for result in everywhere(driver, command("config-deploy", greeting="again"))} == {"SUCCESS"}
    assert get(url) == "hello again"


def test_secrets_are_in_no_process_list_and_no_readable_file(driver: ContainerDriver, tmp_path: Path) -> None:
    secret = uuid.uuid4().hex
    looker = subprocess.Popen(
        [sys.executable, "-c", LOOK, secret], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        result = driver.run(SPECS[1].instance_id, command("app-deploy", bundle(tmp_path, APPLICATION), secret))
    finally:
        seen, _ = looker.communicate("stop\n")
    assert result.status == "SUCCESS"
    assert seen == ""
    # Mode bits tell who could read: nobody but root.
    find = (
        f"grep -rlI --exclude-dir=proc --exclude-dir=sys {secret} /etc /opt /var /tmp /run | xargs -r stat -c '%a %n'"
    )
    readable = driver.shell(SPECS[1].instance_id, find, 30.0).stdout
    outside = [line for line in readable.splitlines() if "/var/lib/containers/" not in line]
    assert [line for line in outside if not line.startswith("600 ")] == []
    assert secret not in driver.run(SPECS[1].instance_id, command("tail-log")).output


LOOK = """
import os, pathlib, select, sys
secret, seen = sys.argv[1].encode(), set()
while not select.select([sys.stdin], [], [], 0.01)[0]:
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = entry.read_bytes()
        except OSError:
            continue
        if secret in words and entry.parent.name != str(os.getpid()):
            seen.add(words)
sys.stdout.write("".join(map(repr, seen)))
"""


def test_timeout_ends_the_whole_command(driver: ContainerDriver, tmp_path: Path) -> None:
    hook = "#!/bin/bash\nset -m\nsleep 4321 &\nwait\n"
    slow = bundle(tmp_path, {**APPLICATION, ".platform/hooks/prebuild/x.sh": hook})
    began = time.monotonic()
    result = driver.run(SPECS[1].instance_id, command("app-deploy", slow, timeout=1.0))
    assert result.status == "TIMEOUT"
    assert time.monotonic() - began < 5.0
    assert driver.shell(SPECS[1].instance_id, "pgrep -f 'sleep 432[1]'", 10.0).stdout == ""
    assert driver.run(SPECS[1].instance_id, command("app-deploy", bundle(tmp_path, APPLICATION))).status == "SUCCESS"


def test_deregister_drains_and_a_deleted_balancer_refuses(driver: ContainerDriver) -> None:
    other = "e-other"
    address = driver.create_load_balancer(other, HealthCheck(healthy_threshold=2))
    driver.register(other, SPECS[0].instance_id)
    wait_for(lambda: bool(driver.healthy_targets(other)))
    assert get(f"http://{address}/").startswith("hello")
    driver.deregister(other, SPECS[0].instance_id)
    assert driver.healthy_targets(other) == frozenset()
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(f"http://{address}/")
    host, _, port = address.partition(":")
    driver.delete_load_balancer(other)
    # The HAProxy before the reload answers for some milliseconds more.
    wait_for(lambda: refused(host, int(port or 80)))


def resolve(driver: ContainerDriver) -> str:
    host, _, port = driver.name_server.partition(":")
    reply = DNSRecord.parse(DNSRecord.question(NAME).send(host, int(port), timeout=5))
    return " ".join(str(record.rdata) for record in reply.rr)


def test_a_name_moves_with_its_url(driver: ContainerDriver) -> None:
    url = driver.url(NAME)
    driver.create_load_balancer("e-empty", HealthCheck())
    before = resolve(driver)
    driver.point(NAME, "e-empty")
    assert driver.url(NAME) == url
    assert resolve(driver) not in {"", before}
    assert url is not None
    with pytest.raises(urllib.error.HTTPError, match="503"):
        get(url)
    driver.point(NAME, ENVIRONMENT)
    assert get(url).startswith("hello")
    assert resolve(driver) == before
    driver.delete_load_balancer("e-empty")
    assert driver.url("nobody.example") is None


def test_database_is_real_and_reachable_from_an_application_container(
    driver: ContainerDriver, place: tuple[Path, Path]
) -> None:
    found = driver.database("blog")
    assert driver.database("blog") == found
    assert driver.database("other")["name"] == "other"
    secret = place[0] / "database-password"
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    script = (
        "sudo docker exec `sudo docker ps -q` perl -MIO::Socket::INET -e "
        f'\'print IO::Socket::INET->new(PeerAddr => "{found["host"]}", PeerPort => {found["port"]}) ? "ok" : "no"\''
    )
    assert driver.shell(SPECS[0].instance_id, script, 10.0).stdout == "ok"


def test_a_dead_instance_says_so(driver: ContainerDriver, tmp_path: Path) -> None:
    spec = InstanceSpec(f"i-{3:017x}", "e-dead", "blog-2", "blog", "us-east-1", "al2", ACCOUNT)
    driver.launch(spec)
    assert driver.launch(spec) == driver.launch(spec)
    subprocess.run(
        ["podman", "kill", driver.instances.container_name(spec.instance_id)], check=True, capture_output=True
    )
    assert not driver.probe(spec.instance_id, "/").running
    assert driver.run(spec.instance_id, command("app-deploy", bundle(tmp_path, APPLICATION))).status == "TIMEOUT"
    driver.terminate(spec.instance_id)
    driver.terminate(spec.instance_id)


def test_legacy_platform_runs_an_unmodified_hook_and_keeps_leftovers(driver: ContainerDriver, tmp_path: Path) -> None:
    spec = InstanceSpec(f"i-{4:017x}", "e-legacy", "blog-2", "blog", "us-east-1", "al1", ACCOUNT)
    address = driver.launch(spec).private_ip
    path = "/opt/elasticbeanstalk/hooks/appdeploy/post/99_task.sh"
    config = (
        f"files:\n  {path}:\n    mode: '000755'\n    content: |\n      #!/bin/bash\n"
        "      sudo docker exec `sudo docker ps -q` perl -e 'print \"greeting $ENV{GREETING}\\n\"' >> /tmp/ran\n"
    )
    files = {**APPLICATION, ".ebextensions/task.config": config}
    for _ in range(2):
        result = driver.run(spec.instance_id, command("app-deploy", bundle(tmp_path, files)))
        assert result.status == "SUCCESS", result
    assert get(f"http://{address}/") == "hello world"
    # Once for the first deployment, twice for the second: the .bak of the first one's hook is a hook as well.
    ran = driver.shell(spec.instance_id, f"cat /tmp/ran; ls {path}.bak", 10.0).stdout
    assert ran.splitlines() == ["greeting world"] * 3 + [f"{path}.bak"]
    driver.terminate(spec.instance_id)


def test_compose_project_publishes_its_own_port(driver: ContainerDriver, tmp_path: Path) -> None:
    spec = InstanceSpec(f"i-{5:017x}", "e-compose", "blog-3", "blog", "us-east-1", "al2", ACCOUNT)
    address = driver.launch(spec).private_ip
    compose = (
        "version: '2.4'\nservices:\n  web:\n    build: .\n    env_file: .env\n    ports: ['80:8000']\n"
        "    volumes: ['./shared:/shared']\n"
    )
    files = {**APPLICATION, "docker-compose.yml": compose, "shared/file": "from the bundle"}
    result = driver.run(spec.instance_id, command("app-deploy", bundle(tmp_path, files)))
    assert result.status == "SUCCESS", driver.run(spec.instance_id, command("tail-log")).output
    wait_for(lambda: driver.probe(spec.instance_id, "/").http_status == 200)
    assert get(f"http://{address}/") == "hello world"
    assert (
        driver.shell(spec.instance_id, "docker exec current_web_1 cat /shared/file", 10.0).stdout == "from the bundle"
    )
    # Back to a single container: nginx gets port 80 again.
    result = driver.run(spec.instance_id, command("app-deploy", bundle(tmp_path, APPLICATION), "single"))
    assert result.status == "SUCCESS", driver.run(spec.instance_id, command("tail-log")).output
    assert get(f"http://{address}/") == "hello single"
    driver.terminate(spec.instance_id)


KILLED = """
import os, signal, sys
from pathlib import Path
from localstalk.driver import HealthCheck, InstanceSpec
from localstalk.drivers.container import ContainerDriver
driver = ContainerDriver(Path(sys.argv[1]), Path(sys.argv[2]), 20.0)
driver.launch(InstanceSpec("i-00000000000000009", "e-x", "x", "x", "us-east-1", "al2023", "123456789012"))
driver.create_load_balancer("e-x", HealthCheck())
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_daemon_is_cleaned_up_and_only_that_one(
    driver: ContainerDriver, tmp_path: Path, place: tuple[Path, Path]
) -> None:
    home, runtime = tmp_path / "killed", place[1].with_name(f"test-killed-{os.getpid()}")
    done = subprocess.run([sys.executable, "-c", KILLED, str(home), str(runtime)], check=False, capture_output=True)
    assert done.returncode == -9, done.stderr
    assert leftovers(home, runtime) != []
    clean(home, runtime)
    assert leftovers(home, runtime) == []
    clean(home, runtime)
    runtime.rmdir()
    # The other daemon has not noticed.
    url = driver.url(NAME)
    assert url is not None
    assert get(url).startswith("hello")
