# SPDX-License-Identifier: GPL-3.0-or-later
"""What the report of a deployment says of tasks that should have run once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from .plays import play

ROOT = Path(__file__).resolve().parents[3]
PLAYBOOK = """
- hosts: all
  connection: local
  gather_facts: false
  vars_files: "{{ defaults }}"
  tasks:
    - ansible.builtin.debug:
        msg: "{{ lookup('ansible.builtin.template', template) }}"
"""


def hook(name: str, instance: str, ran: bool, once_store: str = "none") -> dict[str, Any]:
    facts = {"name": name, "instance_id": instance, "ran": ran, "once_store": once_store}
    return facts | {"leader_only": True, "rc": 0 if ran else None, "seconds": 1, "config_deploy": False}


def test_once(tmp_path: Path) -> None:
    hooks = [
        *(hook("single", "i-1", True), hook("single", "i-2", False)),
        *(hook("double", "i-1", True, "unavailable"), hook("double", "i-2", True, "unavailable")),
        *(hook("gone", "i-1", False), hook("gone", "i-2", False)),
        hook("noted", "i-1", True, "s3"),
        *(hook("again", "i-1", True, "s3"), hook("again", "i-2", True, "s3")),
        *(hook("before", "i-1", False), hook("before", "i-2", False, "s3") | {"reason": "the once store says so"}),
        {**hook("everywhere", "i-1", True), "leader_only": False},
    ]
    variables = {
        "template": str(ROOT / "roles/deploy/templates/report.txt.j2"),
        "__deploy_result": {"hooks": hooks, "leader": {"state": "none"}},
        "deploy_environment": {"application": "shop", "name": "shop", "version_label": "v7"},
        "defaults": str(ROOT / "roles/deploy/defaults/main.yml"),
    }
    (tmp_path / "site.yml").write_text(PLAYBOOK)
    (tmp_path / "vars.json").write_text(json.dumps(variables))
    done = play(tmp_path, "yaml", "-i", "host,", "-e", "@vars.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(re.findall(r"Once: +(.+)", done.stdout)) == [
        "again took 2 attempts (i-1, i-2); the once store in S3 lets one begin only when the last has failed",
        "before was not run by this deployment: the once store says so",
        "double did not run once but 2 times (i-1, i-2): Elastic Beanstalk elected more than one leader, "
        "by its marker, the once store was out of reach",
        "gone ran on none of the present instances; if it ran at all, that instance has gone",
        "noted ran on one instance, the once store in S3 allows no second run",
        "single ran on one instance, by its marker, without a once store",
    ]


REPORT = """
- hosts: all
  connection: local
  gather_facts: false
  tasks:
    - ansible.builtin.set_fact:
        __deploy_results: {environments: "{{ {inventory_hostname: result} }}"}
      vars:
        result: {changed: "{{ inventory_hostname == 'shop-3' }}", environment: "{{ live }}"}
        live:
          environment_id: "e-{{ inventory_hostname }}"
          application_name: "{{ 'blog' if inventory_hostname == 'shop-3' else 'shop' }}"
          environment_name: "{{ inventory_hostname }}"
          status: Ready
          version_label: shop-7
          health: Green
          url: "http://{{ inventory_hostname }}.example.com"
    - ansible.builtin.include_role:
        name: jack.beanstalk.deploy
        tasks_from: "{{ item }}"
        rolespec_validate: false
      loop: [report, result]
      vars:
        deploy_environment: {application: shop, version_label: shop-7}
        deploy_url: "https://{{ inventory_hostname }}"
"""


@pytest.mark.parametrize("count", [10, 11])
def test_of_more_than_ten_hosts_one_reports_for_all(tmp_path: Path, count: int) -> None:
    names = [f"shop-{number}" for number in range(count)]
    many = count > 10
    (tmp_path / "site.yml").write_text(REPORT)
    done = play(tmp_path, "json", "-i", ",".join(names))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall("Application: +shop", done.stdout)) == (0 if many else count)
    assert re.findall(r"(shop-\d+): e-", done.stdout) == (names if many else [])
    if many:
        assert "shop-3: e-shop-3, shop-7, Green, changed, http://shop-3.example.com\\n" in done.stdout
    stats = json.loads(done.stdout.partition("CUSTOM STATS: ")[2].partition("RUN: ")[2])
    left = stats["jack_beanstalk_deployments"]
    assert sorted(left) == sorted(names)
    assert left["shop-2"]["application_name"] == "shop"
    assert left["shop-3"] == {
        "application_name": "blog",
        "environment_id": "e-shop-3",
        "version_label": "shop-7",
        "changed": True,
        "health": "Green",
        "leader": "",
        "url": "http://shop-3.example.com" if many else "https://shop-3",
    }
    assert not left["shop-2"]["changed"]
