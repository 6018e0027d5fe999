# SPDX-License-Identifier: GPL-3.0-or-later
"""What tasks of the hook list can ask for, on real instances (Amazon Linux 2023, legacy AMI, compose), and cleaning up.

Each playbook runs once for all environments, which are created together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from .conftest import Project, Run
from .minimal import LEGACY, Minimal, options, report

pytestmark = pytest.mark.containers

NASTY = """it's "blue" $HOME `id`"""
TASKS: list[dict[str, Any]] = [
    {"name": "fresh", "phase": "predeploy", "command": 'test -e /server.pl && echo "fresh $GREETING"'},
    {
        "name": "inside",
        "command": 'echo "inside $(id -un) $PWD $COLOUR $HOOK_NAME"',
        "user": "nobody",
        "workdir": "/usr",
        "environment": {"COLOUR": NASTY},
    },
    {
        "name": "outside",
        "where": "host",
        "command": 'echo "outside $(id -un) $PWD $COLOUR"',
        "user": "webapp",
        "workdir": "/var/tmp",
        "environment": {"COLOUR": NASTY},
    },
    {"name": "slow", "command": "sleep 47", "timeout": 1, "on_failure": "warn"},
    {"name": "broken", "where": "host", "command": "exit 7", "on_failure": "warn"},
    {"name": "always", "where": "host", "on_config_deploy": True, "command": 'echo "always $GREETING"'},
]
LEADS = {"name": "first", "leader_only": True, "command": "echo first"}
EARLY = {"name": "early", "phase": "prebuild", "where": "host", "command": 'echo "early $PWD $GREETING"'}
SPOIL = {
    "name": "spoil",
    "order": 1,
    "where": "host",
    "phase": "predeploy",
    # After the leader was marked: everybody else gets a stale marker, as an aborted deployment leaves one.
    "command": "m=/var/lib/tiny_hooks/markers; [ -e $m/first ] || { mkdir -p $m; echo 0000 >$m/first; }",
}
ENDED = [("fresh", 0), ("inside", 0), ("outside", 0), ("slow", 124), ("broken", 7), ("always", 0)]
SERVICE = "echo \"$HOOK_NAME is in $(tr '\\0' ' ' </proc/1/cmdline)\""
SERVICES = [
    {"name": "front", "service": "web", "command": SERVICE},
    {"name": "back", "service": "helper", "command": SERVICE, "leader_only": True},
    {"name": "nowhere", "service": "asleep", "command": SERVICE, "on_failure": "warn"},
]
# Tasks for the container that name no service.
ONLY = [
    {"preset": "collectstatic", "command": f'{SERVICE}; echo "$GREETING"'},
    {"preset": "migrate", "command": f"{SERVICE}; echo migrated >>/log/migrated"},
]
COMPOSE = """version: '2.4'
services:
  web:
    build: .
    env_file: .env
    ports: ['80:8000']
  helper:
    build: .
    env_file: .env
    command: ['perl', '-e', 'sleep 600']
  asleep:
    build: .
    profiles: ['never']
"""
ONE_SERVICE = """services:
  only:
    build: .
    env_file: .env
    ports: ['80:8000']
    volumes: ['${EB_LOG_BASE_DIR}/only:/log']
"""
LEGACY_HOOKS = "/opt/elasticbeanstalk/hooks/appdeploy/post"
# A bundle with legacy hooks, as people have it: all of docker ps -q, and a hook that nobody ever removes.
LEGACY_CONFIG = f"""files:
  {LEGACY_HOOKS}/50_legacy.sh:
    mode: '000755'
    content: |
      #!/bin/bash
      sudo docker exec `sudo docker ps -q` perl -e 'print "legacy $ENV{{GREETING}}\\n"' >> /tmp/legacy
"""
THEIRS = ["50_legacy.sh", "50_legacy.sh.bak", "theirs.sh", "tinyother.sh"]


@dataclass
class Fleet:
    """The environments of this file, and the run that created them."""

    project: Project
    modern: Minimal
    legacy: Minimal
    compose: Minimal
    single: Minimal
    created: Run

    def play(self, playbook: str, *args: str) -> Run:
        """Run a playbook for Amazon Linux 2023 and the legacy AMI together."""
        inventories = [word for minimal in (self.modern, self.legacy) for word in ("-i", str(minimal.inventory))]
        return self.project.play(playbook, *inventories, *args)


@pytest.fixture(scope="module")
def fleet(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    moon = {"GREETING": "moon"}
    hooks = [SPOIL, EARLY, *TASKS, LEADS]
    modern = Minimal.make(
        project, folder, "modern", eb_hooks=hooks, eb_environment_properties=moon, eb_option_settings=options(2)
    )
    legacy = Minimal.make(
        project, folder, "legacy", eb_platform=LEGACY, eb_hooks=[*TASKS, LEADS], eb_environment_properties=moon
    )
    compose = Minimal.make(project, folder, "compose", eb_hooks=SERVICES)
    overlay = [{"path": "docker-compose.yml", "content": ONE_SERVICE}]
    single = Minimal.make(
        project,
        folder,
        "single",
        eb_hooks=ONLY,
        eb_bundle_overlay=overlay,
        eb_environment_properties={"GREETING": "moon"},
    )
    (legacy.folder / ".ebextensions").mkdir()
    (legacy.folder / ".ebextensions" / "50_legacy.config").write_text(LEGACY_CONFIG)
    (compose.folder / "docker-compose.yml").write_text(COMPOSE)
    made = Fleet(project, modern, legacy, compose, single, Run(0, ""))
    assert project.localstalk.cli("up").returncode == 0
    made.created = made.play("deploy.yml", "-i", str(compose.inventory), "-i", str(single.inventory))
    assert made.created.rc == 0, made.created.output
    yield made
    for minimal in (modern, legacy, compose, single):
        minimal.terminate()


def records(minimal: Minimal, instance: str) -> list[dict[str, Any]]:
    """The hooks' own log."""
    return [json.loads(line) for line in minimal.shell(instance, "cat /var/log/tiny-hooks.log").splitlines()]


def change(minimal: Minimal, text: str) -> None:
    (minimal.folder / "text").write_text(text)


def assert_tasks(minimal: Minimal, instance: str, written: str) -> None:
    """After one deployment with TASKS, by the hooks' own log and the platform's."""
    done = [each for each in records(minimal, instance) if each["hook"] in dict(ENDED)][: len(ENDED)]
    assert [(each["hook"], each["rc"]) for each in done] == ENDED
    assert all(each["ran"] and not each["config_deploy"] for each in done)
    for line in (
        "fresh moon",
        f"inside nobody /usr {NASTY} inside",
        f"outside webapp /var/tmp {NASTY}",
        "always moon",
        "Hook slow failed with exit code 124",
        "Hook broken failed with exit code 7",
    ):
        assert line in written, line
    assert "ended after 1 s" in next(each["reason"] for each in done if each["hook"] == "slow")
    # Ended in the container as well, not only its client.
    assert minimal.shell(instance, "pgrep -f 'sleep 4[7]'; true") == ""


def test_tasks_on_amazon_linux_2023(fleet: Fleet) -> None:
    for instance in fleet.modern.instances():
        written = fleet.modern.shell(instance, "cat /var/log/eb-hooks.log")
        assert_tasks(fleet.modern, instance, written)
        assert "early /var/app/staging moon" in written


def test_a_stale_marker_is_never_obeyed(fleet: Fleet) -> None:
    """The instance that is not the leader had one when the leader's task came."""
    each = [next(r for r in records(fleet.modern, i) if r["hook"] == "first") for i in fleet.modern.instances()]
    assert sorted((record["ran"], record["reason"]) for record in each) == [
        (False, "stale marker of another bundle removed"),
        (True, "leader"),
    ]
    for instance in fleet.modern.instances():
        assert fleet.modern.shell(instance, "ls /var/lib/tiny_hooks/markers") == ""


def test_tasks_on_the_legacy_ami_beside_a_legacy_hook(fleet: Fleet) -> None:
    legacy = fleet.legacy
    (instance,) = legacy.instances()
    assert_tasks(legacy, instance, legacy.shell(instance, "cat /var/log/eb-activity.log"))
    assert legacy.shell(instance, "head -n 1 /tmp/legacy") == "legacy moon\n"
    assert "first ran on one instance, by its marker, without a once store" in report(fleet.created)["Once"]
    scripts = legacy.shell(instance, f"ls {LEGACY_HOOKS}").split()
    assert [name for name in scripts if name.startswith("tiny_")] == []
    assert "50_legacy.sh" in scripts


def test_compose_services_are_found_by_name(fleet: Fleet) -> None:
    (instance,) = fleet.compose.instances()
    ended = [(each["hook"], each["rc"]) for each in records(fleet.compose, instance)]
    assert ended == [("front", 0), ("back", 0), ("nowhere", 125)]
    written = fleet.compose.shell(instance, "cat /var/log/eb-hooks.log")
    for line in (
        "front is in perl /server.pl",
        "back is in perl -e sleep 600",
        "No running container of the compose service asleep.",
    ):
        assert line in written, written


def test_the_only_compose_service_is_the_one_meant(fleet: Fleet) -> None:
    """Created, deployed again, and with another environment property, which starts another container."""
    single = fleet.single
    (instance,) = single.instances()
    assert single.page() == "hello moon"
    change(single, "second")
    again = single.deploy()
    assert again.rc == 0, again.output
    single.variables["eb_environment_properties"] = {"GREETING": "sun"}
    configured = single.deploy()
    assert configured.rc == 0, configured.output
    assert single.page() == "hello sun"
    every = [(each["hook"], each["config_deploy"], each["rc"]) for each in records(single, instance)]
    deployed = [("collectstatic", False, 0), ("migrate", False, 0)]
    assert every == [*deployed, *deployed, ("collectstatic", True, 0)]
    written = single.shell(instance, "cat /var/log/eb-hooks.log")
    assert written.count("collectstatic is in perl /server.pl") == 3, written
    assert single.shell(instance, "cat /var/log/eb-docker/containers/only/migrated") == "migrated\n" * 2


def test_an_unnamed_service_among_several_is_refused(fleet: Fleet) -> None:
    """Before anything is uploaded; what runs goes on."""
    compose = fleet.compose
    before = compose.environment()
    compose.variables["eb_hooks"] = [{"preset": "migrate"}]
    run = compose.deploy()
    assert (run.rc, run.count("changed")) == (2, 0), run.output
    assert "docker-compose.yml starts web and helper, and which of them is meant nobody can tell" in run.output
    assert compose.environment() == before


def test_configuration_deployment(fleet: Fleet) -> None:
    """Another environment property: only what was asked for runs again, and there is no leader."""
    both = [(minimal, instance) for minimal in (fleet.modern, fleet.legacy) for instance in minimal.instances()]
    before = [len(records(*each)) for each in both]
    for minimal in (fleet.modern, fleet.legacy):
        minimal.variables["eb_environment_properties"] = {"GREETING": "sun"}
    run = fleet.play("deploy.yml")
    assert run.rc == 0, run.output
    for (minimal, instance), count in zip(both, before, strict=True):
        assert minimal.page() == "hello sun"
        more = records(minimal, instance)[count:]
        assert [(each["hook"], each["config_deploy"], bool(each["leader"]), each["rc"]) for each in more] == [
            ("always", True, False, 0)
        ]
        log = "eb-activity.log" if minimal is fleet.legacy else "eb-hooks.log"
        assert "always sun" in minimal.shell(instance, f"cat /var/log/{log}")


def test_a_failing_hook_and_leftovers_of_an_aborted_deployment(fleet: Fleet) -> None:
    """A hook fails the modern environment's deployment; the legacy one's finds files of others, and of ours."""
    modern, legacy = fleet.modern, fleet.legacy
    modern.variables["eb_hooks"] = [{"name": "broken", "where": "host", "command": "echo no >&2; exit 7"}]
    (instance,) = legacy.instances()
    legacy.shell(
        instance,
        f"cd {LEGACY_HOOKS}; printf '#!/bin/sh\\n' | tee theirs.sh tinyother.sh tiny_10_old.sh.bak >/dev/null;"
        " chmod +x *; echo 0000 >/var/lib/tiny_hooks/markers/first",
    )
    leaders = sum(each["hook"] == "first" for each in records(legacy, instance))
    for minimal in (modern, legacy):
        change(minimal, "second")
    run = fleet.play("deploy.yml")
    assert run.rc == 2
    assert "Hook broken failed with exit code 7" in run.output
    # EB keeps its copy of what files: overwrote: that one is the legacy hook's, not ours.
    assert legacy.shell(instance, f"ls {LEGACY_HOOKS}; ls /var/lib/tiny_hooks/markers").split() == THEIRS
    first = [each for each in records(legacy, instance) if each["hook"] == "first"]
    assert [each["ran"] for each in first[leaders:]] == [True]


def test_clean_hooks(fleet: Fleet) -> None:
    """It lists what an owner has left, names what others have, and removes the owner's when that is confirmed."""
    modern, legacy = fleet.modern, fleet.legacy
    (old,) = legacy.instances()
    left = {
        old: [
            f"{LEGACY_HOOKS}/tiny_10_old.sh",
            f"{LEGACY_HOOKS}/tiny_10_old.sh.bak",
            "/var/lib/tiny_hooks/markers/first",
        ],
        **{
            instance: [
                "/opt/elasticbeanstalk/tasks/taillogs.d/gone_hooks.conf",
                "/var/lib/gone_hooks",
                "/var/lib/gone_hooks/markers/migrate",
                "/var/log/gone-hooks.log",
            ]
            for instance in modern.instances()
        },
    }
    theirs = {
        old: [f"{LEGACY_HOOKS}/theirs.sh", "/var/log/other-hooks.log"],
        **{instance: ["/var/lib/tiny_hooks", "/var/log/tiny-hooks.log"] for instance in modern.instances()},
    }
    modern.variables["eb_hooks_prefix"] = "gone"
    where = {old: legacy, **dict.fromkeys(modern.instances(), modern)}
    for instance, minimal in where.items():
        paths = " ".join([*left[instance], *theirs[instance]])
        minimal.shell(instance, f"mkdir -p /var/lib/{{gone,tiny}}_hooks/markers; touch {paths}")

    listed = fleet.play("clean_hooks.yml")
    assert (listed.rc, listed.count("changed")) == (0, 0), listed.output
    removed = fleet.play("clean_hooks.yml", "-e", "clean_hooks_remove=true")
    assert (removed.rc, removed.count("changed")) == (0, 2), removed.output
    assert "Nothing was removed" in listed.output
    assert "needed by the version that runs: /var/log/tiny-hooks.log" in listed.output
    for instance in where:
        for path in left[instance]:
            assert f"left over: {path}" in listed.output, listed.output
            assert f"removed: {path}" in removed.output, removed.output
        for path in theirs[instance]:
            assert f"somebody else's, left alone: {path}" in listed.output.replace("''", "'"), listed.output
        paths = " ".join([*left[instance], *theirs[instance]])
        there = where[instance].shell(instance, f"ls -d {paths} 2>/dev/null; true").split()
        assert there == sorted(theirs[instance])
