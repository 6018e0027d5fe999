# SPDX-License-Identifier: GPL-3.0-or-later
"""The role hooks: what it renders is run here, against a folder instead of an instance and a stand-in for Docker."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.hooks.collectstatic import PROGRAM
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.leader.evidence import LEADER_TAG, tag_evidence

from .conftest import NASTY, NASTY_ENVIRONMENT
from .hook_instance import Instance, legacy_files

LEGACY_FOLDERS = "opt/elasticbeanstalk/hooks"


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


def test_every_file_and_every_name_carries_the_owners_prefix(rendered: dict[str, dict[str, Any]]) -> None:
    names: set[str] = set()
    for result in rendered.values():
        for file in result.get("overlay", []):
            names.add(Path(file["path"]).name)
            config = yaml.safe_load(file["content"]) if file["path"].endswith(".config") else {}
            names |= {*config.get("commands", {}), *config.get("container_commands", {})}
            for path in config.get("files", {}):
                own = Path(path).relative_to("/opt/elasticbeanstalk")
                names.add(own.name if own.parts[0] == "hooks" else own.parts[0])
    assert len(names) >= 10
    assert {name for name in names if not name.startswith("jack_")} == set()


@pytest.mark.parametrize(
    ("said", "code", "ends"),
    [
        ("Superuser created successfully.", 0, 0),
        ("CommandError: Error: That username is already taken.", 1, 0),
        ("CommandError: You must use --username with --noinput.", 1, 1),
        ("", 3, 3),
    ],
)
def test_superuser_who_is_there_already_is_no_failure(
    instance: Instance, rendered: dict[str, dict[str, Any]], said: str, code: int, ends: int
) -> None:
    """Django's words; every other failure stays one."""
    instance.install(rendered["superuser"]["overlay"])
    instance.program(
        "bin/python",
        f'#!/bin/sh\n[ "$*" = "manage.py createsuperuser --noinput" ] || exit 9\necho "{said}" >&2\nexit {code}\n',
    )
    done = instance.hook("createsuperuser")
    assert (done.returncode, said in done.stdout + done.stderr) == (ends, True)


def test_no_hooks_no_files(rendered: dict[str, dict[str, Any]]) -> None:
    assert rendered["none"]["overlay"] == []


@pytest.mark.parametrize(("case", "service"), [("one_service", "front"), ("no_compose", "''")])
def test_the_only_compose_service_is_the_one_meant(
    rendered: dict[str, dict[str, Any]], case: str, service: str
) -> None:
    (hook,) = (file for file in rendered[case]["overlay"] if file["path"].endswith("_migrate.sh"))
    assert f"\nhook_service={service}\n" in hook["content"]


def test_host_tasks_are_rendered_for_any_linux(rendered: dict[str, dict[str, Any]]) -> None:
    assert any(file["path"].endswith("jack_10_task.sh") for file in rendered["on_host"]["overlay"])


def test_tasks_of_a_python_platform_run_in_its_virtual_environment_as_its_user(
    instance: Instance, rendered: dict[str, dict[str, Any]]
) -> None:
    instance.install(rendered["in_venv"]["overlay"])
    instance.program("bin/runuser", '#!/bin/bash\necho "$2" >>"$JACK_HOOKS_ROOT/users"\nshift 3\nexec "$@"\n')
    missing = instance.hook()
    assert (missing.returncode, missing.stderr.splitlines()[0]) == (
        1,
        "No virtual environment in /var/app/venv: is this a Python platform?",
    )
    venv = instance.root / "var/app/venv/staging-LQM1lest"
    instance.program("var/app/venv/staging-LQM1lest/bin/site", "#!/bin/sh\necho site: $*\n")
    instance.write("var/app/venv/staging-LQM1lest/bin/activate", "")
    for folder in ("var/app/current", "var/app/staging/shop"):
        (instance.root / folder).mkdir(parents=True)
    done, early = instance.hook(), instance.hook("early", "predeploy")
    assert done.stdout.splitlines()[0] == f"site: {venv} {instance.root}/var/app/current hello"
    assert early.stdout.splitlines()[0] == f"site: {instance.root}/var/app/staging/shop"
    assert (instance.root / "users").read_text().split() == ["webapp", "root"]
    assert not (instance.root / "docker.log").exists()


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


# Stands for the container's Python: notes what it is called with.
PYTHON = """#!/bin/sh
printf '%s\\0' "$@" >"$JACK_HOOKS_ROOT/arguments"
"""


@pytest.mark.parametrize("case", ["django", "legacy"])
def test_the_program_of_collectstatic_arrives_as_written(
    instance: Instance, rendered: dict[str, dict[str, Any]], case: str
) -> None:
    instance.program("bin/python", PYTHON)
    if case == "legacy":
        instance.install_legacy(rendered[case]["overlay"])
        instance.program("opt/elasticbeanstalk/bin/get-config", "#!/bin/sh\necho '{}'\n")
        done = legacy(instance, "appdeploy/post", "jack_10_collectstatic.sh")
    else:
        instance.install(rendered[case]["overlay"])
        done = instance.hook("collectstatic")
    assert done.returncode == 0, done.stderr
    arguments = (instance.root / "arguments").read_text().split("\0")[:-1]
    assert arguments == ["manage.py", "shell", "-c", PROGRAM]


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
    assert sorted(legacy_files(rendered["legacy"]["overlay"])) == [
        "/opt/elasticbeanstalk/hooks/appdeploy/post/jack_10_collectstatic.sh",
        "/opt/elasticbeanstalk/hooks/appdeploy/post/jack_20_task.sh",
        "/opt/elasticbeanstalk/hooks/appdeploy/post/jack_9999_clean.sh",
        "/opt/elasticbeanstalk/hooks/configdeploy/post/jack_10_collectstatic.sh",
        "/opt/elasticbeanstalk/jack_hooks/hooks.sh",
    ]
    instance.install_legacy(rendered["legacy"]["overlay"])
    post = instance.root / LEGACY_FOLDERS / "appdeploy/post"
    for name in ("jack_20_task.sh.bak", "jackson_10_task.sh", "01_eb.sh", "jack_notes.sh"):
        (post / name).write_text("#!/bin/bash\n")
    assert instance.run("bash", str(post / "jack_20_task.sh.bak")).returncode == 0
    assert instance.run("bash", str(post / "jack_9999_clean.sh")).returncode == 0
    assert sorted(path.name for path in post.iterdir()) == ["01_eb.sh", "jack_notes.sh", "jackson_10_task.sh"]
    assert (instance.root / LEGACY_FOLDERS / "configdeploy/post/jack_10_collectstatic.sh").exists()


def legacy(instance: Instance, folder: str, name: str) -> subprocess.CompletedProcess[str]:
    return instance.run("bash", str(instance.root / LEGACY_FOLDERS / folder / name), SITE="set already")


def test_legacy_tasks_get_the_environment_properties(instance: Instance, rendered: dict[str, dict[str, Any]]) -> None:
    """EB gives them to hooks on later platforms; there, nothing that is set is replaced."""
    instance.install_legacy(rendered["legacy_properties"]["overlay"])
    properties = {"GREETING": 'h\u00e9llo\n"wörld"', "SITE": "new", "hook_prefix": "evil", "a.b": "c", "EMPTY": ""}
    instance.program("opt/elasticbeanstalk/bin/get-config", f"#!/bin/sh\ncat <<'END'\n{json.dumps(properties)}\nEND\n")
    on_host = legacy(instance, "appdeploy/post", "jack_10_host.sh")
    assert (on_host.returncode, on_host.stdout.splitlines()[:3]) == (0, ["h\u00e9llo", '"wörld"', "set already|set"])
    inside = legacy(instance, "appdeploy/pre", "jack_20_inside.sh")
    assert (inside.returncode, inside.stdout.splitlines()[:2]) == (0, ["h\u00e9llo", '"wörld"'])
    assert "--env GREETING --env" in (instance.root / "docker.log").read_text()
    assert [record["hook"] for record in instance.log()] == ["host", "inside"]


def test_a_legacy_task_is_not_started_without_the_properties(
    instance: Instance, rendered: dict[str, dict[str, Any]]
) -> None:
    instance.install_legacy(rendered["legacy_properties"]["overlay"])
    instance.program("opt/elasticbeanstalk/bin/get-config", "#!/bin/sh\nexit 1\n")
    done = legacy(instance, "appdeploy/post", "jack_10_host.sh")
    assert (done.returncode, "The environment properties cannot be read" in done.stderr) == (1, True)
    assert "set already" not in done.stdout


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
        ("bad_once_store", 'The once store "s3://bucket" must be a bucket and a prefix'),
        ("bad_name", 'Hook "a b": the name must be'),
        ("bad_empty", "Hook 1 (a): it needs a preset, or a name and a command."),
        ("bad_config", "configuration deployments elect no leader"),
        ("bad_phase", "the leader is marked after the phase prebuild"),
        ("bad_early", "in the phase prebuild the application is not built yet"),
        ("bad_service", "in the phase predeploy no compose service of this version runs yet"),
        ("bad_twice", "Two hooks have the same name"),
        ("bad_timeout", "timeout must be 1 to 3600 seconds"),
        ("bad_platform", 'Hook "createsu": the platform Node.js 22 running on 64bit Amazon Linux 2023 runs no'),
        (
            "bad_services",
            'Hook "migrate": docker-compose.yml starts a and b, and which of them is meant nobody',
        ),
        ("bad_source", "The application source /nonexistent is not a folder"),
        ("bad_variable", '"A-B" is not a name for an environment variable'),
    ],
)
def test_bad_input_is_refused_in_one_sentence(rendered: dict[str, dict[str, Any]], case: str, sentence: str) -> None:
    assert sentence in rendered[case]["error"]
    assert "\n" not in rendered[case]["error"]
