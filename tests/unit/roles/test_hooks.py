# SPDX-License-Identifier: GPL-3.0-or-later
"""The role hooks: what it renders is run here, against a folder instead of an instance and a stand-in for Docker."""

from __future__ import annotations

import concurrent.futures
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader_evidence import LEADER_TAG, tag_evidence

ROOT = Path(__file__).resolve().parents[3]
NASTY = r"""printf '%s|' "$A" 'it''s' "$(echo sub)" `echo tick` \\ $'\t' '%d' "a  b" \
  '$HOME'; echo "rc" # end
"""
NASTY_ENVIRONMENT = {"A": 'it\'s "x" $HOME `id` \\'}

# Container c-app answers at nginx's address; c-other is a helper. "exec" runs the command here.
DOCKER = r"""#!/bin/bash
echo "$*" >>"$FAKE_DOCKER_LOG"
case $1 in
  ps) [ -n "${FAKE_DOCKER_EMPTY:-}" ] || printf 'c-other\nc-app\n' ;;
  inspect) printf 'c-other sha256:1 redis 172.17.0.9 \nc-app sha256:2 xyz 172.17.0.5 \n' ;;
  image) echo "${FAKE_DOCKER_CURRENT:-sha256:none}" ;;
  exec | run)
    while [ $# -gt 0 ]; do
      case $1 in --env) case $2 in *=*) export "$2" ;; esac; shift ;; sh) break ;; esac
      shift
    done
    exec "$@" ;;
esac
"""

# S3 as far as the ledger needs it: a folder for a bucket, and conditional writes. EC2 as far as tags are set.
AWS = r"""#!/bin/bash
shift
verb=$1
shift
if [ "$verb" = create-tags ]; then
  [ -z "${FAKE_AWS_DENIED:-}" ] || { echo "An error occurred (UnauthorizedOperation)" >&2; exit 254; }
  printf '%s\n' "$@" >"$JACK_HOOKS_ROOT/tagged"
fi
while [ $# -gt 0 ]; do
  case $1 in --bucket) bucket=$2 ;; --key) key=$2 ;; --body) body=$2 ;; --if-none-match) new=yes ;; esac
  shift
done
file=$JACK_HOOKS_ROOT/../s3/$bucket/$key
mkdir -p "${file%/*}"
case $verb in
  put-object)
    [ -z "${FAKE_AWS_DENIED:-}" ] || { echo "An error occurred (AccessDenied)" >&2; exit 254; }
    [ -z "${new:-}" ] || [ ! -e "$file" ] || { echo "An error occurred (PreconditionFailed)" >&2; exit 254; }
    cat "$body" >"$file" ;;
  get-object) : >"$JACK_HOOKS_ROOT/asked"; [ -z "${FAKE_AWS_UNREADABLE:-}" ] && cat "$file" ;;
esac
"""

RENDER = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Render each case
      ansible.builtin.include_tasks: case.yml
      loop: "{{ cases }}"
      loop_control: {loop_var: case}
"""
CASE = """
- name: Try
  block:
    - ansible.builtin.include_role: {name: jack.beanstalk.hooks}
      vars:
        hooks_prefix: "{{ case.prefix | default('jack') }}"
        hooks_list: "{{ case.hooks }}"
        hooks_ledger: "{{ case.ledger | default('') }}"
        hooks_generation: "{{ case.generation | default('al2023') }}"
    - ansible.builtin.copy:
        dest: "{{ out }}/{{ case.name }}.json"
        content: "{{ {'overlay': hooks_overlay} | to_json }}"
        mode: "0600"
  rescue:
    - ansible.builtin.copy:
        dest: "{{ out }}/{{ case.name }}.json"
        content: "{{ {'error': ansible_failed_result.msg} | to_json }}"
        mode: "0600"
"""
HOST = {"name": "task", "where": "host"}
LEADER = {**HOST, "command": 'echo ran >>"$JACK_HOOKS_ROOT/ran"', "leader_only": True}
CASES: list[dict[str, Any]] = [
    {"name": "django", "hooks": [{"preset": "collectstatic"}, {"preset": "migrate"}, {"preset": "createsu"}]},
    {"name": "leader", "hooks": [LEADER]},
    {
        "name": "ledger",
        "ledger": "bucket/pre/fix",
        "hooks": [{**LEADER, "command": LEADER["command"] + "; exit $CODE"}],
    },
    {"name": "fails", "hooks": [{**HOST, "command": "echo broken >&2; exit 7"}]},
    {"name": "warns", "hooks": [{**HOST, "command": "exit 7", "on_failure": "warn"}]},
    {"name": "hangs", "hooks": [{**HOST, "command": "sleep 60", "timeout": 1}]},
    {"name": "nasty", "hooks": [{**HOST, "command": NASTY, "environment": NASTY_ENVIRONMENT}]},
    {"name": "nasty_inside", "hooks": [{"name": "task", "command": NASTY, "environment": NASTY_ENVIRONMENT}]},
    {"name": "predeploy", "hooks": [{"name": "task", "command": "echo $SITE", "phase": "predeploy"}]},
    {"name": "legacy", "generation": "al1", "hooks": [{"preset": "collectstatic"}, LEADER]},
    {"name": "tag", "hooks": [{"preset": "tag_leader"}]},
    {"name": "none", "hooks": []},
    {"name": "bad_prefix", "prefix": "Jack_1", "hooks": [{"preset": "migrate"}]},
    {"name": "bad_ledger", "ledger": "s3://bucket", "hooks": [{"preset": "migrate"}]},
    {"name": "bad_name", "hooks": [{"name": "a b", "command": "true"}]},
    {"name": "bad_empty", "hooks": [{"name": "a"}]},
    {"name": "bad_config", "hooks": [{"preset": "migrate", "on_config_deploy": True}]},
    {"name": "bad_phase", "hooks": [{"preset": "migrate", "phase": "prebuild", "where": "host"}]},
    {"name": "bad_early", "hooks": [{"preset": "collectstatic", "phase": "prebuild"}]},
    {"name": "bad_service", "hooks": [{"preset": "collectstatic", "service": "web", "phase": "predeploy"}]},
    {"name": "bad_twice", "hooks": [{"preset": "migrate"}, {"preset": "migrate"}]},
    {"name": "bad_timeout", "hooks": [{"preset": "migrate", "timeout": 9999}]},
    {"name": "bad_variable", "hooks": [{"preset": "migrate", "environment": {"A-B": "x"}}]},
]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Every case above through the real role, in one Ansible run."""
    folder = tmp_path_factory.mktemp("rendered")
    (folder / "site.yml").write_text(RENDER)
    (folder / "case.yml").write_text(CASE)
    # Commands are texts of the user's, not templates: what Ansible would call unsafe.
    (folder / "vars.json").write_text(json.dumps({"cases": CASES, "out": str(folder)}))
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"),
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
    }
    ansible = Path(sys.executable).with_name("ansible-playbook")
    run = subprocess.run(
        [
            *(ansible, "-i", "localhost,", "site.yml", "-e", "@vars.json"),
            *("-e", f"ansible_python_interpreter={sys.executable}"),
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return {case["name"]: json.loads((folder / f"{case['name']}.json").read_text()) for case in CASES}


@dataclass
class Instance:
    """A folder that looks like an instance to the hooks."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for folder in ("bin", "var/log", "var/lib/cloud/data", "opt/elasticbeanstalk/deployment", "etc/nginx/conf.d"):
            (self.root / folder).mkdir(parents=True)
        for name, text in (("docker", DOCKER), ("aws", AWS)):
            program = self.root / "bin" / name
            program.write_text(text)
            program.chmod(0o755)
        self.write("var/lib/cloud/data/instance-id", "i-0123456789abcdef0\n")
        self.write(
            "etc/nginx/conf.d/elasticbeanstalk-nginx-docker-upstream.conf",
            "upstream docker {\n\tserver 172.17.0.5:80;\n}\n",
        )
        self.bundle("one")

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def bundle(self, content: str) -> str:
        self.write("opt/elasticbeanstalk/deployment/app_source_bundle", content)
        manifest = {"RuntimeSources": {"blog": {f"blog-{content}": {"s3url": ""}}}, "DeploymentId": 1}
        self.write("opt/elasticbeanstalk/deployment/app_version_manifest.json", json.dumps(manifest))
        return hashlib.sha256(content.encode()).hexdigest()

    def install(self, overlay: list[dict[str, str]]) -> None:
        for file in overlay:
            self.write(f"app/{file['path']}", file["content"])
            (self.root / "app" / file["path"]).chmod(int(file["mode"], 8))

    def run(self, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.root / "app",
            env={
                "PATH": f"{self.root}/bin:{os.environ['PATH']}",
                "HOME": "/home",
                "JACK_HOOKS_ROOT": str(self.root),
                "FAKE_DOCKER_LOG": str(self.root / "docker.log"),
                **environment,
            },
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    def mark(self, name: str = "task") -> None:
        done = self.run("bash", ".platform/files/jack_hooks.sh", "mark", "jack", name)
        assert done.returncode == 0, done.stderr

    def hook(
        self, name: str = "task", phase: str = "postdeploy", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        (script,) = (self.root / f"app/.platform/hooks/{phase}").glob(f"jack_*_{name}.sh")
        return self.run(str(script.relative_to(self.root / "app")), **environment)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.root / "var/log/jack-hooks.log").read_text().splitlines()]

    def ran(self) -> int:
        path = self.root / "ran"
        return len(path.read_text().splitlines()) if path.exists() else 0


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path / "instance")


@pytest.fixture
def leader(instance: Instance, rendered: dict[str, dict[str, Any]]) -> Instance:
    instance.install(rendered["leader"]["overlay"])
    return instance


def test_django_presets_become_hooks_and_markers(rendered: dict[str, dict[str, Any]]) -> None:
    overlay = {file["path"]: file for file in rendered["django"]["overlay"]}
    assert sorted(path for path in overlay if path.endswith(".sh")) == [
        ".platform/confighooks/postdeploy/jack_10_collectstatic.sh",
        ".platform/files/jack_hooks.sh",
        ".platform/hooks/postdeploy/jack_10_collectstatic.sh",
        ".platform/hooks/postdeploy/jack_20_migrate.sh",
        ".platform/hooks/postdeploy/jack_30_createsu.sh",
    ]
    assert {file["mode"] for path, file in overlay.items() if path.endswith(".sh")} == {"0755"}
    config = yaml.safe_load(overlay[".ebextensions/jack_hooks.config"]["content"])
    assert list(config["container_commands"]) == ["jack_20_migrate", "jack_30_createsu"]
    assert all(command["leader_only"] is True for command in config["container_commands"].values())
    assert "python manage.py migrate --noinput\n" in overlay[".platform/hooks/postdeploy/jack_20_migrate.sh"]["content"]


def test_no_hooks_no_files(rendered: dict[str, dict[str, Any]]) -> None:
    assert rendered["none"]["overlay"] == []


def test_leader_runs_once_and_reports(leader: Instance) -> None:
    leader.mark()
    assert leader.hook(EB_IS_COMMAND_LEADER="true").returncode == 0
    assert leader.ran() == 1
    (record,) = leader.log()
    assert record["hook"] == "task"
    assert (record["leader"], record["ran"], record["rc"], record["reason"]) == (True, True, 0, "leader")
    assert record["bundle_sha256"] == hashlib.sha256(b"one").hexdigest()
    assert (record["version_label"], record["deployment_id"]) == ("blog-one", 1)
    assert record["instance_id"] == "i-0123456789abcdef0"
    again = leader.hook()
    assert (again.returncode, leader.ran()) == (0, 1)
    assert leader.log()[-1]["reason"] == "not the leader"


def test_label_and_instance_come_from_the_engine_log_when_there_is_no_other_note(leader: Instance) -> None:
    (leader.root / "opt/elasticbeanstalk/deployment/app_version_manifest.json").unlink()
    (leader.root / "var/lib/cloud/data/instance-id").unlink()
    leader.write(
        "var/log/eb-engine.log",
        "Downloading: bucket: b, object: resources/environments/e-1/_runtime/_versions/blog/blog-0, expected owner: 1\n"
        "Downloading: bucket: b, object: resources/environments/e-1/_runtime/_versions/blog/blog-9, expected owner: 1\n"
        "Running leader election for instance i-00000000000000009...\n",
    )
    leader.mark()
    leader.hook()
    (record,) = leader.log()
    assert (record["version_label"], record["instance_id"]) == ("blog-9", "i-00000000000000009")
    assert record["deployment_id"] is None


def test_not_the_leader_does_nothing(leader: Instance) -> None:
    done = leader.hook(EB_IS_COMMAND_LEADER="false")
    assert (done.returncode, leader.ran()) == (0, 0)
    assert (leader.log()[0]["leader"], leader.log()[0]["ran"], leader.log()[0]["rc"]) == (False, False, None)


def test_stale_marker_of_another_bundle_is_removed_not_obeyed(leader: Instance) -> None:
    leader.mark()
    leader.bundle("two")
    assert leader.hook().returncode == 0
    assert leader.ran() == 0
    assert leader.log()[0]["reason"] == "stale marker of another bundle removed"
    assert list((leader.root / "var/lib/jack_hooks/markers").iterdir()) == []


def test_marker_of_an_aborted_deployment_of_the_same_bundle_is_not_obeyed(leader: Instance) -> None:
    leader.mark()
    assert leader.hook(EB_IS_COMMAND_LEADER="false").returncode == 0
    assert leader.ran() == 0
    assert leader.hook(EB_IS_COMMAND_LEADER="true").returncode == 0
    assert leader.ran() == 0


@pytest.mark.parametrize(("elected", "says"), [("true", "leader"), ("false", "not_leader")])
def test_tag_leader_sets_the_tag_that_leader_info_reads(
    instance: Instance, rendered: dict[str, dict[str, Any]], elected: str, says: str
) -> None:
    instance.install(rendered["tag"]["overlay"])
    assert instance.hook("tag_leader", EB_IS_COMMAND_LEADER=elected).returncode == 0
    *resources, _option, tag = (instance.root / "tagged").read_text().splitlines()
    assert resources == ["--resources", "i-0123456789abcdef0"]
    key, value = tag.split(",Value=")
    assert key == f"Key={LEADER_TAG}"
    (told,) = tag_evidence("i-0123456789abcdef0", json.loads(value))
    assert (told.says, told.version_label, told.deployment_id) == (says, "blog-one", 1)
    assert told.at is not None
    assert told.at[:16] == instance.log()[0]["at"][:16]


def test_tag_leader_keeps_any_label_and_fails_no_deployment(
    instance: Instance, rendered: dict[str, dict[str, Any]]
) -> None:
    instance.install(rendered["tag"]["overlay"])
    instance.bundle('a "b" \\ c,d')
    assert instance.hook("tag_leader").returncode == 0
    assert not (instance.root / "tagged").exists(), "nobody was elected"
    assert instance.hook("tag_leader", EB_IS_COMMAND_LEADER="true", FAKE_AWS_DENIED="1").returncode == 0
    assert instance.log()[-1]["rc"] == 254
    (instance.root / "opt/elasticbeanstalk/deployment/app_version_manifest.json").unlink()
    instance.write("var/log/eb-engine.log", 'object: resources/environments/e-1/_runtime/_versions/blog/a "b" \\, \n')
    assert instance.hook("tag_leader", EB_IS_COMMAND_LEADER="true").returncode == 0
    value = (instance.root / "tagged").read_text().splitlines()[-1].split(",Value=")[1]
    assert re.fullmatch(r'leader - \S+ a "b" \\', json.loads(value))


def test_marker_is_consumed_even_when_the_task_fails(leader: Instance) -> None:
    leader.mark()
    (leader.root / "ran").mkdir()
    assert leader.hook().returncode != 0
    (leader.root / "ran").rmdir()
    assert leader.hook().returncode == 0
    assert leader.ran() == 0


def test_ledger_lets_one_leader_of_several_run_it(tmp_path: Path, rendered: dict[str, dict[str, Any]]) -> None:
    first, second = Instance(tmp_path / "first"), Instance(tmp_path / "second")
    for instance in (first, second):
        instance.install(rendered["ledger"]["overlay"])
        instance.mark()
        assert instance.hook(CODE="0").returncode == 0
    assert (first.ran(), second.ran()) == (1, 0)
    (record,) = first.log()
    assert (record["ledger"], record["reason"]) == ("s3", "leader")
    (refused,) = second.log()
    assert (refused["ledger"], refused["ran"]) == ("s3", False)
    assert refused["reason"].startswith("the ledger says that this version has run it: i-0123456789abcdef0 ")
    second.bundle("two")
    second.mark()
    second.hook(CODE="0")
    assert second.ran() == 1


def test_ledger_lets_another_attempt_begin_when_one_has_failed(
    instance: Instance, rendered: dict[str, dict[str, Any]]
) -> None:
    instance.install(rendered["ledger"]["overlay"])
    for code in (3, 0, 0):
        instance.mark()
        assert instance.hook(CODE=str(code)).returncode == code
    assert instance.ran() == 2
    reasons = [record["reason"] for record in instance.log()]
    assert re.fullmatch(r"leader; attempt 2, because the one of i-0123456789abcdef0 at \S+ failed", reasons[1])
    assert reasons[2].startswith("the ledger says that this version has run it: i-0123456789abcdef0 ")


def claim(instance: Instance, text: str) -> Path:
    path = instance.root.parent / "s3/bucket/pre/fix" / hashlib.sha256(b"one").hexdigest() / "task.1"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_ledger_gives_up_an_attempt_that_was_killed(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["ledger"]["overlay"])
    claim(instance, f"running i-9 2026-01-01T00:00:00Z {int(time.time()) - 1}\n")
    instance.mark()
    assert instance.hook(CODE="0").returncode == 0
    assert instance.ran() == 1
    reason = "leader; attempt 2, because the one of i-9 at 2026-01-01T00:00:00Z never ended"
    assert [record["reason"] for record in instance.log()] == [reason]


def test_ledger_makes_a_leader_wait_for_another(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["ledger"]["overlay"])
    until = int(time.time()) + 300
    path = claim(instance, f"running i-9 2026-01-01T00:00:00Z {until}\n")
    instance.mark()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waiting = pool.submit(instance.hook, CODE="0")
        while not (instance.root / "asked").exists():
            assert not waiting.done(), waiting.result()
        path.write_text(f"done i-9 2026-01-01T00:00:00Z {until}\n")
        assert waiting.result().returncode == 0
    assert instance.ran() == 0
    (record,) = instance.log()
    assert record["reason"] == "the ledger says that this version has run it: i-9 2026-01-01T00:00:00Z"


def test_an_unreadable_ledger_forbids_a_run(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["ledger"]["overlay"])
    claim(instance, "running i-9 2026-01-01T00:00:00Z 1\n")
    instance.mark()
    assert instance.hook(CODE="0", FAKE_AWS_UNREADABLE="1").returncode == 0
    assert instance.ran() == 0
    assert instance.log()[0]["reason"] == "the ledger has an attempt that this instance may not read"


def test_without_a_usable_ledger_the_marker_decides(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["ledger"]["overlay"])
    instance.mark()
    done = instance.hook(CODE="0", FAKE_AWS_DENIED="1")
    assert (done.returncode, instance.ran()) == (0, 1)
    assert "No ledger, the marker alone decides: An error occurred (AccessDenied)" in done.stderr
    assert instance.log()[0]["ledger"] == "unavailable"


def test_markers_are_out_of_reach_for_others(leader: Instance) -> None:
    leader.mark()
    state = leader.root / "var/lib/jack_hooks"
    assert state.stat().st_mode & 0o777 == 0o700
    assert (state / "markers/task").stat().st_mode & 0o777 == 0o600


def test_a_link_in_place_of_the_state_folder_is_refused(leader: Instance, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (leader.root / "var/lib/jack_hooks").symlink_to(tmp_path / "elsewhere")
    assert leader.run("bash", ".platform/files/jack_hooks.sh", "mark", "jack", "task").returncode == 1
    assert leader.hook().returncode == 0
    assert leader.ran() == 0


def test_failure_fails_the_deployment_and_says_so(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["fails"]["overlay"])
    done = instance.hook()
    assert done.returncode == 7
    assert "broken" in done.stderr
    assert "Hook task failed with exit code 7" in done.stderr
    assert (instance.log()[0]["ran"], instance.log()[0]["rc"]) == (True, 7)


def test_failure_that_only_warns(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["warns"]["overlay"])
    assert instance.hook().returncode == 0
    assert instance.log()[0]["rc"] == 7


def test_timeout(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["hangs"]["overlay"])
    assert instance.hook().returncode == 124
    assert instance.log()[0]["reason"] == "every instance; ended after 1 s"


@pytest.mark.parametrize(("case", "shell"), [("nasty", "bash"), ("nasty_inside", "sh")])
def test_any_command_arrives_as_written(
    instance: Instance, rendered: dict[str, dict[str, Any]], case: str, shell: str
) -> None:
    instance.install(rendered[case]["overlay"])
    expected = subprocess.run(
        [shell, "-c", NASTY],
        env={**os.environ, **NASTY_ENVIRONMENT, "HOME": "/home"},
        capture_output=True,
        text=True,
        check=True,
    )
    done = instance.hook()
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(expected.stdout)


def test_the_container_is_the_one_that_gets_the_traffic(
    instance: Instance, rendered: dict[str, dict[str, Any]]
) -> None:
    instance.install(rendered["nasty_inside"]["overlay"])
    instance.hook()
    (call,) = [line for line in (instance.root / "docker.log").read_text().splitlines() if line.startswith("exec ")]
    assert " c-app sh -c" in call
    assert "HOOK_VERSION_LABEL=blog-one" in call


def test_without_nginx_the_current_image_decides(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["nasty_inside"]["overlay"])
    (instance.root / "etc/nginx/conf.d/elasticbeanstalk-nginx-docker-upstream.conf").unlink()
    assert instance.hook(FAKE_DOCKER_CURRENT="sha256:2").returncode == 0
    assert " c-app sh -c" in (instance.root / "docker.log").read_text()
    undecided = instance.hook()
    assert undecided.returncode == 125
    assert "Cannot tell which of the running containers is the application" in undecided.stderr


def test_no_container_is_a_failure(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["nasty_inside"]["overlay"])
    done = instance.hook(FAKE_DOCKER_EMPTY="1")
    assert (done.returncode, "No container is running" in done.stderr) == (125, True)
    assert instance.log()[0]["rc"] == 125


def test_predeploy_uses_a_container_of_the_new_image(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    instance.install(rendered["predeploy"]["overlay"])
    assert instance.hook(phase="predeploy", SITE="example").stdout.startswith("example\n")
    assert "--env SITE" in (instance.root / "docker.log").read_text()


def test_legacy_scripts_remove_themselves_and_nobody_elses(
    instance: Instance, rendered: dict[str, dict[str, Any]]
) -> None:
    overlay = {file["path"]: file["content"] for file in rendered["legacy"]["overlay"]}
    shipped = yaml.safe_load(overlay[".ebextensions/jack_hooks.config"])["files"]
    assert sorted(shipped) == [
        "/opt/elasticbeanstalk/hooks/appdeploy/post/jack_10_collectstatic.sh",
        "/opt/elasticbeanstalk/hooks/appdeploy/post/jack_20_task.sh",
        "/opt/elasticbeanstalk/hooks/appdeploy/post/jack_9999_clean.sh",
        "/opt/elasticbeanstalk/hooks/configdeploy/post/jack_10_collectstatic.sh",
        "/opt/elasticbeanstalk/jack_hooks/hooks.sh",
    ]
    for path, file in shipped.items():
        instance.write(path.lstrip("/"), file["content"])
    post = instance.root / "opt/elasticbeanstalk/hooks/appdeploy/post"
    for name in ("jack_20_task.sh.bak", "jackson_10_task.sh", "01_eb.sh", "jack_notes.sh"):
        (post / name).write_text("#!/bin/bash\n")
    (instance.root / "app").mkdir()
    assert instance.run("bash", str(post / "jack_20_task.sh.bak")).returncode == 0
    assert instance.run("bash", str(post / "jack_9999_clean.sh")).returncode == 0
    assert sorted(path.name for path in post.iterdir()) == ["01_eb.sh", "jack_notes.sh", "jackson_10_task.sh"]
    assert (instance.root / "opt/elasticbeanstalk/hooks/configdeploy/post/jack_10_collectstatic.sh").exists()


def test_shellcheck_finds_nothing_in_what_is_rendered(tmp_path: Path, rendered: dict[str, dict[str, Any]]) -> None:
    shellcheck = shutil.which("shellcheck")
    assert shellcheck, "apt-get install shellcheck"
    scripts: set[str] = set()
    for result in rendered.values():
        for file in result.get("overlay", []):
            texts = [file["content"]] if file["path"].endswith(".sh") else []
            if file["path"].endswith(".config"):
                config = yaml.safe_load(file["content"])
                texts += ["#!/bin/sh\n" + command["command"] for command in config.get("commands", {}).values()]
                texts += [shipped["content"] for shipped in config.get("files", {}).values()]
            scripts.update(texts)
    assert len(scripts) >= 15
    for number, text in enumerate(sorted(scripts)):
        (tmp_path / f"{number}.sh").write_text(text)
    done = subprocess.run([shellcheck, *map(str, tmp_path.iterdir())], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("bad_prefix", 'The hook prefix "Jack_1" must be 1 to 31 small letters and digits'),
        ("bad_ledger", 'The ledger "s3://bucket" must be a bucket and a prefix'),
        ("bad_name", 'Hook "a b": the name must be'),
        ("bad_empty", "Hook 1 (a): it needs a preset, or a name and a command."),
        ("bad_config", "configuration deployments elect no leader"),
        ("bad_phase", "the leader is marked after the phase prebuild"),
        ("bad_early", "in the phase prebuild there is no image yet"),
        ("bad_service", "in the phase predeploy no compose service of this version runs yet"),
        ("bad_twice", "Two hooks have the same name"),
        ("bad_timeout", "timeout must be 1 to 3600 seconds"),
        ("bad_variable", '"A-B" is not a name for an environment variable'),
    ],
)
def test_bad_input_is_refused_in_one_sentence(rendered: dict[str, dict[str, Any]], case: str, sentence: str) -> None:
    assert sentence in rendered[case]["error"]
    assert "\n" not in rendered[case]["error"]
