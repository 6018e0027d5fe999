# SPDX-License-Identifier: GPL-3.0-or-later
"""The report, the platforms, and faults seeded into one realistic bundle."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.bundle import UnreadableBundleError
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lint.runner import lint_bundle
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.platform.generation import Platform, recognise

AL2 = Platform("al2", "plain")
AL2023 = "64bit Amazon Linux 2023 v4.3.0 running Docker"

CLEAN = {
    "Dockerfile": "FROM blog:base\nCOPY . /srv\nEXPOSE 8000\nCMD gunicorn config.wsgi\n",
    "manage.py": "",
    ".ebextensions/01_options.config": """\
option_settings:
  aws:elasticbeanstalk:command:
    DeploymentPolicy: Rolling
    BatchSizeType: Fixed
    BatchSize: 1
  aws:elasticbeanstalk:application:environment:
    DJANGO_SETTINGS_MODULE: config.settings.production
  aws:elasticbeanstalk:environment:process:default:
    HealthCheckPath: /health/
    MatcherHTTPCode: 200-399
  aws:rds:dbinstance:
    DBDeletionPolicy: Snapshot
    DBUser: blog
""",
    ".ebextensions/02_commands.config": """\
packages:
  yum:
    jq: []
files:
  "/etc/cron.d/clean":
    mode: "000644"
    owner: root
    group: root
    content: |
      0 3 * * * root docker exec web python manage.py clearsessions
container_commands:
  01_marker:
    command: "touch /tmp/migrate"
    leader_only: true
  02_all:
    command: echo hello
    test: "[ -f /tmp/hello ]"
""",
    ".platform/hooks/postdeploy/01_migrate.sh": (
        "#!/bin/bash\nset -e\nid=$(docker ps -q --filter ancestor=aws_beanstalk/current-app)\n"
        'docker exec "$id" python manage.py migrate --noinput\n'
    ),
}

# (file, text to replace, replacement, rule, line)
SEEDS = [
    ("01_options", "DeploymentPolicy: Rolling", "DeploymentPolicy: Rollin", "option-value", 3),
    ("01_options", "BatchSize: 1", "BatchSizes: 1", "unknown-option", 5),
    ("01_options", "aws:elasticbeanstalk:command", "aws:elasticbeanstalk:commands", "unknown-namespace", 3),
    ("01_options", "HealthCheckPath: /health/", "HealtCheckPath: /health/", "unknown-option", 9),
    ("01_options", "MatcherHTTPCode: 200-399", "MatcherHTTPCode: 2xx", "option-value", 10),
    ("01_options", "DBDeletionPolicy: Snapshot", "DBDeletionPolicy: Delete", "rds-deletion-policy", 12),
    ("01_options", "DBUser: blog", "DBPassword: s3cr3tvalue", "secret-in-property", 13),
    ("01_options", "DJANGO_SETTINGS_MODULE: config", "DJANGO_SECRET_KEY: s3cr3tvalue #", "secret-in-property", 7),
    ("01_options", "option_settings:", "option-settings:", "unknown-key", 1),
    ("01_options", "    BatchSizeType: Fixed", "\tBatchSizeType: Fixed", "yaml-syntax", 4),
    ("01_options", "BatchSizeType: Fixed", "DeploymentPolicy: Immutable", "duplicate-key", 4),
    ("02_commands", "files:", "packages:", "duplicate-key", 4),
    ("02_commands", "    jq: []", "    - jq", "wrong-type", 2),
    ("02_commands", 'mode: "000644"', "mode: u=rw", "wrong-type", 6),
    ("02_commands", "owner: root", "ownr: root", "unknown-key", 7),
    ("02_commands", "docker exec web", "docker exec -it web", "docker-exec-tty", 10),
    ("02_commands", "docker exec web", "docker exec $(docker ps -q) ", "docker-exec-all", 10),
    ("02_commands", "leader_only: true", "leader_olny: true", "unknown-key", 14),
    ("02_commands", "leader_only: true", "leader_only: true\n    test: x", "leader-only-with-test", 15),
    ("02_commands", 'command: "touch /tmp/migrate"', "cwd: /tmp", "missing-key", 12),
    ("02_commands", '"/etc/cron.d/clean"', "/opt/elasticbeanstalk/hooks/appdeploy/post/a", "legacy-path-on-modern", 5),
    ("01_migrate", "#!/bin/bash\n", "", "hook-no-shebang", 1),
    ("01_migrate", "set -e\n", "set -e\r\n", "hook-crlf", 2),
    ("01_migrate", " --filter ancestor=aws_beanstalk/current-app", "", "docker-exec-all", 4),
    ("Dockerfile", "EXPOSE 8000\n", "", "dockerfile-no-expose", 1),
]


def test_the_clean_bundle_is_clean(lint):
    assert [str(item) for item in lint(CLEAN, AL2023).findings] == []


@pytest.mark.parametrize(("file", "old", "new", "rule", "line"), SEEDS)
def test_seeded_fault_is_found(lint, file, old, new, rule, line):
    name = next(name for name in CLEAN if file in name)
    assert old in CLEAN[name]
    report = lint({**CLEAN, name: CLEAN[name].replace(old, new, 1)}, AL2023)
    assert (rule, name, line) in {(item.rule, item.file, item.line) for item in report.findings}, str(report)
    assert "s3cr3tvalue" not in str(report)


def test_did_you_mean(lint):
    files = {".ebextensions/a.config": "container_command:\n  a: {command: x}\n"}
    assert "did you mean container_commands?" in lint(files).findings[0].message


def test_sentence_counts_and_fails(lint):
    report = lint({**CLEAN, ".ebextensions/x.config": "commands: 5\n", ".ebextensions/y.config~": ""}, AL2023)
    assert report.sentence() == (
        "Found 1 error and 1 warning in the bundle, first .ebextensions/x.config:1: error: "
        "commands takes a mapping of names [wrong-type]."
    )
    assert [report.fails(value) for value in ("error", "warning", "never")] == [True, True, False]
    assert report.warnings() == [
        ".ebextensions/y.config~: warning: this looks like a copy that an editor left [backup-leftover]"
    ]
    assert report.as_dict()["file_count"] == 6


def test_skip_rules(lint):
    assert not lint({".ebextensions/x.config": "commands: 5\n"}, skip=["wrong-type"]).findings


def test_a_rule_that_does_not_exist_is_refused(lint):
    with pytest.raises(ValueError, match=r"There is no rule wrong-typ \(did you mean wrong-type\?\)"):
        lint(CLEAN, skip=["wrong-typ"])


def test_an_archive_of_the_folder_instead_of_its_content(tmp_path):
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        archive.writestr("blog/Dockerfile", "FROM a\n")
        archive.writestr("blog/app/main.py", "")
    assert [item.rule for item in lint_bundle(str(tmp_path / "bundle.zip")).findings] == ["nested-bundle"]


def test_an_archive_without_modes_says_nothing_of_execute_bits(tmp_path):
    with zipfile.ZipFile(tmp_path / "bundle.zip", "w") as archive:
        entry = zipfile.ZipInfo(".platform/hooks/predeploy/a.sh")
        entry.create_system, entry.external_attr = 0, 0
        archive.writestr(entry, "#!/bin/sh\n")
    assert not lint_bundle(str(tmp_path / "bundle.zip")).findings


def test_paths_that_cannot_be_read(tmp_path):
    (tmp_path / "text").write_text("hello")
    with pytest.raises(UnreadableBundleError, match="There is no file or folder"):
        lint_bundle(str(tmp_path / "nothing"))
    with pytest.raises(UnreadableBundleError, match="neither a folder nor a readable zip"):
        lint_bundle(str(tmp_path / "text"))


def test_a_tree_is_left_as_it_was(tmp_path):
    (tmp_path / ".ebextensions").mkdir()
    (tmp_path / ".ebextensions" / "dangling.config").symlink_to("nowhere")
    before = sorted(path.name for path in tmp_path.rglob("*"))
    lint_bundle(str(tmp_path))
    assert sorted(path.name for path in tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("64bit Amazon Linux 2023 v4.3.0 running Docker", Platform("al2023", "plain")),
        ("Docker running on 64bit Amazon Linux 2023", Platform("al2023", "plain")),
        ("ECS running on 64bit Amazon Linux 2", Platform("al2", "ecs")),
        ("arn:aws:elasticbeanstalk:eu-west-1::platform/Docker running on 64bit Amazon Linux 2/3.5.0", AL2),
        ("64bit Amazon Linux 2018.03 v2.26.0 running Multi-container Docker 20.10.7 (Generic)", Platform("al1", "ecs")),
        ("64bit Amazon Linux 2018.03 v2.17.6 running Docker 19.03.13-ce", Platform("al1", "plain")),
        ("Python 3.11 running on 64bit Amazon Linux 2023", Platform("al2023", "none")),
        ("64bit Windows Server 2022 v2.15.0 running IIS 10.0", Platform("windows", "none")),
        ("al2", Platform("al2")),
        (None, Platform()),
        ("something else", Platform()),
    ],
)  # fmt: skip
def test_platform_names(name, platform):
    assert recognise(name) == platform


def test_a_folder_is_read_no_further_than_its_files(tmp_path: Path) -> None:
    root = tmp_path / "tree"
    (root / ".platform" / "hooks").mkdir(parents=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "01.config").write_text("option_settings:\n  aws:autoscaling:asg: {MinSzie: 1}\n")
    (root / ".ebextensions").symlink_to(outside)
    os.mkfifo(root / "Dockerrun.aws.json")
    os.mkfifo(root / ".platform" / "hooks" / "x.sh")
    (root / "docker-compose.yml").symlink_to(outside / "01.config")
    report = lint_bundle(str(root), "al2023", ())
    assert "MinSzie" not in str(report.errors() + report.warnings())
    (root / ".ebextensions").unlink()
    (root / ".ebextensions").mkdir()
    (root / "real.config").write_text((outside / "01.config").read_text())
    (root / ".ebextensions" / "01.config").symlink_to("../real.config")
    assert "MinSzie" in str(lint_bundle(str(root), "al2023", ()).errors())
