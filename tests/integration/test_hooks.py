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

from .conftest import Project, Run, Stalk
from .small import Small, options, report

pytestmark = [pytest.mark.containers, pytest.mark.slow]

BUCKET = "tiny-records"
PROFILE = "aws-elasticbeanstalk-ec2-role"
ROLLING = {"DeploymentPolicy": "Rolling", "BatchSizeType": "Fixed", "BatchSize": "2"}
RECORD = (
    'echo "$HOOK_INSTANCE_ID" >/tmp/record && cp /tmp/record "/tmp/migrated-$HOOK_VERSION_LABEL"'
    f' && {{ aws s3api put-object --bucket {BUCKET} --key "rows/$HOOK_VERSION_LABEL/$(date +%s%N)" --body /tmp/record'
    " || aws sts get-caller-identity 2>&1 | grep -q credentials; }"
)
MIGRATE = {"name": "migrate", "command": RECORD, "leader_only": True, "where": "host"}
NOTE = {"name": "note", "command": "echo here", "where": "host"}
BY_LEDGER = "migrate ran on one instance, the ledger in S3 allows no second run"


def statement(*paths: str) -> str:
    """An IAM policy to read and write objects below paths of the bucket."""
    arns = [f"arn:aws:s3:::{BUCKET}/{path}/*" for path in paths]
    allowed = {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": arns}
    return json.dumps({"Version": "2012-10-17", "Statement": [allowed]})


@dataclass(frozen=True)
class Seen:
    """What happened to one version."""

    rows: list[str]
    """The instances on which migrate ran, by the records that it wrote."""
    files: int
    """How many of the instances have the file that migrate leaves."""
    reasons: list[str]
    """Why migrate ran or not, on the instances that are there."""


class Four(Small):
    """Four instances, updated in two batches; their role may write records, and mostly the ledger."""

    @cached_property
    def iam(self) -> Any:
        return self.project.stalk.client("iam")

    @cached_property
    def s3(self) -> Any:
        return self.project.stalk.client("s3")

    def prepare(self) -> None:
        """Make bucket, role and instance profile, as an administrator of a real account has them made."""
        self.s3.create_bucket(Bucket=BUCKET)
        self.iam.create_role(RoleName=PROFILE, AssumeRolePolicyDocument="{}")
        self.iam.put_role_policy(RoleName=PROFILE, PolicyName="rows", PolicyDocument=statement("rows"))
        self.iam.create_instance_profile(InstanceProfileName=PROFILE)
        self.allow_ledger()

    def allow_ledger(self) -> None:
        self.iam.put_role_policy(RoleName=PROFILE, PolicyName="ledger", PolicyDocument=statement("ledger"))

    def change(self, text: str) -> None:
        """Make a new version."""
        (self.folder / "text").write_text(text)

    def objects(self, prefix: str) -> list[str]:
        """The contents of all objects below a prefix."""
        keys = [each["Key"] for each in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]
        return [self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode().strip() for key in keys]

    def seen(self) -> Seen:
        """What there is to see of the version that is deployed."""
        label = str(self.environment()["VersionLabel"])
        look = f"cat /var/log/tiny-hooks.log; cat /tmp/migrated-{label} 2>/dev/null | sed 's/.*/{{}}/'; true"
        instances = self.instances()
        assert set(instances.values()) == {label}
        lines = "".join(self.shell(each, look) for each in instances).splitlines()
        records = [json.loads(line) for line in lines if line != "{}"]
        reasons = [r["reason"] for r in records if (r["hook"], r["version_label"]) == ("migrate", label)]
        return Seen(self.objects(f"rows/{label}/"), lines.count("{}"), reasons)

    def said(self, what: str) -> int:
        """How often the instances' hook logs say it."""
        return sum(self.shell(each, "cat /var/log/eb-hooks.log").count(what) for each in self.instances())

    def fault(self, *words: str) -> None:
        added = self.project.stalk.cli("fault", *words)
        assert added.returncode == 0, added.stderr


@pytest.fixture(scope="module")
def enforcing(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A localstalk that enforces IAM."""
    stalk = Stalk(tmp_path_factory.mktemp("iam") / "localstalk")
    up = stalk.cli("up", "--iam", "--speed", "60")
    assert up.returncode == 0, up.stderr
    yield Project(project.root, stalk)
    assert stalk.cli("down").returncode == 0
    assert stalk.leftovers() == []


@pytest.fixture(scope="module")
def four(enforcing: Project, tmp_path_factory: pytest.TempPathFactory) -> Four:
    """Created while the instance profile has no role in it, so that nobody has credentials."""
    made = Four.make(
        enforcing,
        tmp_path_factory.mktemp("four"),
        "four",
        eb_hooks=[MIGRATE, NOTE],
        eb_hooks_ledger=f"{BUCKET}/ledger/production",
        eb_options=options(4, **ROLLING),
    )
    assert isinstance(made, Four)
    made.prepare()
    first = made.deploy()
    assert first.rc == 0, first.output
    assert report(first)["Once"] == ["migrate ran on one instance, by its marker, the ledger was out of reach"]
    seen = made.seen()
    assert (seen.rows, seen.files, sorted(seen.reasons)) == ([], 1, ["leader", *["not the leader"] * 3])
    assert made.said("No ledger, the marker alone decides: Unable to locate credentials") == 1
    made.iam.add_role_to_instance_profile(InstanceProfileName=PROFILE, RoleName=PROFILE)
    return made


def deploy(four: Four, text: str) -> Run:
    four.change(text)
    run = four.deploy()
    assert run.rc == 0, run.output
    return run


@pytest.fixture
def elections(four: Four) -> Iterator[None]:
    """Every batch elects a leader of its own."""
    four.fault("add", "election")
    yield
    four.fault("clear")


@pytest.mark.usefixtures("elections")
def test_rolling_with_a_leader_per_batch(four: Four) -> None:
    run = deploy(four, "rolling")
    seen = four.seen()
    (ran,) = seen.rows
    assert report(run)["Once"] == [BY_LEDGER]
    one, *rest, refused = sorted(seen.reasons)
    assert (one, rest) == ("leader", ["not the leader"] * 2)
    assert refused.startswith(f"the ledger says that this version has run it: {ran} ")
    assert sum(line.startswith("note on") for line in report(run)["Hook"]) == 4


@pytest.mark.usefixtures("elections")
def test_without_the_permission_the_report_says_how_often_it_ran(four: Four) -> None:
    four.iam.delete_role_policy(RoleName=PROFILE, PolicyName="ledger")
    try:
        run = deploy(four, "forbidden")
    finally:
        four.allow_ledger()
    ran = sorted(four.seen().rows)
    assert len(ran) == 2
    assert report(run)["Once"] == [
        f"migrate did not run once but 2 times ({', '.join(ran)}): Elastic Beanstalk elected more than one leader, "
        "by its marker, the ledger was out of reach"
    ]
    assert four.said("No ledger, the marker alone decides: An error occurred (AccessDenied)") == 2


def test_immutable_and_an_instance_that_is_replaced(four: Four) -> None:
    before = set(four.instances())
    four.variables["eb_options"] = options(4, DeploymentPolicy="Immutable")
    run = deploy(four, "immutable")
    known = four.instances()
    assert not before & set(known)
    assert report(run)["Once"] == [BY_LEDGER]
    (ran,) = four.seen().rows

    # Who comes instead is alone, so it leads: without the ledger it would migrate again.
    subprocess.run(["podman", "kill", four.container(ran)], check=True, capture_output=True)
    wait_for(lambda: ran not in (now := four.instances()) and [*now.values()] == [*known.values()])
    wait_for(lambda: len(four.seen().reasons) == len(known))
    seen = four.seen()
    assert seen.rows == [ran]
    (refused,) = [reason for reason in seen.reasons if reason != "not the leader"]
    assert refused.startswith(f"the ledger says that this version has run it: {ran} ")


def test_an_instance_that_is_killed_in_the_middle(four: Four) -> None:
    """It never says how its attempt ended, so the next deployment's leader waits until it must have, and migrates."""
    four.variables["eb_options"] = options(4, DeploymentPolicy="AllAtOnce")
    four.variables["eb_hooks"] = [{**MIGRATE, "command": f"sleep 5; {RECORD}", "timeout": 8}, NOTE]
    known = set(four.objects("ledger/"))
    four.change("killed")
    running = four.start()
    try:
        wait_for(lambda: set(four.objects("ledger/")) - known)
        (claim,) = set(four.objects("ledger/")) - known
        state, victim, *_ = claim.split()
        subprocess.run(["podman", "kill", four.container(victim)], check=True, capture_output=True)
    finally:
        output, _ = running.communicate(timeout=300)
    assert state == "running"
    assert running.returncode == 2, output
    assert victim in output
    again = four.deploy()
    assert again.rc == 0, again.output
    assert victim not in four.instances()
    assert report(again)["Once"] == [BY_LEDGER]
    seen = four.seen()
    (ran,) = seen.rows
    assert ran != victim
    (reason,) = [reason for reason in seen.reasons if reason.startswith("leader")]
    assert reason.startswith(f"leader; attempt 2, because the one of {victim} at ")
    assert reason.endswith("never ended")


def wait_for(what: Callable[[], object], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.3)
