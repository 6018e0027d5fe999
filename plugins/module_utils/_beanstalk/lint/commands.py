# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands that cannot work where they stand: the application's own on an instance without it, and retired paths.

Source: "Migrating your Elastic Beanstalk Linux application to Amazon Linux 2023 or Amazon Linux 2" and "Extending
Elastic Beanstalk Linux platforms" of the AWS Elastic Beanstalk Developer Guide.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..platform.generation import Platform
from .document import SEQUENCE, Node
from .findings import ERROR, WARNING, Finding, finding
from .options import Setting
from .shell import logical_lines

# A command that an application brings along, at the beginning of a command line.
_APPLICATION = re.compile(
    r"(?:^|&&|;|\|\|)\s*(?:\w+=\S+\s+)*(?:sudo\s+(?:-\w+\s+)*)?(?:(?:python[\d.]*|php|bundle\s+exec)\s+)?"
    r"(?:[\w./*-]*/)?(?P<what>manage\.py|django-admin(?:\.py)?|artisan|rake|rails)\s"
)
_IN_CONTAINER = re.compile(r"\bdocker(?:-compose)?\b.*\b(?:exec|run)\b")
_EXEC = re.compile(r"\bdocker(?:[ -]compose)?(?:\s+-\S+(?:\s+\S+\.ya?ml)?)*\s+(?:container\s+)?exec\b")
# What there was on the Amazon Linux AMI, and what there is in its place.
_RETIRED = (
    (re.compile(r"/opt/elasticbeanstalk/hooks\b"), ".platform/hooks"),
    (re.compile(r"/etc/nginx/sites-(?:available|enabled)\b"), ".platform/nginx/conf.d"),
    (re.compile(r"/opt/python/(?:run/venv|run/baselinenv)\b"), "/var/app/venv/*"),
    (re.compile(r"/opt/python/(?:current|ondeck|bundle)\b"), "/var/app/current and /var/app/staging"),
    (re.compile(r"/var/app/ondeck\b"), "/var/app/staging"),
    (re.compile(r"/tmp/deployment/"), "/var/app/staging"),  # noqa: S108 -- the path of EB's own
    (re.compile(r"/opt/elasticbeanstalk/support/conf\b"), ".platform/nginx or .platform/httpd"),
    (re.compile(r"/opt/elasticbeanstalk/(?:support|containerfiles)/"), "/opt/elasticbeanstalk/bin/get-config"),
)
_NEEDED = re.compile(r"(?:source|\.)\s+/opt/python/\S+")
_CLEARS = re.compile(r"\s*(?:sudo\s+)?(?:rm|test|\[|#|mkdir\s+-p)\s")
_STATIC_FILES = re.compile(r"aws:elasticbeanstalk:container:\w+:staticfiles")
_PYTHON = "aws:elasticbeanstalk:container:python"


def lint_command(file: str, where: str, entry: Node, command: Node, platform: Platform) -> list[Finding]:
    """Look at an entry of commands or container_commands."""
    text = " ".join(item.text for item in command.items) if command.kind == SEQUENCE else command.text
    line = command.text_line or command.line
    forgiven = entry.get("test") is not None or _is_true(entry.get("ignoreErrors"))
    found = lint_text(file, line, text, platform, where=where, forgiven=forgiven)
    if platform.docker == "plain":
        for offset, row in logical_lines(text):
            if _EXEC.search(row):
                message = f"{where} calls docker exec before this version's container runs"
                found.append(finding("host-needs-container", file, line + offset, message, WARNING if forgiven else ""))
    return found


def lint_text(
    file: str, line: int, text: str, platform: Platform, *, where: str = "the hook", forgiven: bool = False
) -> list[Finding]:
    """Look at a shell text that runs on the instance and begins in ``line``; ``forgiven`` when it may fail."""
    found = []
    for offset, row in logical_lines(text):
        called = _APPLICATION.search(row + " ")
        if platform.docker == "plain" and called and not _IN_CONTAINER.search(row):
            message = f"{where} runs {called['what']} on the instance, and the application is in the container"
            found.append(finding("host-needs-container", file, line + offset, message, WARNING if forgiven else ""))
        if platform.is_modern and not _CLEARS.match(row):
            found += _retired_paths(file, line + offset, row, where, forgiven)
    return found


def lint_path(file: str, line: int, path: str) -> list[Finding]:
    """Look at the path of a file that `files:` writes, on Amazon Linux 2 and later."""
    for pattern, instead in _RETIRED:
        if pattern.match(path):
            message = f"{path} is a path of the retired Amazon Linux AMI; there is {instead} now"
            return [finding("retired-path", file, line, message, ERROR)]
    return []


def lint_retired_options(settings: Iterable[Setting], platform: Platform, has_procfile: bool) -> list[Finding]:
    """Look for options that only the retired Amazon Linux AMI takes, or takes in that form."""
    found: list[Finding] = []
    if not platform.is_modern:
        return found
    for setting in settings:
        line, value = setting.name_node.line, setting.value.text.strip()
        if _STATIC_FILES.fullmatch(setting.namespace):
            message = f"{setting.namespace} is of the Amazon Linux AMI"
            found.append(finding("retired-option", setting.file, line, message))
        elif (
            (setting.namespace, setting.option) == (_PYTHON, "WSGIPath") and value.endswith(".py") and not has_procfile
        ):
            module = value.removesuffix(".py").replace("/", ".")
            found.append(finding("wsgi-path", setting.file, line, f"WSGIPath is {value}, a file; write {module}"))
    return found


def _retired_paths(file: str, line: int, row: str, where: str, forgiven: bool) -> list[Finding]:
    for pattern, instead in _RETIRED:
        if shown := pattern.search(row):
            message = f"{where} uses {shown[0]} of the retired Amazon Linux AMI; there is {instead} now"
            severity = ERROR if _NEEDED.search(row) and not forgiven else WARNING
            return [finding("retired-path", file, line, message, severity)]
    return []


def _is_true(node: Node | None) -> bool:
    return node is not None and node.text.lower() in ("true", "yes", "on")
