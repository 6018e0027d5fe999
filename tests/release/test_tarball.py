# SPDX-License-Identifier: GPL-3.0-or-later
"""What Galaxy gets: the tarball satisfies Galaxy's importer, and works where there is no checkout."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import ansible_collections.amazon
import ansible_collections.awx
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
CORES = ("core218", "core219")
IN_IT = {"CHANGELOG.md", "FILES.json", "LICENSE", "MANIFEST.json", "README.md"}
IN_IT |= {"changelogs", "docs", "meta", "playbooks", "plugins", "roles"}
INVENTORY = {
    "all": {
        "hosts": {
            "shop-live": {
                "ansible_connection": "local",
                "eb_application": "shop",
                "eb_cname_prefix": "shop-live",
                "eb_region": "us-east-1",
                "eb_platform": "Docker running on 64bit Amazon Linux 2023",
                "eb_source": {"path": "{{ inventory_dir }}/shop", "from": "work_tree"},
                "eb_option_settings": {
                    "aws:autoscaling:launchconfiguration": {"IamInstanceProfile": "aws-elasticbeanstalk-ec2-role"}
                },
                "eb_poll_interval": 0.2,
            }
        }
    }
}


def run(*command: object, cwd: Path, env: Mapping[str, str] = os.environ, timeout: int = 300) -> str:
    """Standard output and error of a command that must succeed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def program(part: str, name: str) -> Path:
    """A program of the virtual environment that scripts/setup makes for a part."""
    path = ROOT / f".venv-{part}" / "bin" / name
    assert path.exists(), f"{path} is missing: run scripts/setup {part}"
    return path


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables of a process that knows of no checkout and of no other collection."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "ansible.cfg").touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "AWS_", "PYTHON"))}
    return {
        **kept,
        "HOME": str(folder),
        "ANSIBLE_CONFIG": str(folder / "ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(folder / "collections"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
    }


@pytest.fixture(scope="module")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection, built of what git knows or would add."""
    tree, target = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("built")
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        source, copy = ROOT / name, tree / name
        if source.is_symlink() or source.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)
    # It is published nowhere yet, and Galaxy's importer insists on an address.
    with (tree / "galaxy.yml").open("a") as galaxy:
        galaxy.write("repository: https://example.com/jack.beanstalk\n")
    run(BIN / "ansible-galaxy", "collection", "build", "--output-path", target, cwd=tree)
    (built,) = target.glob("jack-beanstalk-*.tar.gz")
    return built


@pytest.fixture(scope="module")
def installed(tarball: Path, elsewhere: dict[str, str]) -> Path:
    """The folder that it was installed to, with amazon.aws and awx.awx (for the role awx) beside it."""
    folder = Path(elsewhere["ANSIBLE_COLLECTIONS_PATH"])
    words = ("collection", "install", tarball, "--offline", "--no-deps", "-p", folder)
    run(BIN / "ansible-galaxy", *words, cwd=folder.parent, env=elsewhere)
    for package in (ansible_collections.amazon, ansible_collections.awx):
        (path,) = package.__path__
        (folder / "ansible_collections" / Path(path).name).symlink_to(path)
    return folder


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Variables of a process that uses a localstalk with simulated instances."""
    home = tmp_path_factory.mktemp("localstalk")
    localstalk = [BIN / "localstalk", "--home", home]
    run(*localstalk, "up", "--driver", "sim", "--speed", "500", cwd=home)
    try:
        yield json.loads(run(*localstalk, "env", "--format", "json", cwd=home))
    finally:
        run(*localstalk, "down", cwd=home)


def test_the_tarball_holds_the_collection_only(tarball: Path) -> None:
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    assert {name.split("/")[0] for name in names} == IN_IT
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".zip"))]


def test_the_importer_finds_no_error(tarball: Path, installed: Path, elsewhere: dict[str, str], tmp_path: Path) -> None:
    """It exits with 0 even so, hence its log is read."""
    tools = f"{program('importer', 'python').parent}:{elsewhere['PATH']}"
    # It looks for amazon.aws among the importable packages.
    variables = elsewhere | {"PATH": tools, "PYTHONPATH": str(installed)}
    log = run(program("importer", "python"), "-m", "galaxy_importer.main", tarball, cwd=tmp_path, env=variables)
    assert "Importer processing completed successfully" in log, log
    assert not [line for line in log.splitlines() if line.startswith(("ERROR", "WARNING"))], log


@pytest.mark.parametrize("core", CORES)
def test_the_playbooks_run_where_it_was_installed(
    core: str, installed: Path, elsewhere: dict[str, str], aws: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "Dockerfile").write_text(f"FROM scratch\nEXPOSE 8000\nLABEL core={core}\n")
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump(INVENTORY))
    variables = elsewhere | aws
    version = run(program(core, "ansible"), "--version", cwd=tmp_path, env=variables)
    assert f"[core {core[4]}.{core[5:]}." in version
    play = (program(core, "ansible-playbook"), "-i", "hosts.yml")
    deployed = run(*play, "jack.beanstalk.deploy", cwd=tmp_path, env=variables)
    assert re.search(r"Leader: +i-\w+", deployed), deployed
    again = run(*play, "jack.beanstalk.deploy", cwd=tmp_path, env=variables)
    assert re.search(r"changed=0 .*failed=0", again), again
    shown = run(*play, "jack.beanstalk.status", cwd=tmp_path, env=variables)
    assert re.search(r"Leader: +i-\w+", shown), shown
    documented = run(program(core, "ansible-doc"), "-F", "jack.beanstalk", cwd=tmp_path, env=variables)
    assert str(installed) in documented
