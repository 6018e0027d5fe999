# Copyright: Contributors to the jack.beanstalk project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An adopted project as files: an inventory for AWS, one for localstalk, and the report.

No variable is in two files that Ansible reads together, so that it does not matter which of them it reads last.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from ..lint.document import Unsafe, dump_plain
from ..lint.findings import Finding
from .notes import Note
from .project import Adopted

_ANSIBLE = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
# Where localstalk's load balancer answers; a worker has none.
_URL = (
    "{{ '' if eb_cname_prefix is undefined else lookup('ansible.builtin.url', "
    "localstalk_aws.endpoint_url ~ '/_localstalk/url/' ~ eb_cname_prefix, "
    "username=localstalk_aws.access_key, password=localstalk_aws.secret_key, force_basic_auth=true, use_proxy=false, "
    "errors='ignore') | default('', true) }}"
)
SHARED = "group_vars/all/project.yml"
"""What both inventories say; that of localstalk has a link to it."""


def inventory_files(adopted: Adopted, project: str) -> list[dict[str, str]]:
    """The files: ``inventory`` (aws or local), ``path`` and ``content``. ``project`` is the folder that was read."""
    made = f"# Made from {project}; ADOPTED.md says what was understood and what not.\n"
    hosts = "# One host is one environment of the project.\n" + dump_plain(
        {"all": {"hosts": _meaning_itself(adopted.hosts)}}
    )
    local: dict[str, Any] = dict(adopted.local)
    if any("eb_cname_prefix" in host for host in adopted.hosts.values()):
        local["eb_url"] = _URL
    here = "# A try on this machine: with eb_localstalk nothing else is reached, whatever eb_aws says.\n"
    there = "# Where the environments are on AWS.\n"
    files = {
        "aws": {
            "hosts.yml": f"---\n{hosts}",
            SHARED: f"---\n{made}{dump_plain({**_ANSIBLE, **_meaning_itself(adopted.variables)})}",
            "group_vars/all/aws.yml": f"---\n{there}{dump_plain(_meaning_itself(adopted.aws))}",
        },
        "local": {
            "hosts.yml": f"---\n{hosts}",
            "group_vars/all/localstalk.yml": f"---\n{here}{dump_plain(local)}",
        },
    }
    return [
        {"inventory": inventory, "path": path, "content": content}
        for inventory, contents in files.items()
        for path, content in contents.items()
    ]


def _meaning_itself(data: Any) -> Any:
    """What a project says, marked where Ansible would take it for a template: a branch may be called `{{ … }}`."""
    if isinstance(data, dict):
        return {key: _meaning_itself(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_meaning_itself(item) for item in data]
    return Unsafe(data) if isinstance(data, str) and re.search(r"\{[{%#]", data) else data


def report(adopted: Adopted) -> str:
    """The report as Markdown: what is to be decided first, then the rest."""
    notes = adopted.notes.as_dict()
    urgent = [note for note in notes["open"] if note["urgent"]]
    others = [note for note in notes["open"] if not note["urgent"]]
    parts = [
        f"# {adopted.variables['eb_application']}: what was understood",
        "The project was only read. Its own files stay where they are; eb_bundle_overlay replaces in the bundle what\n"
        "became eb_hooks, because both would run otherwise.",
    ]
    if urgent:
        parts += ["## Decide first", _lines(urgent)]
    parts += ["## To look at", _lines(others)]
    if adopted.findings:
        parts += ["## What the linter says of the bundle", "\n".join(_finding(one) for one in adopted.findings)]
    parts += ["## Understood", _lines(notes["understood"]), "## Stays as it is", _lines(notes["kept"])]
    parts += ["## Hosts", "\n".join(_host(name, host) for name, host in adopted.hosts.items())]
    return "\n\n".join(parts) + "\n"


def _lines(notes: Iterable[dict[str, Any]]) -> str:
    return "\n".join(_line(Note(**note)) for note in notes) or "Nothing."


def _line(note: Note) -> str:
    place = f"{note.file}:{note.line}" if note.line else note.file
    return re.sub(r"[\x00-\x1f\x7f]", "?", f"- `{place}` {note.text}")


def _finding(one: Finding) -> str:
    place = f"{one.file}:{one.line}" if one.line else one.file
    return f"- `{place}` {one.severity}: {one.message}. {one.effect} {one.mend}"


def _host(name: str, host: dict[str, Any]) -> str:
    source = host["eb_source"]
    what = f"the branch `{source['ref']}`" if source["from"] == "ref" else "the files on disk"
    tier = ", tier Worker" if "eb_tier" in host else ""
    return f"- `{name}`: {what} of {PurePosixPath(source['path']).name}{tier}"
