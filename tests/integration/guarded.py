# SPDX-License-Identifier: GPL-3.0-or-later
"""An application with secrets, whose deployments leave none of them behind."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secret_scan import Scan

from .conftest import BIN, Project, Run
from .minimal import Minimal, git, options


@dataclass
class Guarded:
    """An application with a secret file, overlay and property, and the search of where they could stay."""

    minimal: Minimal
    scan: Scan

    def deploy(self, until: Callable[[float], bool] | None = None) -> Run:
        """Run deploy.yml with all the output there is, and kill -9 it once ``until`` says so of the seconds it took."""
        project = self.minimal.project
        command = [BIN / "ansible-playbook", "deploy.yml", "-i", self.minimal.inventory, "-vvvv", "--diff"]
        return Run(*self.scan.run(command, project.localstalk.env, project.root, until))

    def change(self, text: str) -> None:
        """Stage something new."""
        (self.minimal.folder / "text").write_text(text)
        git(self.minimal.folder, "add", "text")

    def findings(self) -> list[str]:
        """Every place where a secret was found, apart from where the user put it, as ``place: name``."""
        # localstalk's logs; what it keeps as S3 and as disks of instances is AWS's side.
        logs = self.minimal.project.localstalk.home.rglob("*.log*")
        return [
            *self.scan.findings(),
            *(f"{path}: {name}" for path in logs for name in self.scan.in_bytes(path.read_bytes())),
        ]


def guarded_application(project: Project, folder: Path, name: str, **variables: Any) -> Guarded:
    """The application in a repository of its own, with three secrets that git does not have."""
    tokens = {kind: uuid.uuid4().hex for kind in ("file", "overlay", "property")}
    minimal = Minimal.make(
        project,
        folder,
        name,
        eb_source={"path": "", "from": "index"},
        eb_secrets_files=[".secrets/"],
        eb_bundle_overlay=[{"path": ".secrets/key", "content": tokens["overlay"], "mode": "0600"}],
        eb_environment_properties={"GREETING": tokens["property"]},
        eb_hooks=[{"name": "note", "command": "echo noted"}],
        eb_option_settings=options(1),
        **variables,
    )
    minimal.variables["eb_source"]["path"] = str(minimal.folder)
    git(minimal.folder.parent, "init", "-q", "-b", "main", str(minimal.folder))
    (minimal.folder / ".gitignore").write_text(".secrets/\n")
    git(minimal.folder, "add", "-A")
    git(minimal.folder, "commit", "-qm", "Without secrets")
    (minimal.folder / ".secrets").mkdir()
    base = minimal.folder / ".secrets" / "base.json"
    base.write_text(f'{{"SECRET_KEY": "{tokens["file"]}"}}')
    return Guarded(minimal, Scan(tokens, folder / f"{name}-places", repositories=[minimal.folder], own={base}))
