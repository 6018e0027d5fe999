# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person sees of deploy.yml: of a failure its cause, once."""

from __future__ import annotations

import re
import stat
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from localstalk.testing import Localstalk

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
