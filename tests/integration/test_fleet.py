# SPDX-License-Identifier: GPL-3.0-or-later
"""Many environments in one run, with simulated instances: waves, a canary, failures, going on, accounts and regions."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from .conftest import BIN, Localstalk, Project, Run, export, wait_until
from .minimal import DOCKERFILE, MODERN, options

COUNT = 6
NAMES = [f"shop-{number}" for number in range(COUNT)]
WAVES = {"eb_fleet_waves": [1, 2, "50%"]}
_SLOW_SECONDS = 10
_QUICK = {
    "poll_interval": 0.5,
    "bake_time": 1,
    "request_settle_time": 20,
    "max_decision_age": 15,
    "dns_ttl": 1,
    "dns_margin": 1,
    "drain_timeout": 5,
}


@dataclass
class Fleet:
    """Six environments of one application, and the inventory that names them."""

    project: Project
    folder: Path

    @property
    def localstalk(self) -> Localstalk:
        return self.project.localstalk

    def connection(self) -> dict[str, str]:
        aws = self.localstalk.aws()
        return {
            "endpoint_url": aws["AWS_ENDPOINT_URL"],
            "access_key": aws["AWS_ACCESS_KEY_ID"],
            "secret_key": aws["AWS_SECRET_ACCESS_KEY"],
        }

    def change(self, text: str) -> None:
        """Change the application."""
        (self.folder / "page.txt").write_text(text)

    def play(self, playbook: str, *args: str, hosts: dict[str, dict[str, Any]] | None = None, **values: Any) -> Run:
        """Run a playbook; ``values`` are variables of all hosts, ``hosts`` those of each."""
        return self.project.play(playbook, *self.options(hosts, values), *args)

    def options(self, hosts: dict[str, dict[str, Any]] | None, values: dict[str, Any]) -> list[str]:
        """Write the inventory; the options of ansible-playbook that go with it."""
        common = {
            "ansible_connection": "local",
            "eb_application": "shop",
            "eb_cname_prefix": "{{ inventory_hostname }}",
            "eb_region": "us-east-1",
            "eb_platform": MODERN,
            "eb_source": {"path": str(self.folder), "from": "work_tree"},
            "eb_hooks_prefix": "tiny",
            "eb_aws": self.connection(),
            "eb_option_settings": options(1),
            "eb_poll_interval": 1,
            "eb_wait_timeout": 300,
        }
        inventory = self.folder.parent / "fleet.json"
        inventory.write_text(
            json.dumps({"all": {"vars": common | values, "hosts": hosts or {name: {} for name in NAMES}}})
        )
        return ["-i", str(inventory), "--forks", str(COUNT)]

    def live(self, field: str) -> dict[str, Any]:
        """What Elastic Beanstalk says of each live environment, by its CNAME's first part."""
        found = self.localstalk.client("elasticbeanstalk").describe_environments(
            ApplicationName="shop", IncludeDeleted=False
        )
        return {item["CNAME"].partition(".")[0]: item[field] for item in found["Environments"]}

    def labels(self) -> dict[str, str]:
        return self.live("VersionLabel")

    def properties(self, environment: str) -> dict[str, str]:
        """Environment properties, by name."""
        found = self.localstalk.client("elasticbeanstalk").describe_configuration_settings(
            ApplicationName="shop", EnvironmentName=environment
        )["ConfigurationSettings"][0]["OptionSettings"]
        mine = [one for one in found if one["Namespace"] == "aws:elasticbeanstalk:application:environment"]
        return {one["OptionName"]: one.get("Value", "") for one in mine}

    def now(self) -> datetime:
        """The service's clock."""
        answer = self.localstalk.client("elasticbeanstalk").describe_applications()
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def calls(self) -> Counter[str]:
        return Counter(json.loads(self.localstalk.get("/_localstalk/calls")))

    def leases(self) -> dict[str, dict[str, Any]]:
        """The locks, as the lock objects in S3 say."""
        s3 = self.localstalk.client("s3")
        bucket = self.localstalk.client("elasticbeanstalk").create_storage_location()["S3Bucket"]
        found = s3.list_objects_v2(Bucket=bucket, Prefix="jack.beanstalk/locks/").get("Contents", [])
        bodies = [json.loads(s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read()) for item in found]
        return {name: lease for body in bodies for name, lease in body["leases"].items()}

    def holders(self) -> dict[str, str]:
        """Who holds which lock."""
        return {name: lease["owner"] for name, lease in self.leases().items()}

    def slow_updates(self) -> None:
        """Let every update take so long to begin that all hosts of a wave have come to it meanwhile."""
        added = self.localstalk.cli(
            "fault", "add", "latency", "operations=UpdateEnvironment", f"seconds={_SLOW_SECONDS}"
        )
        assert added.returncode == 0, added.stderr

    def fail(self, name: str) -> None:
        """Let every deployment to an environment fail, until the faults are cleared."""
        environment = self.live("EnvironmentName")[name]
        added = self.localstalk.cli("fault", "add", "command", f"environment={environment}", "outcome=FAILURE")
        assert added.returncode == 0, added.stderr

    def heal(self) -> None:
        assert self.localstalk.cli("fault", "clear").returncode == 0


def hosts_of(run: Run, result: str) -> set[str]:
    """Hosts whose count of a result in the recap is not zero."""
    recap = run.output.rpartition("PLAY RECAP")[2]
    return set(re.findall(rf"^(\S+) +:.*\b{result}=[1-9]", recap, re.MULTILINE))


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    root = tmp_path_factory.mktemp("checkout")
    export(root)
    localstalk = Localstalk(tmp_path_factory.mktemp("home") / "localstalk")
    localstalk.env["XDG_RUNTIME_DIR"] = str(tmp_path_factory.mktemp("run"))
    up = localstalk.cli("up", "--driver", "sim", "--speed", "100")
    assert up.returncode == 0, up.stderr
    folder = tmp_path_factory.mktemp("source") / "shop"
    folder.mkdir()
    (folder / "Dockerfile").write_text(DOCKERFILE)
    made = Fleet(Project(root, localstalk), folder)
    made.change("first")
    first = made.play("deploy.yml")
    assert first.rc == 0, first.output
    assert set(made.labels()) == set(NAMES)
    yield made
    assert localstalk.cli("down").returncode == 0


@pytest.fixture(autouse=True)
def healed(fleet: Fleet) -> Iterator[None]:
    yield
    fleet.heal()


@pytest.mark.parametrize(
    ("waves", "percentage"), [([1, "x%"], 0), ([], 0), ([0], 0), ([1], -1)], ids=["word", "none", "zero", "negative"]
)
def test_waves_that_make_no_sense_are_refused_in_one_sentence(fleet: Fleet, waves: list[Any], percentage: int) -> None:
    before = fleet.calls()
    run = fleet.play("deploy.yml", eb_fleet_waves=waves, eb_fleet_max_fail_percentage=percentage)
    assert run.rc != 0
    said = " ".join(run.output.split())
    assert f"The waves are {json.dumps(waves)} and the percentage that may fail is {percentage}: give a list" in said
    assert fleet.calls() - before == Counter()


def test_a_canary_that_fails_is_the_only_one_touched(fleet: Fleet) -> None:
    before, calls = fleet.labels(), fleet.calls()
    fleet.change("canary")
    fleet.fail(NAMES[0])
    run = fleet.play("deploy.yml", **WAVES)
    assert run.rc != 0
    assert hosts_of(run, "failed") == {NAMES[0]}
    assert (fleet.calls() - calls)["elasticbeanstalk:UpdateEnvironment"] == 1
    assert fleet.labels() == before
    assert set(fleet.holders().values()) == {""}


def test_a_failure_in_a_wave_ends_the_run_after_it_and_the_next_run_goes_on(fleet: Fleet) -> None:
    before, calls = fleet.labels(), fleet.calls()
    fleet.change("second wave")
    fleet.fail(NAMES[1])
    run = fleet.play("deploy.yml", **WAVES)
    assert run.rc != 0
    assert hosts_of(run, "failed") == {NAMES[1]}
    after = fleet.labels()
    new = after[NAMES[0]]
    # The other one of the wave was finished, verified, reported and unlocked.
    assert {name for name in NAMES if after[name] != before[name]} == {NAMES[0], NAMES[2]}
    assert re.search(rf"Environment: +{NAMES[2]} .*\n.*Version: +{new}\n", run.output), run.output
    assert (fleet.calls() - calls)["elasticbeanstalk:UpdateEnvironment"] == 3
    assert set(fleet.holders().values()) == {""}

    fleet.heal()
    calls = fleet.calls()
    again = fleet.play("deploy.yml", **WAVES)
    assert again.rc == 0, again.output
    assert set(fleet.labels().values()) == {new}
    assert hosts_of(again, "changed") == set(NAMES) - {NAMES[0], NAMES[2]}
    assert (fleet.calls() - calls)["elasticbeanstalk:UpdateEnvironment"] == COUNT - 2


@pytest.mark.slow
def test_a_higher_percentage_lets_waves_go_on(fleet: Fleet) -> None:
    fleet.change("higher limit")
    before = fleet.labels()
    fleet.fail(NAMES[1])
    fleet.fail(NAMES[3])
    run = fleet.play("deploy.yml", **WAVES, eb_fleet_max_fail_percentage=100)
    assert run.rc != 0
    assert hosts_of(run, "failed") == {NAMES[1], NAMES[3]}
    after = fleet.labels()
    assert {name for name in NAMES if after[name] == before[name]} == {NAMES[1], NAMES[3]}


def test_limit_chooses_hosts_and_the_first_of_them_is_the_canary(fleet: Fleet) -> None:
    fleet.change("limited")
    before, calls = fleet.labels(), fleet.calls()
    fleet.fail(NAMES[4])
    run = fleet.play("deploy.yml", "--limit", f"{NAMES[4]}:{NAMES[5]}", **WAVES)
    assert run.rc != 0
    assert fleet.labels() == before
    assert (fleet.calls() - calls)["elasticbeanstalk:UpdateEnvironment"] == 1


def test_hosts_with_the_same_bundle_have_one_of_them_make_it(fleet: Fleet, tmp_path: Path) -> None:
    """Two of one source, one with a secret in it, one of another source, and two of a source that is not there."""
    fleet.change("shared")
    other = tmp_path / "other"
    other.mkdir()
    (other / "Dockerfile").write_text(DOCKERFILE)
    missing = {"eb_source": {"path": str(tmp_path / "missing"), "from": "work_tree"}}
    hosts: dict[str, dict[str, Any]] = {
        NAMES[0]: {},
        NAMES[1]: {"eb_secrets": {"PIN": {"value": "12345"}}},
        NAMES[2]: {"eb_secrets": {"key": {"file": ".secrets/key", "content": "a secret"}}},
        NAMES[3]: {"eb_source": {"path": str(other), "from": "work_tree"}},
        NAMES[4]: missing,
        NAMES[5]: missing,
    }
    before, calls = fleet.labels(), fleet.calls()
    run = fleet.play("deploy.yml", hosts=hosts, eb_fleet_max_fail_percentage=100)
    assert run.rc != 0
    made = re.findall(
        r"TASK \[jack.beanstalk.bundle : Bundle the source.*?\n(.*?)\n(?:TASK|PLAY) ", run.output, re.DOTALL
    )
    makers = [sorted(re.findall(r"^(?:ok|changed|fatal): \[(shop-\d)\]", hosts, re.MULTILINE)) for hosts in made]
    assert makers == [[NAMES[0], NAMES[3], NAMES[4]], [NAMES[2]]], run.output
    assert hosts_of(run, "failed") == set(NAMES[4:])
    assert f"The source bundle is missing: {NAMES[4]} failed to make it." in " ".join(run.output.split())
    after = fleet.labels()
    assert [name for name in NAMES if after[name] == before[name]] == NAMES[4:]
    assert after[NAMES[0]] == after[NAMES[1]]
    assert len({after[name] for name in NAMES[1:4]}) == 3
    # The property of one host, and of no other.
    environments = fleet.live("EnvironmentName")
    assert [name for name in NAMES[:2] if "PIN" in fleet.properties(environments[name])] == [NAMES[1]]
    assert (fleet.calls() - calls)["elasticbeanstalk:UpdateEnvironment"] == 4
    back = fleet.play("deploy.yml")
    assert back.rc == 0, back.output
    assert set(fleet.labels().values()) == {after[NAMES[0]]}


def test_a_wave_writes_its_locks_together(fleet: Fleet) -> None:
    fleet.change("two writes")
    fleet.slow_updates()
    before, calls = fleet.leases(), fleet.calls()
    run = fleet.play("deploy.yml")
    assert run.rc == 0, run.output
    made = fleet.calls() - calls
    # Each environment's own two; for all of them the version's bundle, the locks taken, and freed as they end.
    assert (made["elasticbeanstalk:UpdateEnvironment"], made["elasticbeanstalk:DescribeInstancesHealth"]) == (6, 6)
    assert 3 <= made["s3:PUT"] <= 5
    assert made["s3:GET"] == 0
    after = fleet.leases()
    assert {name: lease["token"] for name, lease in after.items()} == {
        name: lease["token"] + (name in NAMES) for name, lease in before.items()
    }
    assert set(fleet.holders().values()) == {""}


def test_the_next_run_goes_on_at_once_where_one_was_killed(fleet: Fleet) -> None:
    fleet.change("killed")
    before = fleet.leases()
    # Nobody is done, and nobody frees anything, before all have come.
    assert fleet.localstalk.cli("fault", "add", "stuck").returncode == 0
    command = [BIN / "ansible-playbook", "deploy.yml", *fleet.options(None, {})]
    with subprocess.Popen(
        command,
        cwd=fleet.project.root,
        env=fleet.localstalk.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        end = time.monotonic() + 120
        while not all(fleet.holders()[name] for name in NAMES):
            assert time.monotonic() < end
            assert process.poll() is None
            time.sleep(0.1)
        # Ansible's workers have sessions of their own, so they live on for a while, in the next run's way.
        workers = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        os.killpg(process.pid, signal.SIGKILL)
    assert workers
    assert len({fleet.holders()[name] for name in NAMES}) == 1
    fleet.heal()
    fleet.change("after the killed one")
    run = fleet.play("deploy.yml", eb_lock={"wait_timeout": 0})
    assert run.rc == 0, run.output
    assert len(set(fleet.labels().values())) == 1
    after = fleet.leases()
    assert {after[name]["token"] - before[name]["token"] for name in NAMES} == {2}
    assert set(fleet.holders().values()) == {""}
    for worker in workers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)


@pytest.mark.slow
def test_cycles_go_in_waves_and_the_next_run_skips_what_was_recreated(fleet: Fleet) -> None:
    chosen = {name: {} for name in NAMES[:3]}
    # Whatever a test before this one left on them.
    fleet.change("before the cycles")
    assert fleet.play("deploy.yml", hosts=chosen).rc == 0
    before = fleet.live("EnvironmentId")
    born, before_names = fleet.live("DateCreated"), fleet.live("EnvironmentName")
    red = fleet.localstalk.cli("fault", "add", "health", f"environment={before_names[NAMES[1]]}", "health=Severe")
    assert red.returncode == 0, red.stderr
    waves: dict[str, Any] = {"hosts": chosen, "eb_fleet_waves": [1]}
    run = fleet.play("recreate_and_swap.yml", **waves, eb_recreate=_QUICK | {"force": True})
    assert run.rc != 0
    assert hosts_of(run, "failed") == {NAMES[1]}
    assert "result: refused" in run.output
    after = fleet.live("EnvironmentId")
    assert {name for name in NAMES if after[name] != before[name]} == {NAMES[0]}
    assert set(fleet.holders().values()) == {""}

    fleet.heal()
    wait_until(lambda: fleet.live("Health")[NAMES[1]] == "Green", 60, f"the health of {NAMES[1]}")
    # As old as the others are now, so that they are due and the first one is not.
    age = (fleet.now() - max(born[name] for name in NAMES[1:3])).total_seconds()
    again = fleet.play("recreate_and_swap.yml", **waves, eb_recreate=_QUICK | {"min_age": int(age)})
    assert again.rc == 0, again.output
    assert again.output.count("result: skipped") == 1
    last = fleet.live("EnvironmentId")
    assert {name for name in NAMES if last[name] != after[name]} == {NAMES[1], NAMES[2]}
    assert set(fleet.holders().values()) == {""}


@pytest.mark.slow
def test_accounts_and_regions_in_one_run(fleet: Fleet) -> None:
    """Both accounts have an application of the same name, and one address serves them both."""
    other = fleet.localstalk.client("sts").assume_role(
        RoleArn="arn:aws:iam::222222222222:role/deployer", RoleSessionName="fleet"
    )["Credentials"]
    second = {
        "endpoint_url": fleet.connection()["endpoint_url"],
        "access_key": other["AccessKeyId"],
        "secret_key": other["SecretAccessKey"],
        "session_token": other["SessionToken"],
    }
    hosts: dict[str, dict[str, Any]] = {
        "here": {},
        "there": {"eb_region": "eu-west-1"},
        "theirs": {"eb_aws": second},
    }
    fleet.change("everywhere")
    run = fleet.play("deploy.yml", hosts=hosts, eb_application="wide")
    assert run.rc == 0, run.output
    for name, values in hosts.items():
        connection = fleet.connection() | values.get("eb_aws", {})
        client = boto3.client(
            "elasticbeanstalk",
            endpoint_url=connection["endpoint_url"],
            region_name=values.get("eb_region", "us-east-1"),
            aws_access_key_id=connection["access_key"],
            aws_secret_access_key=connection["secret_key"],
            aws_session_token=connection.get("session_token"),
        )
        (found,) = client.describe_environments(ApplicationName="wide")["Environments"]
        assert found["CNAME"].startswith(f"{name}.")
        account = found["EnvironmentArn"].split(":")[4]
        assert (account == "222222222222") == (name == "theirs")
    # Each takes the lock where it deploys, and none for the others.
    assert {"here", "there", "theirs"} & set(fleet.leases()) == {"here"}
    again = fleet.play("deploy.yml", hosts=hosts, eb_application="wide")
    assert (again.rc, hosts_of(again, "changed")) == (0, set()), again.output


def test_one_bad_host_of_three_fails_until_it_is_mended(fleet: Fleet) -> None:
    trio = {name: {} for name in ("trio-1", "trio-2", "trio-3")}
    values = {"hosts": trio, "eb_application": "trio"}
    added = fleet.localstalk.cli("fault", "add", "command", "environment=trio-2", "outcome=FAILURE")
    assert added.returncode == 0, added.stderr
    first = fleet.play("deploy.yml", **values)
    assert first.rc != 0
    assert hosts_of(first, "failed") == {"trio-2"}

    calls = fleet.calls()
    again = fleet.play("deploy.yml", **values)
    assert again.rc != 0
    assert hosts_of(again, "failed") == {"trio-2"}, "its environment is there, with the label, and does not run it"
    assert hosts_of(again, "changed") == set()
    assert (fleet.calls() - calls)["elasticbeanstalk:UpdateEnvironment"] == 1

    fleet.heal()
    mended = fleet.play("deploy.yml", **values)
    assert mended.rc == 0, mended.output
    assert hosts_of(mended, "changed") == {"trio-2"}
    eb = fleet.localstalk.client("elasticbeanstalk")
    for name in trio:
        (instance,) = eb.describe_instances_health(EnvironmentName=name, AttributeNames=["All"])["InstanceHealthList"]
        assert instance["Deployment"]["Status"] == "Deployed"

    calls = fleet.calls()
    settled = fleet.play("deploy.yml", **values)
    assert settled.rc == 0, settled.output
    assert hosts_of(settled, "changed") == set()
    assert (fleet.calls() - calls)["elasticbeanstalk:UpdateEnvironment"] == 0
