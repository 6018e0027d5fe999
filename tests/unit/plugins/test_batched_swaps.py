# SPDX-License-Identifier: GPL-3.0-or-later
"""Swaps and cycles of several hosts by the playbooks: one call for all, and a host that fails stops no other one."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .action.batch import PLATFORM, PROFILE, QUICK_CYCLE, recap, run_playbook

FAILS = "- name: Warm caches\n  ansible.builtin.fail:\n    msg: The caches stay cold.\n"


class Fleet:
    """Hosts of one application, and runs of playbooks for all of them."""

    def __init__(self, folder: Path, aws: dict[str, str], eb: Any, names: list[str]) -> None:
        self.folder, self.eb = folder, eb
        self.hosts: dict[str, dict[str, Any]] = {name: {} for name in names}
        (folder / "shop").mkdir()
        self.variables = {
            "ansible_connection": "local",
            "eb_application": names[0].partition("-")[0],
            "eb_cname_prefix": "{{ inventory_hostname }}",
            "eb_region": aws["region"],
            "eb_platform": PLATFORM,
            "eb_source": {"path": str(folder / "shop"), "from": "work_tree"},
            "eb_option_settings": PROFILE,
            "eb_aws": {key: aws[key] for key in ("endpoint_url", "access_key", "secret_key")},
            "eb_poll_interval": 0.2,
            "eb_recreate": QUICK_CYCLE,
        }

    def play(self, playbook: str, text: str) -> tuple[int, str]:
        """Run a playbook with a text in the application."""
        (self.folder / "shop/Dockerfile").write_text(f"FROM debian\nEXPOSE 80\nLABEL text={text}\n")
        (self.folder / "hosts.json").write_text(json.dumps({"all": {"vars": self.variables, "hosts": self.hosts}}))
        return run_playbook(playbook, self.folder / "hosts.json")

    def live(self) -> dict[str, tuple[str, str]]:
        """Environment id and version label of each host's live environment."""
        found = self.eb.describe_environments(ApplicationName=self.variables["eb_application"], IncludeDeleted=False)[
            "Environments"
        ]
        held = {one["CNAME"].partition(".")[0]: (one["EnvironmentId"], one["VersionLabel"]) for one in found}
        return {name: held[name] for name in self.hosts}


def workers(output: str, task: str) -> list[str]:
    """Hosts that worked in a task, for each time that it was begun."""
    found = re.findall(rf"^TASK \[[^\]]*{task}\] .*\n((?:(?!^(?:TASK|PLAY) ).*\n)*)", output, re.MULTILINE)
    return [" ".join(re.findall(r"^(?:ok|changed|fatal): \[(\S+)\]", each, re.MULTILINE)) for each in found]


@pytest.fixture
def fleet(tmp_path: Path, aws: dict[str, str], eb: Any, request: pytest.FixtureRequest) -> Fleet:
    made = Fleet(tmp_path, aws, eb, request.param)
    status, output = made.play("deploy.yml", "one")
    assert status == 0, output
    return made


@pytest.mark.parametrize("fleet", [["swaps-bad", "swaps-one", "swaps-place", "swaps-two"]], indirect=True)
def test_hosts_of_a_batch_are_swapped_by_one_call(fleet: Fleet) -> None:
    before = fleet.live()
    for name in ("swaps-bad", "swaps-one", "swaps-two"):
        fleet.hosts[name]["eb_deploy_strategy"] = "swap"
    fleet.hosts["swaps-bad"]["eb_recreate"] = {**QUICK_CYCLE, "bake_time": "soon"}
    status, output = fleet.play("deploy.yml", "two")
    assert status == 2, output
    # Whoever is first works for all.
    assert workers(output, "Replace the live environments by fresh ones") == ["swaps-bad"]
    assert {name: failed for name, (_changed, failed) in recap(output).items()} == {
        "swaps-bad": 1,
        "swaps-one": 0,
        "swaps-place": 0,
        "swaps-two": 0,
    }
    assert "bake_time" in output.rpartition("TASK [")[2], "told in the last task"
    after = fleet.live()
    (label,) = {after[name][1] for name in ("swaps-one", "swaps-place", "swaps-two")}
    assert label != before["swaps-one"][1]
    assert after["swaps-bad"] == before["swaps-bad"]
    assert [name for name in fleet.hosts if after[name][0] != before[name][0]] == ["swaps-one", "swaps-two"]

    del fleet.hosts["swaps-bad"]["eb_recreate"]
    status, output = fleet.play("deploy.yml", "two")
    assert status == 0, output
    assert workers(output, "Replace the live environments by fresh ones") == ["swaps-bad"]
    last = fleet.live()
    assert {name: last[name] for name in after if name != "swaps-bad"} == {
        name: after[name] for name in after if name != "swaps-bad"
    }
    assert last["swaps-bad"][1] == label
    assert last["swaps-bad"][0] != before["swaps-bad"][0]


@pytest.mark.parametrize("fleet", [["stops-one", "stops-two"]], indirect=True)
def test_a_stage_that_fails_for_one_host_stops_no_other_cycle(fleet: Fleet, tmp_path: Path) -> None:
    before = fleet.live()
    (tmp_path / "warm.yml").write_text(FAILS)
    fleet.variables["eb_recreate"] = {**QUICK_CYCLE, "force": True}
    fleet.hosts["stops-one"]["eb_recreate_stage_tasks"] = {"before_swap": str(tmp_path / "warm.yml")}
    status, output = fleet.play("recreate_and_swap.yml", "one")
    assert status == 2, output
    assert {name: failed for name, (_changed, failed) in recap(output).items()} == {"stops-one": 1, "stops-two": 0}
    assert "The caches stay cold." in output.rpartition("TASK [")[2], "told in the last task"
    after = fleet.live()
    assert (after["stops-one"], after["stops-two"][1]) == (before["stops-one"], before["stops-two"][1])
    assert after["stops-two"][0] != before["stops-two"][0]


@pytest.mark.parametrize("fleet", [["lacks-one"]], indirect=True)
def test_a_stage_file_that_is_not_there_is_refused_before_the_cycle(fleet: Fleet, tmp_path: Path) -> None:
    before = fleet.live()
    fleet.hosts["lacks-one"]["eb_recreate_stage_tasks"] = {"before_swap": str(tmp_path / "none.yml")}
    status, output = fleet.play("recreate_and_swap.yml", "one")
    assert status == 2, output
    assert f"There is no file {tmp_path}/none.yml of tasks for a stage: nothing was begun." in " ".join(output.split())
    assert fleet.live() == before
