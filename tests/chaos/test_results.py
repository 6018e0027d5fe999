# SPDX-License-Identifier: GPL-3.0-or-later
"""Every documented result, from one run of the real playbook over a fleet in which each host ends differently."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.lease import Lease
from ansible_collections.jack.beanstalk.plugins.module_utils._beanstalk.lock.store import LockStore
from chaos.local import client, deploy, environments
from chaos.test_playbook import QUICK

ROOT = Path(__file__).resolve().parents[2]
PLAYBOOK = Path(sys.executable).with_name("ansible-playbook")
STATUS = ROOT / "roles" / "recreate_and_swap" / "files" / "cycle_status.sh"
EXPECTED = {
    "res-done": "done",
    "res-skipped": "skipped",
    "res-refused": "refused",
    "res-locked": "locked",
    "res-back": "failed_rolled_back",
    "res-human": "failed_needs_human",
}


def sicken(tmp_path: Path, name: str, *environments: str) -> str:
    """A stage's file after which these environments (expressions) are Severe."""
    path = tmp_path / f"{name}.yml"
    tasks = [
        {
            "name": "Let an environment get sick",
            "ansible.builtin.uri": {
                "url": "{{ faults }}",
                "method": "POST",
                "url_username": "{{ eb_aws.access_key }}",
                "url_password": "{{ eb_aws.secret_key }}",
                "force_basic_auth": True,
                "body_format": "json",
                "body": {"kind": "health", "health": "Severe", "environment": one},
                "status_code": 201,
            },
        }
        for one in environments
    ]
    path.write_text(json.dumps(tasks))
    return str(path)


def hold_the_lock(aws: dict[str, str], application: str) -> None:
    bucket = client(aws, "elasticbeanstalk").create_storage_location()["S3Bucket"]
    store = LockStore(client(aws, "s3"), bucket, application, f"{application}-live")
    lease = Lease(owner="somebody", reason="restoring a dump", token=1, expires=store.now + 900)
    store.write(lease)


def fleet(aws: dict[str, str], tmp_path: Path) -> Path:
    candidate = "{{ recreate_and_swap_state.candidate.environment_name }}"
    previous = "{{ recreate_and_swap_state.previous.environment_name }}"
    special: dict[str, dict[str, Any]] = {
        "res-skipped": {"eb_recreate": {**QUICK, "force": False, "min_age": 3600}},
        "res-back": {
            "eb_recreate": {**QUICK, "verify_timeout": 2},
            "eb_recreate_stage_tasks": {"before_swap": sicken(tmp_path, "before_swap", candidate)},
        },
        "res-human": {
            "eb_recreate": {**QUICK, "unhealthy_grace": 1, "rollback_timeout": 5},
            "eb_recreate_stage_tasks": {"after_swap": sicken(tmp_path, "after_swap", candidate, previous)},
        },
    }
    hosts = {
        name: {
            "eb_application": name,
            "eb_cname_prefix": f"{name}-live",
            "eb_region": aws["AWS_REGION"],
            "eb_aws": {
                "endpoint_url": aws["AWS_ENDPOINT_URL"],
                "access_key": aws["AWS_ACCESS_KEY_ID"],
                "secret_key": aws["AWS_SECRET_ACCESS_KEY"],
            },
            "eb_recreate": QUICK,
            "faults": f"{aws['AWS_ENDPOINT_URL']}/_localstalk/faults",
            **special.get(name, {}),
        }
        for name in EXPECTED
    }
    inventory = tmp_path / "fleet.json"
    inventory.write_text(json.dumps({"all": {"hosts": hosts}}))
    return inventory


def test_each_result_has_its_word_and_the_run_the_worst_status(aws: dict[str, str], tmp_path: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        first = dict(zip(EXPECTED, pool.map(lambda name: deploy(aws, name), EXPECTED), strict=True))
    (refused,) = environments(aws, "res-refused")
    client(aws, "elasticbeanstalk").update_tags_for_resource(
        ResourceArn=refused["EnvironmentArn"], TagsToAdd=[{"Key": "jack:protected", "Value": "true"}]
    )
    hold_the_lock(aws, "res-locked")
    command = [str(STATUS), str(PLAYBOOK), "-i", str(fleet(aws, tmp_path)), "--forks=6", "recreate_and_swap.yml"]
    plain = {key: value for key, value in aws.items() if not key.startswith("AWS_")}
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **plain}, capture_output=True, text=True, timeout=280, check=False
    )
    assert ended.returncode == 13, ended.stdout + ended.stderr
    for name, word in EXPECTED.items():
        shown = re.search(rf"\[{name}\] => *\n(?:  .*\n)*?  +result: (\w+)\n", ended.stdout)
        assert shown is not None, ended.stdout
        assert shown.group(1) == word, (name, ended.stdout)
    assert "\\n" not in ended.stdout, "each line of a message is one"
    left = {name: [one["EnvironmentId"] for one in environments(aws, name)] for name in EXPECTED}
    assert left["res-done"] != [first["res-done"]]
    for name in ("res-skipped", "res-refused", "res-locked", "res-back"):
        assert left[name] == [first[name]], name
    assert len(left["res-human"]) == 2, "nothing more is touched"
