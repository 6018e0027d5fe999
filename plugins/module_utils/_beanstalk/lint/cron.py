# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cron.yaml: the periodic tasks of a worker.

Source: "Periodic tasks" in "Elastic Beanstalk worker environments" of the AWS Elastic Beanstalk Developer Guide.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from .document import MAPPING, SEQUENCE, Node
from .findings import Finding, finding
from .options import suggest

FILE = "cron.yaml"
_KEYS = ("name", "url", "schedule", "description")
_FIELD = re.compile(r"[\d*/,A-Za-z-]+")


def lint_cron(root: Node) -> list[Finding]:
    """Look at the tasks of a file that could be parsed."""
    found: list[Finding] = []

    def wrong(node: Node, message: str) -> None:
        found.append(finding("cron-field", FILE, node.line, message))

    version, tasks = root.get("version"), root.get("cron")
    if root.kind != MAPPING or tasks is None or tasks.kind != SEQUENCE:
        if root.get("cron") is not None or root.kind != MAPPING:
            wrong(root, "the file takes version: 1 and a list cron")
        return found
    if version is None or version.text.strip() != "1":
        wrong(version or root, f"version is {version.text if version else 'missing'}, not 1")
    names: dict[str, int] = {}
    for task in tasks.items:
        if task.kind != MAPPING:
            wrong(task, "a task takes name, url and schedule")
            continue
        for key, _value in task.pairs:
            if key.text not in _KEYS:
                wrong(key, f"{key.text} is no key of a task{suggest(key.text, _KEYS)}")
        for key_name in ("name", "url", "schedule"):
            if task.get(key_name) is None:
                wrong(task, f"a task has no {key_name}")
        _check(task, names, wrong)
    return found


def _check(task: Node, names: dict[str, int], say: Callable[[Node, str], None]) -> None:
    name, url, schedule = task.get("name"), task.get("url"), task.get("schedule")
    if name is not None:
        if name.text in names:
            say(name, f"the name {name.text} stands in line {names[name.text]} already")
        names.setdefault(name.text, name.line)
    if url is not None and not url.text.startswith("/"):
        say(url, f"url is {url.text}, not a path that begins with a slash")
    if schedule is not None:
        fields = schedule.text.split()
        if len(fields) != 5 or not all(_FIELD.fullmatch(field) for field in fields):
            say(schedule, f"schedule is {schedule.text!r}, not the five fields of cron")
