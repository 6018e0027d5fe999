# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkout's own shape: what breaks quietly when a tool or a person changes it."""

from __future__ import annotations

import configparser
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
# Hosts that cannot exist may stand in made-up lock files.
REGISTRY = r"(index-url|find-links|registry|resolved)\"?[ =:]+\"?https?://([a-z:]+@)?[a-z0-9-]+\.(org|io|net|dev|co)"
LINKED = ROOT / "collections" / "ansible_collections" / "jack" / "beanstalk"


@pytest.mark.parametrize("name", ["extensions", "galaxy.yml", "meta", "playbooks", "plugins", "roles"])
def test_collection_links_are_links_to_the_root(name: str) -> None:
    link = LINKED / name
    assert link.is_symlink(), f"{link} must be a link; an archive or a Windows checkout turns it into a file"
    assert str(link.readlink()) == f"../../../../{name}"
    assert link.resolve() == ROOT / name


def test_collection_folder_holds_nothing_else() -> None:
    linked = ["extensions", "galaxy.yml", "meta", "playbooks", "plugins", "roles"]
    assert sorted(path.name for path in LINKED.iterdir()) == linked


def test_an_unknown_host_or_inventory_is_an_error() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "ansible.cfg")
    assert settings["inventory"]["host_pattern_mismatch"] == "error"
    assert settings.getboolean("inventory", "unparsed_is_failed")


def test_every_playbook_has_a_root_shim_that_imports_it() -> None:
    playbooks = {path.name for path in (ROOT / "playbooks").glob("*.yml")}
    assert playbooks
    for name in playbooks:
        (shim,) = yaml.safe_load((ROOT / name).read_text())
        assert shim["ansible.builtin.import_playbook"] in {f"playbooks/{name}", f"jack.beanstalk.{Path(name).stem}"}


def test_action_group_names_every_aws_module_and_nothing_else() -> None:
    """ansible-test does not notice a group that names a module that is not there."""
    group = yaml.safe_load((ROOT / "meta" / "runtime.yml").read_text())["action_groups"]["beanstalk"]
    named = {entry for entry in group if isinstance(entry, str)}
    modules = {path.stem for path in (ROOT / "plugins" / "modules").glob("*.py")}
    on_aws = {name for name in modules if "AnsibleAWSModule" in (ROOT / f"plugins/modules/{name}.py").read_text()}
    assert named == on_aws


def test_nothing_in_git_names_a_package_registry() -> None:
    found = subprocess.run(
        ["git", "grep", "-nIE", REGISTRY, "--", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout) == (1, "")


def test_plays_hand_arguments_to_modules_without_a_file() -> None:
    """Without pipelining a module and its arguments, secrets among them, lie in a file, which a kill leaves behind."""
    plays = [
        (path.name, play)
        for path in (ROOT / "playbooks").glob("*.yml")
        for play in yaml.safe_load(path.read_text())
        if "hosts" in play
    ]
    assert plays
    wanted = {"ansible_python_interpreter": "{{ ansible_playbook_python }}", "ansible_pipelining": True}
    assert [name for name, play in plays if not wanted.items() <= play.get("vars", {}).items()] == []
    assert {play["connection"] for _name, play in plays} == {"local"}
