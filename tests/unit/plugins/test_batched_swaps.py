# SPDX-License-Identifier: GPL-3.0-or-later
"""Swaps and cycles of several hosts by the playbooks: one call for all, and a host that fails stops no other one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .action.batch import PLATFORM, PROFILE, QUICK_CYCLE, recap, run_playbook

HOSTS = ("swaps-bad", "swaps-one", "swaps-place", "swaps-two", "stops-none", "stops-one", "stops-two")
FAILS = "- name: Warm caches\n  ansible.builtin.fail:\n    msg: The caches stay cold.\n"


class Fleet:
    """Hosts of one application, and runs of playbooks for all of them."""

    def __init__(self, folder: Path, aws: dict[str, str], eb: Any) -> None:
        self.folder, self.eb = folder, eb
        self.hosts: dict[str, dict[str, Any]] = {name: {} for name in HOSTS}
        (folder / "shop").mkdir()
        self.variables = {
            "ansible_connection": "local",
            "eb_application": "swaps",
            "eb_cname_prefix": "{{ inventory_hostname }}",
            "eb_region": aws["region"],
            "eb_platform": PLATFORM,
            "eb_source": {"path": str(folder / "shop"), "from": "work_tree"},
            "eb_option_settings": PROFILE,
            "eb_aws": {key: aws[key] for key in ("endpoint_url", "access_key", "secret_key")},
            "eb_poll_interval": 0.2,
            "eb_recreate": QUICK_CYCLE,
        }

    def play(self, playbook: str, text: str, *words: str) -> tuple[int, str]:
        """Run a playbook with a text in the application."""
        (self.folder / "shop/Dockerfile").write_text(f"FROM debian\nEXPOSE 80\nLABEL text={text}\n")
        (self.folder / "hosts.json").write_text(json.dumps({"all": {"vars": self.variables, "hosts": self.hosts}}))
        return run_playbook(playbook, self.folder / "hosts.json", *words)

    def live(self) -> dict[str, tuple[str, str]]:
        """Environment id and version label of each host's live environment."""
        held = {one["CNAME"].partition(".")[0]: (one["EnvironmentId"], one["VersionLabel"]) for one in self._all()}
        return {name: held[name] for name in self.hosts}

    def environments_of(self, host: str) -> int:
        """How many environments are named after a host."""
        return sum(one["EnvironmentName"].startswith(host) for one in self._all())

    def _all(self) -> list[dict[str, Any]]:
        found = self.eb.describe_environments(ApplicationName="swaps", IncludeDeleted=False)["Environments"]
        return [dict(one) for one in found]


def failed(output: str) -> dict[str, int]:
    """How many tasks of each host failed."""
    return {name: count for name, (_changed, count) in recap(output).items()}


def workers(output: str, task: str) -> list[str]:
    """Hosts that worked in a task, for each time that it was begun."""
    found = re.findall(rf"^TASK \[[^\]]*{task}\] .*\n((?:(?!^(?:TASK|PLAY) ).*\n)*)", output, re.MULTILINE)
    return [" ".join(re.findall(r"^(?:ok|changed|fatal): \[(\S+)\]", each, re.MULTILINE)) for each in found]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, aws: dict[str, str], eb: Any) -> Fleet:
    """Six hosts with an environment each; every test has those of its own."""
    made = Fleet(tmp_path_factory.mktemp("fleet"), aws, eb)
    status, output = made.play("deploy.yml", "one")
    assert status == 0, output
    return made


@pytest.mark.slow
def test_hosts_of_a_batch_are_swapped_by_one_call(fleet: Fleet) -> None:
    before = fleet.live()
    for name in ("swaps-bad", "swaps-one", "swaps-two"):
        fleet.hosts[name]["eb_deploy_strategy"] = "swap"
    fleet.hosts["swaps-bad"]["eb_recreate"] = {**QUICK_CYCLE, "bake_time": "soon"}
    status, output = fleet.play("deploy.yml", "two", "--limit", "swaps-*")
    assert status == 2, output
    # Whoever is first works for all.
    assert workers(output, "Replace the live environments by fresh ones") == ["swaps-bad"]
    assert failed(output) == {"swaps-bad": 1, "swaps-one": 0, "swaps-place": 0, "swaps-two": 0}
    assert "bake_time" in output.rpartition("TASK [")[2], "told in the last task"
    after = fleet.live()
    (label,) = {after[name][1] for name in ("swaps-one", "swaps-place", "swaps-two")}
    assert label != before["swaps-one"][1]
    assert after["swaps-bad"] == before["swaps-bad"]
    assert [name for name in fleet.hosts if after[name][0] != before[name][0]] == ["swaps-one", "swaps-two"]

    # The same command goes on: what is done has no cycle.
    del fleet.hosts["swaps-bad"]["eb_recreate"]
    status, output = fleet.play("deploy.yml", "two", "--limit", "swaps-*")
    assert status == 0, output
    assert workers(output, "Replace the live environments by fresh ones") == ["swaps-bad"]
    last = fleet.live()
    assert [name for name in fleet.hosts if last[name] != after[name]] == ["swaps-bad"]
    assert (last["swaps-bad"][0] != before["swaps-bad"][0], last["swaps-bad"][1]) == (True, label)


def test_a_stage_that_fails_for_one_host_stops_no_other_cycle(fleet: Fleet, tmp_path: Path) -> None:
    """A task that fails, and a file that is not there, which is found before the cycle."""
    before = fleet.live()
    (tmp_path / "warm.yml").write_text(FAILS)
    fleet.variables["eb_recreate"] = {**QUICK_CYCLE, "force": True}
    for name, file in (("stops-one", "warm.yml"), ("stops-none", "none.yml")):
        fleet.hosts[name]["eb_recreate_stage_tasks"] = {"before_swap": str(tmp_path / file)}
    status, output = fleet.play("recreate_and_swap.yml", "one", "--limit", "stops-*")
    assert status == 2, output
    assert failed(output) == {"stops-none": 1, "stops-one": 1, "stops-two": 0}
    last = " ".join(output.rpartition("TASK [")[2].split())
    assert "The caches stay cold." in last, "told in the last task"
    assert f"There is no file {tmp_path}/none.yml of tasks for a stage: nothing was begun." in last
    after = fleet.live()
    assert [name for name in fleet.hosts if after[name] != before[name]] == ["stops-two"]
    assert after["stops-two"][1] == before["stops-two"][1]
    assert fleet.environments_of("stops-none") == 1
