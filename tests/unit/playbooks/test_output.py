# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of deploy.yml: of a failure its cause, once."""

from __future__ import annotations

import re
import stat
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from localstalk.testing import Localstalk

from .shop import QUICK, Shop

EVENT = re.compile(r"\[\w+\] \d\d:\d\d:\d\d ")
Play = Callable[..., "subprocess.CompletedProcess[str]"]


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """The lines with something on them."""
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]


def details(done: subprocess.CompletedProcess[str]) -> Path:
    """The file that is named for the rest; it is its owner's only."""
    (path,) = set(re.findall(r"\S+/jack\.beanstalk/failures/\S+\.txt", " ".join(done.stdout.split())))
    assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
    return Path(path)


def test_a_run_without_change_prints_little(play_shop: Play) -> None:
    assert play_shop("deploy", ["calm"]).returncode == 0
    again = play_shop("deploy", ["calm"])
    assert "changed=0" in again.stdout, again.stdout + again.stderr
    said = lines(again)
    assert len(said) <= 25, again.stdout
    assert "skipping: [calm]" not in said
    assert len({line for line in said if line.startswith("TASK [")}) == sum(line.startswith("TASK [") for line in said)
    assert [line for line in said if re.match(r"(Version|Health|URL): ", line)][1] == "Health:       Green (Ok), Ready"


def test_a_run_without_change_prints_little_with_hooks_and_secrets(
    shared_localstalk: Localstalk, tmp_path: Path
) -> None:
    """The same of an environment in an account."""
    (tmp_path / "application").mkdir()
    shop = Shop(shared_localstalk, tmp_path / "application", "hooked")
    shop.change("one")
    shop.variables["eb_hooks_prefix"] = "shop"
    shop.variables["eb_hooks"] = [{"name": "hello", "command": "echo hello", "where": "host"}]
    shop.variables["eb_secrets"] = {"key": {"file": ".secrets/key", "content": "hunter2hunter2"}}
    shop.play("deploy.yml")
    again = shop.play("deploy.yml")
    assert "changed=0" in again, again
    assert len([line for line in again.splitlines() if line.strip()]) <= 25, again


@pytest.mark.slow
def test_diff_names_the_files_hooks_and_secrets_of_a_new_version(play_shop: Play) -> None:
    def variables(hook: str, secret: str) -> dict[str, Any]:
        hooks = [{"name": "hello", "command": hook, "where": "host"}]
        return {
            "eb_hooks_prefix": "shop",
            "eb_hooks": hooks,
            "eb_secrets": {"key": {"file": "conf/key", "content": secret}},
            "eb_bundle_overlay": [{"path": f"conf/{hook[-3:]}.txt", "content": "x"}],
        }

    assert play_shop("deploy", ["differs"], text="one", **variables("echo one", "hunter2hunter2")).returncode == 0
    later = variables("echo two", "hunter3hunter3")
    predicted = play_shop("deploy", ["differs"], "--check", "--diff", text="two", **later)
    done = play_shop("deploy", ["differs"], "--diff", text="two", **later)
    for run in (predicted, done):
        assert run.returncode == 0, run.stdout + run.stderr
        added = [line.lstrip("+").strip() for line in run.stdout.splitlines() if line.startswith("+")]
        wanted = ["Dockerfile: changed", "conf/one.txt: removed", "conf/two.txt: added", "conf/key: changed"]
        wanted += [".platform/hooks/postdeploy/shop_10_hello.sh: changed", "files:", "hooks:", "secrets:"]
        assert [line for line in wanted if line not in added] == [], run.stdout
        assert "hunter" not in run.stdout + run.stderr
    again = play_shop("deploy", ["differs"], "--diff", text="two", **later)
    assert "changed=0" in again.stdout
    assert ": changed" not in again.stdout


@pytest.mark.slow
def test_diff_of_a_swap_names_what_changed_as_well(play_shop: Play) -> None:
    swap = {"eb_deploy_strategy": "swap", "eb_recreate": QUICK}
    assert play_shop("deploy", ["swaps"], text="one", **swap).returncode == 0
    for options in (["--check", "--diff"], ["--diff"]):
        run = play_shop("deploy", ["swaps"], *options, text="two", **swap)
        assert run.returncode == 0, run.stdout + run.stderr
        added = [line.lstrip("+").strip() for line in run.stdout.splitlines() if line.startswith("+")]
        assert added.count("Dockerfile: changed") == 1, run.stdout


def test_a_failed_deployment_tells_its_cause_once(play_shop: Play, shared_localstalk: Localstalk) -> None:
    assert play_shop("deploy", ["fails"], text="one").returncode == 0
    shared_localstalk.fault("command", environment="fails")
    failed = play_shop("deploy", ["fails"], text="two")
    assert failed.returncode == 2, failed.stdout
    said = lines(failed)
    # All that is said of it, after the events as they came.
    assert len(said) - max(number for number, line in enumerate(said) if EVENT.match(line)) <= 40, failed.stdout
    (next_step,) = [number for number, line in enumerate(said) if "Next: Mend the cause, then run the same" in line]
    assert next_step >= len(said) - 16, failed.stdout
    assert re.search(r"Deploying version \S+ to the environment fails failed[.:].* Events and logs: /", " ".join(said))
    # An event is printed as it comes, and nowhere else.
    events = [line.partition(" ")[2].partition(" ")[2] for line in said if EVENT.match(line)]
    assert events
    assert [text for text, count in Counter(events).items() if count > 1] == []
    assert failed.stdout.count("Failed to deploy application.") == 1
    rest = details(failed).read_text()
    assert "ERROR Failed to deploy application." in rest
    assert "/var/log/eb-engine.log:" in rest
    assert "hunter2hunter2" not in rest + failed.stdout


def test_json_results_show_the_cause_in_lines_as_well(play_shop: Play, shared_localstalk: Localstalk) -> None:
    assert play_shop("deploy", ["plain"], text="one").returncode == 0
    shared_localstalk.fault("command", environment="plain")
    failed = play_shop("deploy", ["plain"], text="two", result_format="json")
    assert re.search(r"^(\[plain\] )?Next: Mend the cause", failed.stdout, re.MULTILINE)
    said = lines(failed)
    assert len(said) - max(number for number, line in enumerate(said) if EVENT.match(line)) <= 40, failed.stdout


def test_a_fleet_is_a_table_of_those_that_failed(play_shop: Play, shared_localstalk: Localstalk) -> None:
    names = [f"fleet-{number}" for number in range(6)]
    assert play_shop("deploy", names, text="one").returncode == 0
    for name in ("fleet-2", "fleet-4"):
        shared_localstalk.fault("command", environment=name)
    failed = play_shop("deploy", names, text="two")
    assert failed.returncode == 2, failed.stdout
    table = [line for line in lines(failed) if "  FAILED  " in line]
    assert [line.split()[0] for line in table] == ["fleet-2", "fleet-4"]
    assert all("Instance deployment failed" in line or "Unsuccessful command" in line for line in table), table
    assert "4 others: 4 changed, 0 as they should be" in [line.strip() for line in lines(failed)]
    assert "== fleet-2 ==" in details(failed).read_text()
    assert "== fleet-4 ==" in details(failed).read_text()
