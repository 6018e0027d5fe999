# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/setup itself in a checkout of its own, killed in each of its steps and then cut off the network, ends well.

``tests/unit/test_setup.py`` has the same steps with doubles of the programs that it calls. This one downloads all.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.conftest import export

pytestmark = pytest.mark.containers

PARTS = ("runtime", "test", "eb", "js")
STAMPS = (".venv/.bootstrap", ".venv/.runtime", ".venv/.test", ".venv-eb/.eb", ".venv-js/.js", ".venv-js/sdk/.stamp")
STEPS = {
    "pip and uv": ".venv/.bootstrap.unfinished",
    "what runs": ".venv/.runtime.unfinished",
    "localstalk": ".venv/.runtime",
    "what tests": ".venv/.test.unfinished",
    "what the EB CLI is built with": ".venv-eb/.eb.unfinished",
    "the EB CLI": ".venv-eb/lib/python3*/site-packages/wheel",
    "Node.js": ".venv-js/.js.unfinished",
    "the SDK for JavaScript": ".venv-js/sdk/package.json",
}
"""A file that is there once a step has begun."""
LIMIT = 600
# A namespace without an interface: no name is resolved, and nothing answers.
CUT = ("unshare", "--net")


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Path]:
    made = tmp_path / "checkout"
    export(made)
    yield made
    subprocess.run(["make", "down"], cwd=made, check=True, capture_output=True, timeout=300)


def test_setup_that_was_killed_and_cut_off_ends_in_a_deployment(
    checkout: Path, tmp_path: Path, figures: Callable[[str], None]
) -> None:
    environ = {name: text for name, text in os.environ.items() if name not in ("ANSIBLE_CONFIG", "PIP_FIND_LINKS")}
    # Nothing that was downloaded for others, nor what a machine has in place of PyPI.
    environ |= {"UV_CACHE_DIR": str(tmp_path / "uv"), "PIP_NO_CACHE_DIR": "1", "PIP_CONFIG_FILE": os.devnull}
    environ |= {"npm_config_cache": str(tmp_path / "npm"), "LOCALSTALK_HOME": str(tmp_path / "localstalk")}
    setup = ["scripts/setup", *PARTS]
    chance = random.Random("setup")  # noqa: S311

    def ended(*command: str, seconds: float = LIMIT) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=checkout, env=environ, capture_output=True, text=True, timeout=seconds, check=False
        )

    def done() -> list[str]:
        return [one for one in STAMPS if (checkout / one).exists() and not (checkout / f"{one}.unfinished").exists()]

    killed = cut = 0
    for step, mark in STEPS.items():
        with subprocess.Popen(setup, cwd=checkout, env=environ, start_new_session=True) as running:
            deadline = time.monotonic() + LIMIT
            while running.poll() is None and not list(checkout.glob(mark)):
                assert time.monotonic() < deadline, f"{step} does not begin"
                time.sleep(0.01)
            # Some are killed when something is installed already.
            time.sleep(chance.uniform(0, 1))
            killed += running.poll() is None
            os.killpg(running.pid, signal.SIGKILL)
        before = done()
        off = ended(*CUT, *setup)
        cut += off.returncode != 0
        assert (off.returncode == 0) == (len(done()) == len(STAMPS)), f"{step}: {off.stdout}{off.stderr}"
        assert done()[: len(before)] == before, step
    assert killed >= len(STEPS) - 1
    assert cut >= len(STEPS) - 1
    whole = ended(*setup)
    assert whole.returncode == 0, whole.stderr
    assert done() == list(STAMPS)
    again = ended(*CUT, *setup)
    assert (again.returncode, again.stdout) == (0, ""), "what is there needs no network"
    for program in (".venv/bin/ansible-playbook", ".venv/bin/pytest", ".venv-eb/bin/eb", ".venv-js/bin/node"):
        assert ended(program, "--version").returncode == 0, program
    deployed = ended("make", "deploy", seconds=2 * LIMIT)
    assert deployed.returncode == 0, deployed.stdout + deployed.stderr
    assert "failed=0" in deployed.stdout
    figures(f"set-up killed in {killed} of {len(STEPS)} steps, and cut off {cut} times; then make deploy was well")
