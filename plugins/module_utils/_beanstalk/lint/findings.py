# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the linter can find: one row per rule, and a finding that points to a line.

An *error* is something that Elastic Beanstalk (EB) refuses, drops, or does differently from what is written, or that
loses data. A *warning* works today, but is fragile, risky or dead weight.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

ERROR = "error"
WARNING = "warning"


@dataclass(frozen=True)
class Rule:
    """Severity, what EB does about it, and how to mend it; a finding adds the file, the line and what is wrong."""

    severity: str
    effect: str
    mend: str


_IGNORES_FILE = "EB writes a warning event and ignores the whole file, so none of its settings apply."

RULES: dict[str, Rule] = {
    # --- syntax and structure of .ebextensions ---
    "yaml-syntax": Rule(
        ERROR, "EB cannot read the file: the deployment fails or the file is ignored.", "Mend the YAML at this line."
    ),
    "json-syntax": Rule(ERROR, "EB cannot read the file: the deployment fails.", "Mend the JSON at this line."),
    "short-tag": Rule(
        ERROR,
        "EB cannot read the file (could not determine a constructor for the tag), and refuses the version.",
        "Write the long form: Fn::Sub, Fn::GetAtt, Ref.",
    ),
    "cron-field": Rule(
        ERROR,
        "The worker cannot read its periodic tasks, and the deployment fails.",
        "Write version: 1 and a list cron, each task with name, url and schedule.",
    ),
    "duplicate-key": Rule(
        ERROR, "EB keeps one of the two sections and silently drops the other.", "Merge the two, or rename one."
    ),
    "unknown-key": Rule(ERROR, _IGNORES_FILE, "Correct the key or remove it."),
    "wrong-type": Rule(ERROR, _IGNORES_FILE, "Write the value in the form that the key takes."),
    "missing-key": Rule(ERROR, _IGNORES_FILE, "Add the key."),
    "leader-only-misplaced": Rule(
        ERROR,
        "Only container_commands have a leader: the command runs on every instance, or EB ignores the whole file.",
        "Move the command to container_commands.",
    ),
    "leader-only-with-test": Rule(
        ERROR,
        "leader_only wins: EB runs the command on the leader without ever evaluating test.",
        "Keep one of the two, or move the test into the command.",
    ),
    "ebextensions-ignored-file": Rule(
        WARNING,
        "EB reads only .ebextensions/*.config, directly in that folder; this file does nothing.",
        "Move it to .ebextensions/, end its name in .config, or remove it.",
    ),
    "not-checked": Rule(
        WARNING, "EB reads the file, faults and all: it is too large for this check only.", "Split the file."
    ),
    "misspelt-folder": Rule(ERROR, "EB never looks into this folder.", "Rename the folder."),
    "nested-bundle": Rule(
        ERROR,
        "EB looks at the top of the archive: it finds neither the application nor its configuration.",
        "Build the archive inside the folder, not from its parent.",
    ),
    "lfs-pointer": Rule(
        WARNING,
        "EB gets the text that Git LFS keeps in place of the file, and the application cannot use it.",
        "Bundle the work tree (from: work_tree) after git lfs pull, or keep the file outside of the bundle.",
    ),
    # --- option settings ---
    "unknown-namespace": Rule(
        ERROR,
        "EB refuses the setting (Unknown configuration setting) and the deployment fails.",
        "Correct the namespace.",
    ),
    "unknown-option": Rule(
        ERROR,
        "EB refuses the setting (Unknown configuration setting) and the deployment fails.",
        "Correct the option name.",
    ),
    "option-value": Rule(ERROR, "EB refuses the value and the deployment fails.", "Use a value that the option takes."),
    "option-combination": Rule(
        ERROR, "EB refuses the combination and the update fails.", "Change one of the two settings."
    ),
    "retired-option": Rule(
        ERROR,
        "Amazon Linux 2 and later refuse the setting (Unknown configuration setting), and the deployment fails.",
        "Use aws:elasticbeanstalk:environment:proxy:staticfiles.",
    ),
    "wsgi-path": Rule(
        ERROR,
        "Gunicorn takes a module, not a file: the application does not start, and the proxy answers 502.",
        "Write the module, as in WSGIPath: project.wsgi:application.",
    ),
    "option-without-namespace": Rule(
        WARNING,
        "EB takes it for an environment property (aws:elasticbeanstalk:application:environment), nothing else.",
        "Write the namespace.",
    ),
    "properties-too-long": Rule(
        ERROR,
        "EB refuses more than 4096 bytes of environment properties in all.",
        "Move large values to a file or to a secret.",
    ),
    "secret-in-property": Rule(
        WARNING,
        "The value is in the bundle, and in plain text in the EB console, API and events.",
        "Use aws:elasticbeanstalk:application:environmentsecrets, or a secrets file that git ignores.",
    ),
    "rds-deletion-policy": Rule(
        ERROR,
        "The data are deleted with the environment, without a snapshot: also by every recreate-and-swap.",
        "Set DBDeletionPolicy to Snapshot or Retain, or keep the database outside the environment.",
    ),
    # --- hooks and commands ---
    "hook-not-executable": Rule(
        WARNING,
        "Platform versions before 29 April 2022 and hooks that are written by files: fail with 'permission denied'.",
        'Set the execute bit: git update-index --chmod=+x FILE, or mode "000755".',
    ),
    "hook-no-shebang": Rule(
        ERROR, "The engine cannot execute it (exec format error); the deployment fails.", "Begin with #!/bin/bash."
    ),
    "hook-crlf": Rule(
        ERROR,
        "The interpreter 'bash\\r' does not exist (no such file or directory); the deployment fails.",
        "Save the script with LF line ends.",
    ),
    "hook-ignored": Rule(
        ERROR,
        "EB runs only files directly in .platform/{hooks,confighooks}/{prebuild,predeploy,postdeploy}.",
        "Move the file to one of these folders.",
    ),
    "hook-no-container": Rule(
        ERROR,
        "The hook finds no container or virtual environment to run in, and every deployment fails by it.",
        "Give the role hooks the variables hooks_platform and hooks_source, so that it looks before it renders.",
    ),
    "legacy-path-on-modern": Rule(
        ERROR,
        "Nothing looks into this folder on Amazon Linux 2 and later: the script never runs.",
        "Move it to .platform/hooks/{prebuild,predeploy,postdeploy}/.",
    ),
    "host-needs-container": Rule(
        ERROR,
        "Commands run on the instance, before the container of this version: the command fails, and the deployment.",
        "Make it a hook in the container (eb_hooks), or a step of the image.",
    ),
    "retired-path": Rule(
        WARNING,
        "Amazon Linux 2 and later have no such path: what is written there is never read, what is read is not there.",
        "Use the path of today.",
    ),
    "platform-hook-on-legacy": Rule(
        ERROR,
        "The Amazon Linux AMI ignores .platform: the script never runs.",
        "Move to Amazon Linux 2023, or write it by files: to /opt/elasticbeanstalk/hooks/appdeploy/post/.",
    ),
    "backup-leftover": Rule(WARNING, "The file is shipped to every instance and never read.", "Remove it."),
    "backup-hook": Rule(ERROR, "EB runs every file of a hook folder: the old copy runs as well.", "Remove the copy."),
    "bak-left-behind": Rule(
        WARNING,
        "From the second deployment on, the previous script stays as NAME.bak, and the Amazon Linux AMI runs it too.",
        "Remove *.bak in a last script or in a command, or move to .platform/hooks.",
    ),
    "docker-exec-all": Rule(
        WARNING,
        "docker exec gets one container and takes every further id as the command; during a deployment there are two.",
        "Choose one: docker ps -q --filter ancestor=aws_beanstalk/current-app, or the compose service by name.",
    ),
    "docker-exec-tty": Rule(
        ERROR,
        "Hooks and commands have no terminal: 'the input device is not a TTY', and the deployment fails.",
        "Drop -t (and -i).",
    ),
    # --- Docker ---
    "dockerfile-missing": Rule(
        ERROR,
        "EB: Both 'Dockerfile' and 'Dockerrun.aws.json' are missing in your source bundle. The deployment fails.",
        "Add a Dockerfile, a docker-compose.yml or a Dockerrun.aws.json at the top of the bundle.",
    ),
    "dockerfile-no-expose": Rule(
        ERROR,
        "EB: 'No EXPOSE directive found in Dockerfile, abort deployment': the proxy has no port to forward to.",
        "Add EXPOSE with the port that the application listens on.",
    ),
    "dockerrun-version": Rule(
        ERROR, "EB refuses the file and the deployment fails.", "Use version 1 (one image), 2 (ECS) or 3 (compose)."
    ),
    "dockerrun-image-ignored": Rule(
        WARNING, "EB builds the Dockerfile and ignores Image.", "Remove Image, or the Dockerfile."
    ),
    "dockerrun-no-ports": Rule(
        ERROR, "Ports is required with Image: EB cannot connect the proxy.", "Add Ports with a ContainerPort."
    ),
    "dockerrun-port-mismatch": Rule(
        WARNING,
        "The proxy forwards to ContainerPort, where nothing listens if the application uses EXPOSE's port.",
        "Use the same port in both.",
    ),
    "compose-conflict": Rule(
        ERROR,
        "With a docker-compose.yml EB runs compose and nothing else: this file does nothing, or stops the deployment.",
        "Keep one of the two in the bundle (.ebignore leaves the other out).",
    ),
    "compose-dockerfile-unused": Rule(
        WARNING,
        "With a docker-compose.yml EB runs compose; no service builds the Dockerfile, so it does nothing.",
        "Build it in a service, or leave docker-compose.yml out of the bundle with .ebignore.",
    ),
    "compose-no-port": Rule(
        WARNING,
        "In compose mode EB puts no proxy in front: nothing answers on port 80 and health turns Red.",
        'Publish "80:PORT".',
    ),
    "compose-dollar": Rule(
        ERROR,
        "Compose replaces what follows a $ by a variable, and refuses a $ with nothing to replace.",
        "Write $$ for a dollar.",
    ),
    "compose-own-env": Rule(
        WARNING,
        "The bundle's own .env stays: EB does not write the environment properties into it.",
        "Leave .env out of the bundle.",
    ),
    # --- Django ---
    "django-static-root": Rule(
        ERROR,
        "Django: You're using the staticfiles app without having set the STATIC_ROOT setting. The task fails.",
        "Set STATIC_ROOT, or a storage that is not on the instance.",
    ),
    "django-allowed-hosts": Rule(
        ERROR,
        "Every request gets 400 Bad Request, the health check's too, and health turns Red.",
        "List the CNAME and your own names, or read them from an environment property.",
    ),
    "django-command": Rule(
        WARNING, "Django: Unknown command. The task fails.", "Correct the name, or add the command."
    ),
    "django-csrf": Rule(
        WARNING,
        "Behind TLS, Django 4 and later refuse every form (403 CSRF verification failed, Origin checking failed).",
        "Set SECURE_PROXY_SSL_HEADER, or list the https:// origins in CSRF_TRUSTED_ORIGINS.",
    ),
    "django-sqlite": Rule(
        WARNING,
        "Every instance has a database of its own, and it is lost with the instance and with every deployment.",
        "Use a database outside of the instance.",
    ),
}


@dataclass(frozen=True, order=True)
class Finding:
    """One finding. `line` counts from 1; 0 means the file as a whole."""

    file: str
    line: int
    rule: str
    severity: str
    message: str
    effect: str
    mend: str

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as the module's return value."""
        return asdict(self)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.severity}: {self.message} [{self.rule}]"


def finding(rule: str, file: str, line: int, message: str, severity: str = "") -> Finding:
    """Make a finding of `rule`. `severity` replaces the rule's own where the circumstances are milder or graver."""
    row = RULES[rule]
    return Finding(file, line, rule, severity or row.severity, message, row.effect, row.mend)
