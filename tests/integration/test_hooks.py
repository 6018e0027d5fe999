# SPDX-License-Identifier: GPL-3.0-or-later
"""A leader task runs once for a version, whatever Elastic Beanstalk elects: counted where the task itself writes.

Four real instances with the AWS CLI and the credentials of their instance profile, on a localstalk that enforces IAM.
"""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest

from .conftest import Localstalk, Project
from .minimal import Minimal, options, report

pytestmark = pytest.mark.containers

BUCKET = "tiny-records"
PROFILE = "aws-elasticbeanstalk-ec2-role"
ROLLING = {"DeploymentPolicy": "Rolling", "BatchSizeType": "Fixed", "BatchSize": "2"}
RECORD = (
    'echo "$HOOK_INSTANCE_ID" >/tmp/record && cp /tmp/record "/tmp/$HOOK_NAME-$HOOK_VERSION_LABEL"'
    f' && sleep "${{HOLD:-0}}" && aws s3api put-object --bucket {BUCKET} --body /tmp/record'
    ' --key "rows/$HOOK_NAME/$HOOK_VERSION_LABEL/$(date +%s%N)"'
)
LEADS = {"command": RECORD, "leader_only": True, "where": "host", "timeout": 900}
MIGRATE = {"name": "migrate", **LEADS}
# The role may not write this one's attempts into the once store.
UNKEPT = {"name": "unkept", **LEADS}
NOTE = {"name": "note", "command": "echo here", "where": "host"}
BY_ONCE_STORE = "migrate ran on one instance, the once store in S3 allows no second run"
BY_MARKER = "ran on one instance, by its marker, the once store was out of reach"


def policy(*paths: str) -> str:
    """An IAM policy to read and write these objects of the bucket."""
    arns = [f"arn:aws:s3:::{BUCKET}/{path}" for path in paths]
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": arns}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


@dataclass(frozen=True)
class Seen:
    """What happened to one leader task in one version."""

    rows: list[str]
    """The instances on which it ran, by the records that it wrote."""
    files: int
    """How many of the instances have the file that it leaves."""
    reasons: list[str]
    """Why it ran or not, on the instances that are there."""


class Four(Minimal):
    """Four instances; their role may write records, and the once store for migrate."""

    @cached_property
    def iam(self) -> Any:
        return self.project.localstalk.client("iam")

    @cached_property
    def s3(self) -> Any:
        return self.project.localstalk.client("s3")

    def prepare(self) -> None:
        """Make the bucket, and let the instances' role write records, as an administrator of a real account does."""
        self.s3.create_bucket(Bucket=BUCKET)
        self.iam.put_role_policy(RoleName=PROFILE, PolicyName="records", PolicyDocument=policy("rows/*"))

    def permit(self) -> None:
        """Let the instances' role use the once store for migrate."""
        allowed = policy("ledger/*/migrate.*")
        self.iam.put_role_policy(RoleName=PROFILE, PolicyName="once-store", PolicyDocument=allowed)

    def change(self, text: str) -> None:
        """Make a new version."""
        (self.folder / "text").write_text(text)

    def objects(self, prefix: str) -> dict[str, str]:
        """The contents of all objects below a prefix, by their keys."""
        keys = [each["Key"] for each in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
        return {key: self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().strip() for key in keys}

    def seen(self, task: str = "migrate") -> Seen:
        """What there is to see of a leader task in the version that is deployed."""
        label = str(self.environment()["VersionLabel"])
        look = f"cat /var/log/tiny-hooks.log; cat /tmp/{task}-{label} 2>/dev/null | sed 's/.*/{{}}/'; true"
        instances = self.instances()
        assert set(instances.values()) == {label}
        lines = "".join(self.shell(each, look) for each in instances).splitlines()
        records = [json.loads(line) for line in lines if line != "{}"]
        reasons = [r["reason"] for r in records if (r["hook"], r["version_label"]) == (task, label)]
        return Seen([*self.objects(f"rows/{task}/{label}/").values()], lines.count("{}"), reasons)

    def kill(self, instance: str) -> None:
        """Its host has a power failure."""
        subprocess.run(["podman", "kill", self.container(instance)], check=True, capture_output=True)

    def said(self, what: str) -> int:
        """How often the instances' hook logs say it."""
        return sum(self.shell(each, "cat /var/log/eb-hooks.log").count(what) for each in self.instances())


@pytest.fixture(scope="module")
def enforcing(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A localstalk that enforces IAM."""
    localstalk = Localstalk(tmp_path_factory.mktemp("iam") / "localstalk")
    up = localstalk.cli("up", "--iam", "--speed", "60")
    assert up.returncode == 0, up.stderr
    yield Project(project.root, localstalk)
    assert localstalk.cli("down").returncode == 0
    assert localstalk.leftovers() == []


@pytest.fixture(scope="module")
def four(enforcing: Project, tmp_path_factory: pytest.TempPathFactory) -> Four:
    """Created while the role may not use the once store, so that it is out of reach."""
    made = Four.make(
        enforcing,
        tmp_path_factory.mktemp("four"),
        "four",
        eb_hooks=[MIGRATE, UNKEPT, NOTE],
        eb_hooks_once_store=f"{BUCKET}/ledger/production",
        eb_option_settings=options(4, **ROLLING),
    )
    assert isinstance(made, Four)
    made.prepare()
    first = made.deploy()
    assert first.rc == 0, first.output
    assert report(first)["Once"] == [f"migrate {BY_MARKER}", f"unkept {BY_MARKER}"]
    seen = made.seen()
    assert (len(seen.rows), seen.files, sorted(seen.reasons)) == (1, 1, ["leader", *["not the leader"] * 3])
    assert made.said("No once store, the marker alone decides: ") == 2
    made.permit()
    return made


@pytest.fixture
def elections(four: Four) -> Iterator[None]:
    """Every batch elects a leader of its own."""
    assert four.project.localstalk.cli("fault", "add", "election").returncode == 0
    yield
    assert four.project.localstalk.cli("fault", "clear").returncode == 0


@pytest.mark.usefixtures("elections")
def test_rolling_with_a_leader_per_batch(four: Four) -> None:
    """The once store lets migrate run once; of the task that has no permission the report says how often it ran."""
    four.change("rolling")
    run = four.deploy()
    assert run.rc == 0, run.output
    seen = four.seen()
    (ran,) = seen.rows
    one, *rest, refused = sorted(seen.reasons)
    assert (one, rest) == ("leader", ["not the leader"] * 2)
    assert refused.startswith(f"the once store says that this version has run it: {ran} ")
    twice = sorted(four.seen("unkept").rows)
    assert len(twice) == 2
    assert report(run)["Once"] == [
        BY_ONCE_STORE,
        f"unkept did not run once but 2 times ({', '.join(twice)}): Elastic Beanstalk elected more than one leader, "
        "by its marker, the once store was out of reach",
    ]
    # Of both tasks in the first deployment, and of this one in the second.
    assert four.said("No once store, the marker alone decides: An error occurred (AccessDenied)") == 4
    assert sum(line.startswith("note on") for line in report(run)["Hook"]) == 4


def test_an_instance_killed_in_the_middle_and_one_replaced_later(four: Four) -> None:
    """The one never says how its attempt ended, so when its time is over another leader migrates; the other has."""
    four.variables |= {
        "eb_hooks": [MIGRATE, NOTE],
        "eb_environment_properties": {"HOLD": "600"},
        "eb_option_settings": options(4, DeploymentPolicy="AllAtOnce"),
    }
    known = set(four.objects("ledger/"))
    four.change("killed")
    running = four.start()
    try:
        wait_for(lambda: set(four.objects("ledger/")) - known or running.poll() is not None)
        ((key, claim),) = ((key, text) for key, text in four.objects("ledger/").items() if key not in known)
        state, victim, at, until = claim.split()
        four.kill(victim)
    finally:
        output, _ = running.communicate(timeout=300)
    assert state == "running"
    assert int(until) > time.time()
    assert running.returncode == 2, output
    assert victim in output

    # Its time is over: the instances' clocks cannot be turned, but the note of it can.
    four.s3.put_object(Bucket=BUCKET, Key=key, Body=f"running {victim} {at} 1\n".encode())
    before = set(four.instances())
    four.variables |= {
        "eb_environment_properties": {"HOLD": "0"},
        "eb_option_settings": options(4, DeploymentPolicy="Immutable"),
    }
    again = four.deploy()
    assert again.rc == 0, again.output
    instances = four.instances()
    assert not before & set(instances)
    assert report(again)["Once"] == [BY_ONCE_STORE]
    seen = four.seen()
    (ran,) = seen.rows
    assert ran != victim
    (reason,) = [reason for reason in seen.reasons if reason != "not the leader"]
    assert reason == f"leader; attempt 2, because the one of {victim} at {at} never ended"

    # Who comes instead is alone, so it leads: without the once store it would migrate again.
    four.kill(ran)
    wait_for(lambda: ran not in (now := four.instances()) and [*now.values()] == [*instances.values()])
    wait_for(lambda: len(four.seen().reasons) == len(instances))
    seen = four.seen()
    assert seen.rows == [ran]
    (refused,) = [reason for reason in seen.reasons if reason != "not the leader"]
    assert refused.startswith(f"the once store says that this version has run it: {ran} ")


def wait_for(what: Callable[[], object], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.5)
