# SPDX-License-Identifier: GPL-3.0-or-later
"""A localstalk that enforces IAM, users with one policy each, and the calls that playbooks make of modules."""

from __future__ import annotations

import contextlib
import fnmatch
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .conftest import ROOT, Localstalk, Project, Run
from .modules import run_module

POLICIES = ROOT / "docs" / "iam"
APPLICATION = "apples"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
PLAYBOOKS = ("deploy", "status", "recreate_and_swap", "rollback", "clean_hooks")
FAILED_DEPLOYMENT = "Failed to deploy application."
NO_INSTANCE = "the sim driver has no instance to run a script on"
"""As far as clean_hooks.yml comes with simulated instances: every call was made, and the command was carried out."""
LOCAL = ("source_bundle", "bundle_lint")
BATCHES = {"environments": "environment", "cycles": "cycle"}
OPTIONS = {
    "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"},
    "aws:autoscaling:asg": {"MinSize": "1", "MaxSize": "1"},
}
CYCLE = {
    "force": True,
    "poll_interval": 0.2,
    "bake_time": 0,
    "request_settle_time": 15,
    "max_decision_age": 10,
    "dns_ttl": 0.1,
    "dns_margin": 0.1,
    "drain_timeout": 2,
    "drain_requests_per_minute": 1000,
}
KEEPING = CYCLE | {"retain_old_for": 3600}
Policy = dict[str, Any]
_PLACES = {"PARTITION": "aws", "REGION": "us-east-1", "ACCOUNT": "123456789012"}


def uncovered(given: Policy, asked: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """What was asked, action and ARN, that no statement of the policy allows."""

    def allows(statement: Mapping[str, Any], action: str, arn: str) -> bool:
        return action in statement["Action"] and any(fnmatch.fnmatchcase(arn, one) for one in statement["Resource"])

    return [
        (action, arn)
        for action, arns in asked.items()
        for arn in arns
        if not any(allows(each, action, arn) for each in given["Statement"])
    ]


def shipped(name: str) -> Policy:
    """The policy in docs/iam."""
    return dict(json.loads((POLICIES / f"{name}.json").read_text()))


def filled_in(given: Policy, application: str) -> Policy:
    """The policy as a user attaches it."""
    text = json.dumps(given)
    for name, value in (*_PLACES.items(), ("APPLICATION", application)):
        text = text.replace(name, value)
    return dict(json.loads(text))


def without(given: Policy, action: str) -> Policy:
    """The policy with one action taken away."""
    statements = [each | {"Action": [name for name in each["Action"] if name != action]} for each in given["Statement"]]
    return given | {"Statement": [each for each in statements if each["Action"]]}


@dataclass
class World:
    """The daemon, its users, and a project folder with an inventory."""

    localstalk: Localstalk
    folder: Path
    keys: dict[str, tuple[str, str]] = field(default_factory=dict)

    def start(self) -> None:
        """Start the daemon, and write the application."""
        up = self.localstalk.cli("up", "--driver", "sim", "--speed", "500", "--iam")
        assert up.returncode == 0, up.stderr
        (self.folder / "application").mkdir()
        self.write("one")

    def write(self, text: str) -> None:
        """Change the application's source."""
        (self.folder / "application" / "Dockerfile").write_text(f"FROM scratch\nEXPOSE 8000\nLABEL text={text}\n")

    @contextlib.contextmanager
    def failing_deployments(self) -> Iterator[None]:
        """Let every deployment fail on the instances."""
        added = self.localstalk.cli("fault", "add", "command", "command=app-deploy", "outcome=FAILURE")
        assert added.returncode == 0, added.stderr
        yield
        self.localstalk.cli("fault", "clear")

    def forget_lock(self, application: str) -> None:
        """Remove the lock object, which is not there either where something else deployed the environment."""
        bucket = self.localstalk.client("elasticbeanstalk").create_storage_location()["S3Bucket"]
        key = f"jack.beanstalk/locks/{application}.json"
        self.localstalk.client("s3").head_object(Bucket=bucket, Key=key)
        self.localstalk.client("s3").delete_object(Bucket=bucket, Key=key)

    def allow(self, user: str, given: Policy) -> None:
        """Give a user, who is made when new, this policy and no other."""
        iam = self.localstalk.client("iam")
        if user not in self.keys:
            iam.create_user(UserName=user)
            key = iam.create_access_key(UserName=user)["AccessKey"]
            self.keys[user] = (key["AccessKeyId"], key["SecretAccessKey"])
        iam.put_user_policy(UserName=user, PolicyName="least", PolicyDocument=json.dumps(given))

    def asked(self, user: str) -> dict[str, list[str]]:
        """ARNs by action that this user has needed so far, in the order of first use."""
        told = json.loads(self.localstalk.get("/_localstalk/permissions"))
        return dict(told.get(f"arn:aws:iam::123456789012:user/{user}", {}))

    def connection(self, user: str) -> dict[str, str]:
        """What a module needs to be this user."""
        aws = self.localstalk.aws()
        access, secret = self.keys[user]
        return {
            "endpoint_url": aws["AWS_ENDPOINT_URL"],
            "region": "us-east-1",
            "access_key": access,
            "secret_key": secret,
        }

    def play(self, playbook: str, user: str, calls: Path, **variables: Any) -> Run:
        """Run a playbook as a user; the calls of modules are added to a file."""
        values = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "eb_application": APPLICATION,
            "eb_cname_prefix": f"{APPLICATION}-live",
            "eb_region": "us-east-1",
            "eb_platform": "Docker running on 64bit Amazon Linux 2023",
            "eb_source": {"path": str(self.folder / "application"), "from": "work_tree"},
            "eb_aws": self.connection(user),
            "eb_poll_interval": 0.2,
            "eb_wait_timeout": 60,
            "eb_hooks_prefix": "tiny",
            "eb_option_settings": OPTIONS,
            "eb_recreate": CYCLE,
        }
        inventory = self.folder / "inventory.json"
        inventory.write_text(json.dumps({"all": {"hosts": {f"{APPLICATION}-live": values | variables}}}))
        localstalk = Localstalk(self.localstalk.home)
        localstalk.env |= {
            "MODULE_CALLS": str(calls),
            "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callbacks"),
            "ANSIBLE_CALLBACKS_ENABLED": "module_calls",
        }
        return Project(ROOT, localstalk).play(playbook, "-i", str(inventory))


@contextlib.contextmanager
def enforcing(folder: Path) -> Iterator[World]:
    """A localstalk that enforces IAM, for the length of some tests."""
    localstalk, project = Localstalk(folder / "localstalk"), folder / "project"
    project.mkdir()
    made = World(localstalk, project)
    made.start()
    yield made
    down = localstalk.cli("down")
    assert down.returncode == 0, down.stderr


@dataclass(frozen=True)
class Call:
    """One call of a module, as a playbook made it."""

    module: str
    arguments: dict[str, Any]

    def again(self, connection: Mapping[str, str], application: str) -> dict[str, Any]:
        """Call the module in this process, for another application of another user."""
        arguments = {
            name: value.replace(APPLICATION, application) if isinstance(value, str) and name != "src" else value
            for name, value in self.arguments.items()
            if value is not None
        }
        # Not shown by the playbooks, since they may have secrets.
        if "option_settings" in arguments:
            arguments["option_settings"] = OPTIONS if self.module == "environment" else {}
        return run_module(self.module, {**arguments, **connection})


def read_calls(path: Path) -> list[Call]:
    """The calls of a run that were made of AWS."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    return [call for each in lines if each["module"] not in LOCAL for call in _calls(each["module"], each["arguments"])]


def _calls(module: str, arguments: dict[str, Any]) -> list[Call]:
    """A call of a module that works for a batch counts as one of its module for each item."""
    if module not in BATCHES:
        return [Call(module, arguments)]
    own = ("item", "url_service")
    items = [{name: value for name, value in one.items() if name not in own} for one in arguments[module]]
    return [Call(BATCHES[module], one) for one in items]


@dataclass
class Recorded:
    """The real playbooks, each run by a user who may do what its policy allows."""

    world: World
    runs: dict[str, list[Run]] = field(default_factory=dict)
    calls: dict[str, list[list[Call]]] = field(default_factory=dict)

    def run(self, name: str, **variables: object) -> Run:
        """Run a playbook, and keep what it said and what it called."""
        path = self.world.folder / f"{name}-{len(self.runs.setdefault(name, []))}.jsonl"
        path.touch()
        done = self.world.play(f"{name}.yml", f"recorded-{name}", path, **variables)
        self.runs[name].append(done)
        self.calls.setdefault(name, []).append(read_calls(path))
        return done

    def check(self, name: str, number: int) -> None:
        """Insist that a playbook did what it is for."""
        run = self.runs[name][number]
        assert "may not do this" not in run.output, run.output
        if name == "clean_hooks":
            assert NO_INSTANCE in run.output, run.output
        else:
            assert run.rc == 0, run.output


def names(action: str, said: str) -> bool:
    """Whether the first line of what a module said is a sentence that tells to allow the action."""
    sentence = said.split("\n")[0]
    return bool(re.search(rf"\(the credentials may not do this: allow .*{action}\b.* see docs/iam", sentence))


def first_failure(calls: Sequence[Call], connection: Mapping[str, str], application: str) -> str:
    """What the first module that fails says, as a playbook would stop there; "" when none does."""
    for call in calls:
        answer = call.again(connection, application)
        if answer.get("failed"):
            return str(answer["msg"])
        if answer.get("result") not in (None, "", "done"):
            return f"{answer['result']}: {answer['sentence']}"
    return ""
