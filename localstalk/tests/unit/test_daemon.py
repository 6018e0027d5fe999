# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon as a process: up, down, env, status, and what happens when it is killed. All with the sim driver."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError
from botocore.exceptions import ConnectionClosedError as BotoConnectionClosedError

from localstalk.home import Home, Record


def cli(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localstalk", "--home", str(home), *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=os.environ | {"XDG_RUNTIME_DIR": str(home.parent / "run")},
    )


def ask(url: str, record: Record | None = None) -> str:
    """What a GET answers, with the keys of a daemon as user name and password."""
    keys = f"{record.access_key}:{record.secret_key}" if record else ""
    headers = {"Authorization": f"Basic {base64.b64encode(keys.encode()).decode()}"} if keys else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(urllib.request.Request(url, headers=headers)) as answer:  # noqa: S310 - our own
        text: str = answer.read().decode()
        return text


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        stat = Path(f"/proc/{pid}/stat")
        # A killed child of nobody in particular may stay a zombie where no init reaps it.
        if not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z":
            return True
        time.sleep(0.02)
    return False


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    folder = tmp_path / "home"
    yield folder
    cli(folder, "down")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A daemon that no test changes."""
    folder = tmp_path_factory.mktemp("running") / "home"
    started = cli(folder, "up", "--driver", "sim", "--speed", "40", "--quota", "Environment=2")
    assert started.returncode == 0, started.stderr
    yield folder
    cli(folder, "down")


def test_up_is_idempotent_and_down_leaves_nothing(home: Path) -> None:
    first = cli(home, "up", "--driver", "sim")
    assert (first.returncode, first.stderr) == (0, "")
    record = Home(home).running()
    assert record is not None
    assert first.stdout == f"localstalk is running at {record.url} (driver sim, pid {record.pid}).\n"
    assert cli(home, "up").stdout == (
        f"localstalk is already running at {record.url} (driver sim, pid {record.pid}).\n"
    )
    health = json.loads(ask(f"{record.url}/_localstalk/health", record))
    assert (health["pid"], health["home"], health["driver"], health["speed"]) == (record.pid, str(home), "sim", 20.0)
    assert cli(home, "down").stdout == "localstalk was stopped.\n"
    assert gone(record.pid)
    assert cli(home, "down").stdout == "localstalk is not running.\n"
    assert not (home / "daemon.json").exists()


def test_env_status_and_url(home: Path) -> None:
    assert cli(home, "status").returncode == 3
    missing = cli(home, "env")
    assert (missing.returncode, missing.stderr) == (
        1,
        "localstalk: it is not running; start it with: localstalk up\n",
    )
    cli(home, "up", "--driver", "sim")
    variables = json.loads(cli(home, "env", "--format", "json").stdout)
    assert set(variables) == {
        "AWS_ENDPOINT_URL",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
    }
    assert f"export AWS_ENDPOINT_URL={variables['AWS_ENDPOINT_URL']}" in cli(home, "env").stdout
    assert cli(home, "status").stdout.startswith(f"localstalk is running at {variables['AWS_ENDPOINT_URL']} ")
    unknown = cli(home, "url", "shop")
    assert (unknown.returncode, unknown.stderr) == (1, "localstalk: No environment holds the name shop.\n")
    assert cli(home, "database", "blog").stderr == (
        "localstalk: The sim driver has no database; start localstalk with the container driver.\n"
    )


def test_a_killed_daemon_is_noticed(home: Path) -> None:
    cli(home, "up", "--driver", "sim")
    record = Home(home).record()
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    assert gone(record.pid)
    assert cli(home, "status").returncode == 3
    again = cli(home, "up", "--driver", "sim")
    assert again.stdout.splitlines()[0] == (
        "The last localstalk here did not stop properly; what it left behind was removed."
    )
    record = Home(home).record()
    assert record is not None
    os.kill(record.pid, signal.SIGKILL)
    assert gone(record.pid)
    assert cli(home, "down").stdout == "localstalk was not running; what it left behind was removed.\n"


def test_a_stale_record_never_kills_a_stranger(home: Path) -> None:
    home.mkdir()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        record = {"pid": stranger.pid, "port": 1, "driver": "sim", "speed": 20.0}
        (home / "daemon.json").write_text(json.dumps(record))
        assert cli(home, "down").returncode == 0
        assert stranger.poll() is None
        stranger.kill()


NOBODY = 65534


def as_ordinary_user(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user without rights, with an interpreter that such a user may run."""
    user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for interpreter in (sys.executable, "/usr/bin/python3"):
        try:
            probe = subprocess.run([interpreter, "-c", "import localstalk.cli"], check=False, env=environ, **user)  # type: ignore[call-overload]
        except OSError:
            continue
        if probe.returncode == 0:
            command = [interpreter, "-m", "localstalk", "--home", str(folder / "home"), *arguments]
            done: subprocess.CompletedProcess[str] = subprocess.run(
                command, capture_output=True, text=True, timeout=120, check=False, env=environ, cwd="/", **user
            )  # type: ignore[call-overload]
            return done
    pytest.skip("no interpreter here that an ordinary user may run")


def test_an_ordinary_user_is_told_what_is_missing_and_may_simulate() -> None:
    with tempfile.TemporaryDirectory(prefix="localstalk-") as name:
        folder = Path(name)
        if os.geteuid() == 0:
            os.chown(folder, NOBODY, NOBODY)
        refused = as_ordinary_user(folder, "up")
        assert (refused.returncode, refused.stdout) == (1, "")
        assert re.fullmatch(
            r"localstalk: The container driver needs (root|programs that are missing).*\n", refused.stderr
        )
        elsewhere = as_ordinary_user(folder, "--home", "/proc/localstalk", "up", "--driver", "sim")
        assert (elsewhere.returncode, elsewhere.stderr.count("\n")) == (1, 1)
        assert elsewhere.stderr.startswith("localstalk: cannot write /proc/localstalk: ")
        try:
            started = as_ordinary_user(folder, "up", "--driver", "auto")
            assert (started.returncode, started.stderr) == (0, "")
            said, running = started.stdout.splitlines()
            assert said.startswith("Containers cannot run here (The container driver needs ")
            assert running.startswith("localstalk is running at http://127.0.0.1:")
        finally:
            stopped = as_ordinary_user(folder, "down")
        assert stopped.stdout == "localstalk was stopped.\n"


def test_two_daemons_side_by_side(home: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    cli(home, "up", "--driver", "sim")
    try:
        cli(other, "up", "--driver", "sim")
        first, second = Home(home).running(), Home(other).running()
        assert first is not None
        assert second is not None
        assert first.port != second.port
        cli(other, "down")
        assert json.loads(ask(f"{first.url}/_localstalk/health", first))["pid"] == first.pid
    finally:
        cli(other, "down")


def test_two_ups_at_once_start_one_daemon(home: Path) -> None:
    results: list[subprocess.CompletedProcess[str]] = []
    threads = [threading.Thread(target=lambda: results.append(cli(home, "up", "--driver", "sim"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [result.returncode for result in results] == [0, 0]
    assert sum("already running" in result.stdout for result in results) == 1


def test_a_taken_port_is_one_sentence(home: Path) -> None:
    cli(home, "up", "--driver", "sim")
    record = Home(home).running()
    assert record is not None
    other = home.parent / "other"
    result = cli(other, "up", "--driver", "sim", "--port", str(record.port))
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert "Address already in use" in result.stderr


@pytest.mark.parametrize(
    ("wanted", "runs"),
    [
        (["--driver", "container"], "with the sim driver"),
        (["--speed", "30"], "at speed 40"),
        (["--iam"], "without --iam"),
        (["--no-auth"], "without --no-auth"),
        (["--quota", "Environment=3"], "with --quota Environment=2"),
        (["--quota", "Application=9"], "with --quota Application=75"),
        (["--speed", "20", "--quota", "Environment=200"], "at speed 40, with --quota Environment=2"),
    ],
)
def test_what_a_running_daemon_is_not_is_refused(running: Path, wanted: list[str], runs: str) -> None:
    result = cli(running, "up", *wanted)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"localstalk: it already runs {runs}; stop it first with: localstalk down\n"


@pytest.mark.parametrize(
    "wanted", [[], ["--driver", "auto"], ["--driver", "sim", "--speed", "40", "--quota", "Environment=2"]]
)
def test_what_it_is_may_be_asked_for_again(running: Path, wanted: list[str]) -> None:
    result = cli(running, "up", *wanted)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith("localstalk is already running at ")


def test_admin_pages_that_do_not_exist(home: Path) -> None:
    cli(home, "up", "--driver", "sim")
    record = Home(home).running()
    assert record is not None
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(f"{record.url}/_localstalk/nothing", record)
    with caught.value as error:
        assert (error.code, error.read().decode()) == (404, "There is no GET /_localstalk/nothing here.\n")


def test_the_sim_driver_has_no_dns(home: Path) -> None:
    cli(home, "up", "--driver", "sim")
    record = Home(home).running()
    assert record is not None
    with pytest.raises(urllib.error.HTTPError) as caught:
        ask(f"{record.url}/_localstalk/dns", record)
    with caught.value as error:
        assert (error.code, error.read().decode()) == (404, "The sim driver has no DNS.\n")
    assert "LOCALSTALK_DNS" not in cli(home, "env").stdout


def test_faults_from_the_command_line(home: Path) -> None:
    cli(home, "up", "--driver", "sim")
    added = json.loads(cli(home, "fault", "add", "throttle", "rate=2", "burst=15").stdout)
    assert (added["kind"], added["rate"], added["burst"]) == ("throttle", 2.0, 15.0)
    assert json.loads(cli(home, "fault", "list").stdout) == added
    wrong = cli(home, "fault", "add", "throttle", "rate=fast", "burst=1")
    assert (wrong.returncode, wrong.stderr) == (1, "localstalk: rate must be a number from 0 to 1e+06.\n")
    unknown = cli(home, "fault", "clear", "9")
    assert (unknown.returncode, unknown.stderr) == (1, "localstalk: There is no fault 9.\n")
    assert cli(home, "fault", "clear", added["id"]).returncode == 0
    assert cli(home, "fault", "list").stdout == ""


def test_a_restart_breaks_connections_and_keeps_the_state(home: Path) -> None:
    cli(home, "up", "--driver", "sim", "--speed", "1000")
    record = Home(home).running()
    assert record is not None
    eb = client(home, "elasticbeanstalk")
    eb.create_application(ApplicationName="shop")
    added = cli(home, "fault", "add", "restart", "seconds=600")
    assert (added.returncode, json.loads(added.stdout)["hits"]) == (0, 1)
    # An open connection was cut, and none is accepted.
    with pytest.raises((EndpointConnectionError, BotoConnectionClosedError)):
        eb.describe_applications()
    with pytest.raises(EndpointConnectionError):
        client(home, "elasticbeanstalk").describe_applications()
    assert Home(home).running() == record
    # It stops at once, also while it is away.
    assert cli(home, "down").stdout == "localstalk was stopped.\n"
    assert gone(record.pid)
    cli(home, "up", "--driver", "sim", "--port", str(record.port))
    eb = client(home, "elasticbeanstalk")
    assert eb.describe_applications()["Applications"] == []
    eb.create_application(ApplicationName="shop")
    cli(home, "fault", "add", "restart", "seconds=0.2")
    patient = client(home, "elasticbeanstalk", attempts=10)
    assert [each["ApplicationName"] for each in patient.describe_applications()["Applications"]] == ["shop"]
    assert cli(home, "fault", "list").stdout == ""


def client(home: Path, service: str, key: str = "", secret: str = "", attempts: int = 1) -> Any:
    """A client with these keys, or the daemon's own."""
    record = Home(home).running()
    assert record is not None
    return boto3.session.Session().client(
        service,
        endpoint_url=record.url,
        region_name="us-east-1",
        aws_access_key_id=key or record.access_key,
        aws_secret_access_key=secret or record.secret_key,
        config=Config(retries={"total_max_attempts": attempts}),
    )


def refusal(call: Any, **arguments: object) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    return caught.value.response["Error"]["Code"], caught.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_quotas_of_the_command_line(home: Path) -> None:
    wrong = cli(home, "up", "--driver", "sim", "--quota", "Applications=1")
    assert wrong.returncode == 2
    assert "Applications is not a quota; there are Application, ApplicationVersion" in wrong.stderr
    cli(home, "up", "--driver", "sim", "--quota", "Application=1", "--quota", "CustomPlatform=0")
    eb = client(home, "elasticbeanstalk")
    assert eb.describe_account_attributes()["ResourceQuotas"]["ApplicationQuota"] == {"Maximum": 1}
    eb.create_application(ApplicationName="one")
    assert refusal(eb.create_application, ApplicationName="two") == ("TooManyApplicationsException", 400)
    bundle = {"S3Bucket": "b", "S3Key": "k"}
    platform = {"PlatformName": "p", "PlatformVersion": "1.0.0", "PlatformDefinitionBundle": bundle}
    assert refusal(eb.create_platform_version, **platform) == ("TooManyPlatformsException", 400)


def test_iam_is_enforced_on_request(home: Path) -> None:
    cli(home, "up", "--driver", "sim", "--iam")
    client(home, "elasticbeanstalk").create_application(ApplicationName="shop")
    iam = client(home, "iam")
    iam.create_user(UserName="reader")
    reading = {"Effect": "Allow", "Action": ["elasticbeanstalk:Describe*", "s3:Get*"], "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [reading]}
    iam.put_user_policy(UserName="reader", PolicyName="reading", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    who = (key["AccessKeyId"], key["SecretAccessKey"])
    eb = client(home, "elasticbeanstalk", *who)
    assert [each["ApplicationName"] for each in eb.describe_applications()["Applications"]] == ["shop"]
    assert refusal(eb.create_application, ApplicationName="two") == ("AccessDenied", 403)
    assert refusal(client(home, "s3", *who).create_bucket, Bucket="mine") == ("AccessDenied", 403)
    assert refusal(client(home, "ec2", *who).describe_instances)[1] == 403
    stranger = client(home, "elasticbeanstalk", "AKIAIOSFODNN7EXAMPLE", "nothing")
    assert refusal(stranger.describe_applications) == ("InvalidClientTokenId", 403)
    liar = client(home, "elasticbeanstalk", key["AccessKeyId"], "wrong")
    assert refusal(liar.describe_applications) == ("SignatureDoesNotMatch", 403)


def test_log_links_work_with_iam(home: Path) -> None:
    cli(home, "up", "--driver", "sim", "--iam")
    s3 = client(home, "s3")
    s3.create_bucket(Bucket="logs")
    s3.put_object(Bucket="logs", Key="tail.txt", Body=b"a line")
    where = {"Bucket": "logs", "Key": "tail.txt"}
    link = s3.generate_presigned_url("get_object", Params=where)
    assert ask(link) == "a line"
    plain = link.partition("?")[0]
    later = int(time.time()) + 600
    for forged in (plain, f"{plain}?Signature=x", f"{plain}?AWSAccessKeyId=localstalk&Expires={later}&Signature=x"):
        for method in ("GET", "PUT"):
            assert status_of(forged, method) == 403
    assert ask(link) == "a line"


def status_of(url: str, method: str = "GET") -> int:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    body = b"forged" if method == "PUT" else None
    try:
        with opener.open(urllib.request.Request(url, body, method=method)) as answer:  # noqa: S310 - our own
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return int(error.code)


@pytest.mark.parametrize("version", [None, "s3v4"], ids=["boto3s-default", "s3v4"])
def test_a_link_may_do_what_its_signer_may(home: Path, version: str | None) -> None:
    cli(home, "up", "--driver", "sim", "--iam")
    iam, s3 = client(home, "iam"), client(home, "s3")
    s3.create_bucket(Bucket="shop")
    for key in ("mine", "theirs"):
        s3.put_object(Bucket="shop", Key=key, Body=key.encode())
    iam.create_user(UserName="reader")
    reading = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::shop/mine"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [reading]})
    iam.put_user_policy(UserName="reader", PolicyName="reading", PolicyDocument=policy)
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    role = iam.create_role(
        RoleName="reader", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )["Role"]["Arn"]
    iam.put_role_policy(RoleName="reader", PolicyName="reading", PolicyDocument=policy)
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    session = client(home, "sts").assume_role(RoleArn=role, RoleSessionName="one")["Credentials"]
    for who in (key, session):
        signer = boto3.session.Session().client(
            "s3",
            endpoint_url=s3.meta.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=who["AccessKeyId"],
            aws_secret_access_key=who["SecretAccessKey"],
            aws_session_token=who.get("SessionToken"),
            config=Config(signature_version=version),
        )

        def link(operation: str, key: str) -> str:
            return str(signer.generate_presigned_url(operation, Params={"Bucket": "shop", "Key": key}))  # noqa: B023

        assert status_of(link("get_object", "mine")) == 200
        assert status_of(link("get_object", "theirs")) == 403
        assert status_of(link("put_object", "mine"), "PUT") == 403


def test_instances_may_what_the_web_tier_may(home: Path) -> None:
    """The managed policy AWSElasticBeanstalkWebTier: read, list and write Elastic Beanstalk's bucket, nothing else."""
    cli(home, "up", "--driver", "sim", "--iam")
    s3 = client(home, "s3")
    own = str(client(home, "elasticbeanstalk").create_storage_location()["S3Bucket"])
    s3.create_bucket(Bucket="shop")
    iam, name = client(home, "iam"), "aws-elasticbeanstalk-ec2-role"
    role = iam.get_role(RoleName=name)["Role"]["Arn"]
    # EC2 alone may assume it; the test stands in for it.
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}
    iam.update_assume_role_policy(
        RoleName=name, PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    )
    session = client(home, "sts").assume_role(RoleArn=role, RoleSessionName="i-1")["Credentials"]
    instance = boto3.session.Session().client(
        "s3",
        endpoint_url=s3.meta.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=session["AccessKeyId"],
        aws_secret_access_key=session["SecretAccessKey"],
        aws_session_token=session["SessionToken"],
    )
    instance.put_object(Bucket=own, Key="jack.beanstalk/locks/shop.json", Body=b"{}")
    assert instance.list_objects_v2(Bucket=own)["KeyCount"] == 1
    for call in (
        lambda: instance.put_object(Bucket="shop", Key="a", Body=b""),
        lambda: instance.delete_object(Bucket=own, Key="jack.beanstalk/locks/shop.json"),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


def test_no_auth_is_said_at_start_and_takes_every_request(home: Path) -> None:
    both = cli(home, "up", "--driver", "sim", "--iam", "--no-auth")
    assert (both.returncode, both.stderr) == (
        1,
        "localstalk: --iam has to know who calls, so it cannot go with --no-auth\n",
    )
    said = "It takes every request (--no-auth): all users of this machine can use it."
    assert cli(home, "up", "--driver", "sim", "--no-auth").stdout.splitlines()[1:] == [said]
    assert cli(home, "up").stdout.splitlines()[1:] == [said]
    client(home, "elasticbeanstalk", "x", "y").create_application(ApplicationName="shop")
    assert json.loads(ask(f"{client(home, 's3').meta.endpoint_url}/_localstalk/faults")) == []


ARN = "arn:aws:elasticbeanstalk:us-east-1:123456789012"
PERMISSIONS = "/_localstalk/permissions"


def test_iam_takes_resources_of_what_writes(home: Path) -> None:
    cli(home, "up", "--driver", "sim", "--iam")
    client(home, "elasticbeanstalk").create_application(ApplicationName="other")
    iam = client(home, "iam")
    iam.create_user(UserName="owner")
    actions = [f"elasticbeanstalk:{name}" for name in ("CreateApplication", "UpdateApplication", "AddTags")]
    mine = {"Effect": "Allow", "Action": actions, "Resource": f"{ARN}:application/shop"}
    policy = {"Version": "2012-10-17", "Statement": [mine]}
    iam.put_user_policy(UserName="owner", PolicyName="mine", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="owner")["AccessKey"]
    eb = client(home, "elasticbeanstalk", key["AccessKeyId"], key["SecretAccessKey"])
    tag = {"Key": "team", "Value": "web"}
    eb.create_application(ApplicationName="shop", Tags=[tag])
    shop = f"{ARN}:application/shop"
    eb.update_tags_for_resource(ResourceArn=shop, TagsToAdd=[tag])
    assert refusal(eb.update_tags_for_resource, ResourceArn=shop, TagsToRemove=["team"]) == ("AccessDenied", 403)
    assert refusal(eb.update_application, ApplicationName="other", Description="x") == ("AccessDenied", 403)
    assert refusal(eb.describe_applications) == ("AccessDenied", 403)
    record = Home(home).running()
    assert record is not None
    told = json.loads(ask(record.url + PERMISSIONS, record))
    assert told["arn:aws:iam::123456789012:user/owner"] == {
        "elasticbeanstalk:CreateApplication": [shop],
        "elasticbeanstalk:AddTags": [shop],
        "elasticbeanstalk:RemoveTags": [shop],
        "elasticbeanstalk:UpdateApplication": [f"{ARN}:application/other"],
        "elasticbeanstalk:DescribeApplications": ["*"],
    }


def test_iam_takes_instances_and_document_of_a_command(home: Path) -> None:
    cli(home, "up", "--driver", "sim", "--iam")
    iam = client(home, "iam")
    iam.create_user(UserName="operator")
    instances = "arn:aws:ec2:us-east-1:123456789012:instance/i-mine*"
    document = "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"
    allowed = {"Effect": "Allow", "Action": "ssm:SendCommand", "Resource": [instances, document]}
    policy = {"Version": "2012-10-17", "Statement": [allowed]}
    iam.put_user_policy(UserName="operator", PolicyName="mine", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    ssm = client(home, "ssm", key["AccessKeyId"], key["SecretAccessKey"])
    command = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["true"]}}
    assert refusal(ssm.send_command, InstanceIds=["i-theirs"], **command)[0].startswith("AccessDenied")
    assert refusal(ssm.send_command, InstanceIds=["i-mine1"], **command)[0] == "InvalidInstanceId"
