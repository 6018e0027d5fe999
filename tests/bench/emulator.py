# SPDX-License-Identifier: GPL-3.0-or-later
"""localstalk itself: start, and what a call costs with 1,000 environments present (simulated instances)."""

from __future__ import annotations

import http.client
import io
import statistics
import time
import zipfile
from pathlib import Path
from urllib.parse import urlencode

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from bench.daemon import Localstalk
from bench.figures import Figure, figure

PROFILE = {
    "Namespace": "aws:autoscaling:launchconfiguration",
    "OptionName": "IamInstanceProfile",
    "Value": "aws-elasticbeanstalk-ec2-role",
}
_LAUNCH_LIMIT_S = 300.0
_GROWTH_CALLS = 20_000
_WARM_CALLS = 2_000


def measure(folder: Path, quick: bool) -> list[Figure]:
    """Starts of fresh daemons, then one daemon with many environments."""
    runs = 1 if quick else 5
    starts = []
    for number in range(runs):
        localstalk = Localstalk(folder / f"start{number}", 20)
        starts.append(localstalk.up())
        localstalk.down()
    localstalk = Localstalk(folder / "many", 20)
    localstalk.up()
    try:
        return [figure("localstalk_start_s", starts, "s", 2.0), *_many(localstalk, 20 if quick else 1000, runs)]
    finally:
        localstalk.down()


def measure_growth(folder: Path, quick: bool) -> list[Figure]:
    """What 20,000 calls add to the memory of a daemon with 5,000 environments."""
    count, calls, warm = (20, 200, 100) if quick else (5000, _GROWTH_CALLS, _WARM_CALLS)
    localstalk = Localstalk(folder, 20)
    localstalk.up()
    try:
        launched, _kib = launch(localstalk, count, limit=4 * _LAUNCH_LIMIT_S)
        names = [f"bench-{index % count:04d}" for index in range(calls)]
        # The first calls make Python and moto fill their caches.
        _timed(localstalk, names[:warm])
        before = localstalk.resident_kib()
        times = _timed(localstalk, names)
        after = localstalk.resident_kib()
    finally:
        localstalk.down()
    return [
        figure("localstalk_growth_environments", [count], "environments"),
        figure("localstalk_growth_launch_s", [launched], "s"),
        figure("localstalk_growth_calls", [calls], "calls"),
        figure("localstalk_growth_p99_ms", [_percentile(times, 99)], "ms"),
        figure("localstalk_growth_memory_mib", [after / 1024], "MiB"),
        figure("localstalk_growth_kib", [after - before], "KiB", 4096),
    ]


def _many(localstalk: Localstalk, count: int, runs: int) -> list[Figure]:
    launched, kib = launch(localstalk, count)
    singles = [
        _timed(localstalk, [f"bench-{index % count:04d}" for index in range(max(100, count))]) for _ in range(runs)
    ]
    alls = [statistics.median(_timed(localstalk, [""] * 3, count)) for _ in range(runs)]
    return [
        figure("localstalk_p99_ms", [_percentile(times, 99) for times in singles], "ms", 20),
        figure("localstalk_p50_ms", [_percentile(times, 50) for times in singles], "ms"),
        figure("localstalk_describe_all_ms", alls, "ms", 500),
        figure("localstalk_environments", [count], "environments"),
        figure("localstalk_memory_per_environment_kib", [kib], "KiB"),
        figure("localstalk_launch_all_s", [launched], "s"),
    ]


def bundle_bytes() -> bytes:
    """The smallest source bundle that a Docker environment takes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("Dockerfile", "FROM scratch\nEXPOSE 8000\n")
    return content.getvalue()


def launch(
    localstalk: Localstalk, count: int, *settings: dict[str, str], limit: float = _LAUNCH_LIMIT_S
) -> tuple[float, float]:
    """Launch environments with these settings; seconds (at most ``limit``) until all are Ready, and KiB for each."""
    client, s3 = localstalk.client("elasticbeanstalk"), localstalk.client("s3")
    stack = next(name for name in client.list_available_solution_stacks()["SolutionStacks"] if "2023" in name)
    bucket = client.create_storage_location()["S3Bucket"]
    s3.put_object(Bucket=bucket, Key="bench/1.zip", Body=bundle_bytes())
    client.create_application(ApplicationName="bench")
    client.create_application_version(
        ApplicationName="bench", VersionLabel="1", SourceBundle={"S3Bucket": bucket, "S3Key": "bench/1.zip"}
    )

    def create(number: int) -> None:
        name = f"bench-{number:04d}"
        client.create_environment(
            ApplicationName="bench",
            EnvironmentName=name,
            CNAMEPrefix=name,
            VersionLabel="1",
            SolutionStackName=stack,
            OptionSettings=[PROFILE, *settings],
        )

    # The first one makes the daemon import what all need.
    create(0)
    _wait_ready(localstalk, 1, limit)
    before = localstalk.resident_kib()
    started = time.perf_counter()
    for number in range(1, count):
        create(number)
    _wait_ready(localstalk, count, limit)
    return time.perf_counter() - started, (localstalk.resident_kib() - before) / (count - 1)


def _wait_ready(localstalk: Localstalk, count: int, limit: float) -> None:
    deadline = time.perf_counter() + limit
    states: list[str] = []
    while time.perf_counter() < deadline:
        states = [item["status"] for item in localstalk.ask("environments")]
        if states.count("Ready") == count:
            return
        time.sleep(0.5)
    raise RuntimeError(f"not all of {count} environments became Ready: {sorted(set(states))}")


def _timed(localstalk: Localstalk, names: list[str], found: int = 1) -> list[float]:
    """Milliseconds of DescribeEnvironments, one after the other on one connection; "" asks for all."""
    host = localstalk.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=60)
    times = []
    for name in names:
        form = {"Action": "DescribeEnvironments", "Version": "2010-12-01", "IncludeDeleted": "false"}
        if name:
            form["EnvironmentNames.member.1"] = name
        body = urlencode(form)
        headers = _signed(localstalk, body)
        started = time.perf_counter()
        connection.request("POST", "/", body, headers)
        answer = connection.getresponse()
        content = answer.read()
        times.append((time.perf_counter() - started) * 1000)
        if answer.status != 200 or name.encode() not in content or content.count(b"<EnvironmentId>") != found:
            raise RuntimeError(f"DescribeEnvironments answered {answer.status}: {content[:300]!r}")
    connection.close()
    return times


def _signed(localstalk: Localstalk, body: str) -> dict[str, str]:
    """Headers of a call, signed by the client: not the service's time."""
    request = AWSRequest("POST", f"{localstalk.url}/", {"Content-Type": "application/x-www-form-urlencoded"}, body)
    key = Credentials(localstalk.variables["AWS_ACCESS_KEY_ID"], localstalk.variables["AWS_SECRET_ACCESS_KEY"])
    SigV4Auth(key, "elasticbeanstalk", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def _percentile(times: list[float], percent: int) -> float:
    return statistics.quantiles(times, n=100, method="inclusive")[percent - 1]
