# SPDX-License-Identifier: GPL-3.0-or-later
"""What Galaxy gets: the tarball holds the collection only, and satisfies Galaxy's importer."""

from __future__ import annotations

import tarfile
from pathlib import Path

import ansible_collections.amazon
import ansible_collections.awx
from built import program, run

IN_IT = {
    "CHANGELOG.md",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "FILES.json",
    "LICENSE",
    "MANIFEST.json",
    "README.md",
    "SECURITY.md",
}
IN_IT |= {"changelogs", "docs", "extensions", "meta", "playbooks", "plugins", "roles"}


def test_the_tarball_holds_the_collection_only(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    assert {name.split("/")[0] for name in names} == IN_IT
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".zip"))]


def test_the_importer_finds_no_error(tarball: Path, installed: Path, elsewhere: dict[str, str], tmp_path: Path) -> None:
    """It exits with 0 even so, hence its log is read."""
    # With amazon.aws and awx.awx (for the role awx) beside it.
    for package in (ansible_collections.amazon, ansible_collections.awx):
        (path,) = package.__path__
        (installed / "ansible_collections" / Path(path).name).symlink_to(path)
    tools = f"{program('importer', 'python').parent}:{elsewhere['PATH']}"
    # It looks for amazon.aws among the importable packages.
    variables = elsewhere | {"PATH": tools, "PYTHONPATH": str(installed)}
    log = run(program("importer", "python"), "-m", "galaxy_importer.main", tarball, cwd=tmp_path, env=variables)
    assert "Importer processing completed successfully" in log, log
    assert not [line for line in log.splitlines() if line.startswith(("ERROR", "WARNING"))], log
