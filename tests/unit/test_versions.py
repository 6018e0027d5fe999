# SPDX-License-Identifier: GPL-3.0-or-later
"""Every place that names a version of what the collection is for says what requirements/matrix.conf says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from cells import Cell, cells

ROOT = Path(__file__).resolve().parents[2]
CELLS = cells()
NEWEST, OLDEST = CELLS[0], CELLS[-1]


def numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def limited(name: str, version: str) -> str:
    """The requirement of this version, and of none that is newer than it in its last part."""
    *first, last = numbers(version)
    return f"{name}>={version},<{'.'.join(map(str, [*first, last + 1]))}"


def loaded(path: str) -> dict:
    return yaml.safe_load((ROOT / path).read_text())


def test_rows_are_newest_first() -> None:
    cores = [numbers(cell.core) for cell in CELLS]
    assert len(cores) == 3
    assert cores == sorted(cores, reverse=True)


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.core)
def test_a_cell_has_its_own_pinned_versions(cell: Cell) -> None:
    wanted = (ROOT / "requirements" / f"core{cell.core}.in").read_text().splitlines()
    assert {limited("ansible-core", cell.core), limited("ansible", cell.package)} <= set(wanted)
    pinned = (ROOT / "requirements" / f"core{cell.core}.txt").read_text()
    assert re.search(rf"^ansible-core=={re.escape(cell.core)}\.\d+ ", pinned, re.MULTILINE)
    assert re.search(rf"^ansible=={cell.package}\.", pinned, re.MULTILINE)


def test_no_cell_is_left_over() -> None:
    named = {path.name for path in (ROOT / "requirements").glob("core*")}
    assert named == {f"core{cell.core}.{ending}" for cell in CELLS for ending in ("in", "txt")}


def test_make_deploy_takes_the_newest_that_python_allows() -> None:
    wanted = (ROOT / "requirements" / "runtime.in").read_text().splitlines()
    border = next(cell for cell in CELLS if cell.core == "2.20").python
    assert f'{limited("ansible-core", OLDEST.core)} ; python_version < "{border}"' in wanted
    assert f'{limited("ansible-core", NEWEST.core)} ; python_version >= "{border}"' in wanted
    pinned = (ROOT / "requirements" / "runtime.txt").read_text()
    for cell, marker in ((OLDEST, "<"), (NEWEST, ">=")):
        for name, version in (("ansible-core", cell.core), ("ansible", cell.package)):
            line = rf"^{name}=={re.escape(version)}\.[\d.]+ ; python_full_version {marker} '{re.escape(border)}'"
            assert re.search(line, pinned, re.MULTILINE)
    assert f"sys.version_info < ({OLDEST.python.replace('.', ', ')})" in (ROOT / "scripts" / "setup").read_text()


def test_the_collection_asks_for_what_is_tested() -> None:
    assert loaded("meta/runtime.yml")["requires_ansible"] == f">={OLDEST.core}.0"
    roles = {path.parts[-3]: yaml.safe_load(path.read_text()) for path in ROOT.glob("roles/*/meta/main.yml")}
    assert roles
    assert {name: role["galaxy_info"]["min_ansible_version"] for name, role in roles.items()} == dict.fromkeys(
        roles, OLDEST.core
    )
    majors = sorted({int(cell.amazon_aws) for cell in CELLS})
    between = f">={majors[0]}.0.0,<{majors[-1] + 1}.0.0"
    assert loaded("galaxy.yml")["dependencies"]["amazon.aws"] == between
    asked = {one["name"]: one["version"] for one in loaded("collections/requirements.yml")["collections"]}
    assert asked["amazon.aws"] == between


def test_the_execution_environment_has_the_newest() -> None:
    made = loaded("execution-environment.yml")["dependencies"]
    assert made["ansible_core"]["package_pip"] == limited("ansible-core", NEWEST.core)
    assert made["python_interpreter"]["package_system"].removeprefix("python") in {cell.python for cell in CELLS}
    assert made["python_interpreter"]["python_path"].endswith(made["python_interpreter"]["package_system"])


def test_the_readme_names_every_cell() -> None:
    text = " ".join((ROOT / "README.md").read_text().split())
    first, *others = reversed(CELLS)
    named = [f"ansible-core {first.core} (with Python {first.python})"]
    named += [f"{cell.core} ({cell.python})" for cell in others]
    assert f"{', '.join(named[:-1])} and {named[-1]}" in text
    majors = sorted({cell.amazon_aws for cell in CELLS}, key=int)
    assert f"amazon.aws {' and '.join(majors)}" in text
    border = f"{OLDEST.core} with Python {OLDEST.python}, {NEWEST.core} with a newer one"
    assert border in text
