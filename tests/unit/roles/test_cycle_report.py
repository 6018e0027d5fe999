# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a cycle: the page in a real browser, the lines on the terminal, and what AWX keeps."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from browser import Browser, open_browser, start_chromium
from selenium.webdriver.common.by import By

from .plays import play

__all__ = ["open_browser", "start_chromium"]  # fixtures
EVIL = "<script>document.title = 'broken'</script>"
PICTURES = Path(__file__).resolve().parents[3] / "build" / "pictures"
START = datetime(2026, 8, 1, 2, 0, 0, 250000, tzinfo=UTC)
PLAYBOOK = """
- hosts: all
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{{{ ansible_playbook_python }}}}"
    recreate_and_swap_application: shop
    recreate_and_swap_cname_prefix: shop-live
    recreate_and_swap_report_folder: "{{{{ playbook_dir }}}}"
  tasks:
    - ansible.builtin.include_role:
        name: jack.beanstalk.recreate_and_swap
        tasks_from: {tasks}.yml
"""


def moment(second: float) -> str:
    return (START + timedelta(seconds=second)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def state() -> dict[str, Any]:
    """A cycle of 500 seconds with its swap at 300 and one failed request."""
    steps = [
        *((0, "acquire"), (1, "record"), (2, "create"), (3, "wait"), (100, "smoke_test"), (101, "wait"), (300, "swap")),
        *((301, "check_cname"), (302, "tag"), (303, "drain"), (400, "terminate"), (401, "wait"), (500, "release")),
    ]
    samples = [{"at": moment(at), "seconds": at / 1000, "problem": ""} for at in range(10, 500, 10)]
    samples[20]["problem"] = f"/: status 503 {EVIL}"
    environment = {"environment_id": "e-new", "environment_name": "shop-1", "version_label": "v1", "cname": "shop-live"}
    return {
        "logical": "shop/shop-live", "goal": "recreate",
        "result": "done", "sentence": EVIL, "cycle": "c-1", "instance_minutes": 23.5, "previous": None, "failure": {},
        "live": {**environment, "status": "Ready", "health": "Green"},
        "candidate": {**environment, "status": "Ready", "health": "Green"},
        "steps": [{"at": moment(at), "action": action, "reason": f"because {at}"} for at, action in steps],
        "samples": samples,
        "events": [
            {"event_date": moment(5), "severity": "WARN", "environment_name": "shop-1", "message": EVIL},
            {"event_date": moment(301), "severity": "INFO", "environment_name": "shop-0",
             "message": "Completed swapping CNAMEs"},
        ],
    }  # fmt: skip


def played(folder: Path, inventory: str, *options: str, **variables: Any) -> str:
    """What the folder's site.yml prints with the state of a cycle as variable."""
    (folder / "vars.json").write_text(json.dumps({"recreate_and_swap_state": state() | variables}))
    done = play(folder, "json", "-i", inventory, "-e", "@vars.json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def written(folder: Path, **other: Any) -> Path:
    """The page that the role's own tasks write."""
    (folder / "site.yml").write_text(PLAYBOOK.format(tasks="report"))
    played(folder, "host,", **other)
    document = json.loads((folder / "shop-live-c-1.json").read_text())
    assert (document["instance_minutes"], document["logical"]) == (
        other.get("instance_minutes", 23.5),
        "shop/shop-live",
    )
    return folder / "shop-live-c-1.html"


def boxes(browser: Browser, selector: str) -> list[dict[str, float]]:
    """Where elements were drawn, in pixels."""
    script = """return [...document.querySelectorAll(arguments[0])].map((each) => each.getBoundingClientRect())
      .map(({left, top, width, height}) => ({left, top, width, height}))"""
    found: list[dict[str, float]] = browser.execute_script(script, selector)
    return found


def texts(browser: Browser, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText)"
    found: list[str] = browser.execute_script(script, selector)
    return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("report"))


def test_timeline_probes_and_tables_are_drawn(browser: Browser, page: Path) -> None:
    browser.get(page.as_uri())
    assert texts(browser, "#result, #sentence") == ["done", EVIL]
    assert texts(browser, "#cost") == ["Cost: 23.5 instance-minutes of the candidate beside what was live."]
    assert texts(browser, "#timeline th") == ["creation", "verification", "swap", "CNAME check", "drain", "termination"]
    assert texts(browser, "#timeline .seconds") == ["98.0 s", "200.0 s", "1.0 s", "2.0 s", "97.0 s", "100.0 s"]
    bars = boxes(browser, "#timeline rect")
    assert [round(each["width"] / bars[5]["width"], 1) for each in bars[:2]] == [1.0, 2.0]
    assert all(one["left"] < two["left"] for one, two in pairwise(bars))
    assert all(each["height"] > 5 for each in bars)
    columns = boxes(browser, "#answers rect")
    assert len(columns) == 49
    assert [each["height"] for each in columns].index(max(each["height"] for each in columns)) == 20
    assert columns[48]["height"] > 2 * columns[10]["height"] > 0
    (line,) = boxes(browser, "#answers line")
    before, after = boxes(browser, "#answers .old"), boxes(browser, "#answers .new")
    assert max(each["left"] for each in before) < line["left"] <= min(each["left"] for each in after)
    assert texts(browser, "summary") == ["Steps (13)", "Events of Elastic Beanstalk (2, 1 of them warnings or errors)"]
    unfold(browser)
    assert len(texts(browser, "#steps tbody tr")) == 13
    assert texts(browser, "#events tbody td:last-child") == [EVIL, "Completed swapping CNAMEs"]
    browser.find_element(By.ID, "grave").click()
    assert [each["height"] > 0 for each in boxes(browser, "#events tbody tr")] == [True, False]
    assert texts(browser, "#problems td:last-child") == [f"/: status 503 {EVIL}"]
    assert browser.title == "shop/shop-live: done"


def unfold(browser: Browser) -> None:
    for summary in browser.find_elements(By.TAG_NAME, "summary"):
        summary.click()


def test_steps_that_say_the_same_are_one_line(browser: Browser, tmp_path: Path) -> None:
    waits = [{"at": moment(at), "action": "wait", "reason": "the candidate is launching"} for at in range(10, 900, 10)]
    page = written(tmp_path, steps=[{"at": moment(0), "action": "create", "reason": "it is time"}, *waits])
    browser.get(page.as_uri())
    unfold(browser)
    assert texts(browser, "#steps tbody tr") == [
        "02:00:00\tcreate\tit is time",
        "02:00:10\twait\tthe candidate is launching (89 times, until 02:14:50)",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_failure_is_in_the_first_screen_and_nothing_is_wider_than_it(
    browser: Browser, tmp_path: Path, width: int, scheme: str
) -> None:
    failed = {"lines": ["ERROR An error occurred during execution of command [app-deploy]", *["more of it"] * 60]}
    arn = "arn:aws:autoscaling:eu-central-1:123456789012:autoScalingGroup:6f0e0c4e-1111-2222-3333-444455556666:awseb"
    events = [{"event_date": moment(5), "severity": "ERROR", "environment_name": "shop-1", "message": f"No {arn}."}]
    page = written(tmp_path, failure=failed, events=events, result="failed_rolled_back")
    browser.prefer(scheme)
    browser.resize(width)
    browser.get(page.as_uri())
    browser.picture(PICTURES / f"report-{width}-{scheme}.png")
    for selector in ("#result", "#sentence", "#failure"):
        (box,) = boxes(browser, selector)
        assert box["top"] < 450, selector
    folded = browser.execute_script("return document.documentElement.scrollHeight")
    assert folded < 1800
    unfold(browser)
    assert browser.overflow() == []
    assert browser.faint() == []
    # Only what is longer than a line is broken: an ARN, and no word of a sentence or name.
    assert lines(browser, "#environments dd, #timeline th, thead th") <= {1}


def lines(browser: Browser, selector: str) -> set[int]:
    """Over how many lines the elements go."""
    script = """return [...document.querySelectorAll(arguments[0])].filter((one) => one.checkVisibility())
      .map((one) => Math.round(one.getBoundingClientRect().height / parseFloat(getComputedStyle(one).lineHeight)))"""
    return set(browser.execute_script(script, selector))


@pytest.mark.parametrize("result", ["refused", "locked"])
def test_a_night_without_a_cycle_has_a_report(browser: Browser, tmp_path: Path, result: str) -> None:
    (tmp_path / "site.yml").write_text(PLAYBOOK.format(tasks="report"))
    nothing = {"cycle": None, "steps": [], "samples": [], "events": [], "candidate": None, "instance_minutes": 0}
    played(tmp_path, "host,", result=result, **nothing)
    (page,) = tmp_path.glob("shop-live-2*.html")
    browser.get(page.as_uri())
    assert texts(browser, "#result, #sentence") == [result, EVIL]
    assert browser.complaints() == []


DEPLOYED = """
- hosts: all
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.include_role:
        name: jack.beanstalk.report
      vars:
        report_items: [{folder: "{{ playbook_dir }}", name: shop-1, document: "{{ recreate_and_swap_state.document }}"}]
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_a_failed_deployment_has_a_page_of_its_own(browser: Browser, tmp_path: Path, width: int) -> None:
    messages = ["Environment update is starting.", f"Deploying {EVIL}", "Failed to deploy application."]
    document = {
        "logical": "shop/shop-live", "result": "failed", "sentence": f"It failed: {EVIL}", "written": moment(70),
        "version_label": "shop-0a1b2c3d", "description": f"0a1b2c3d4e: {EVIL}",
        "failure": {"lines": ["Cause (hook 01_migrate.sh, eb-hooks.log of i-0123456789abcdef0):", f"  {EVIL}"]},
        "live": {"environment_id": "e-1", "environment_name": "shop", "version_label": "shop-1", "status": "Ready",
                 "health": "Green"},
        "instances": [{"instance_id": "i-0123456789abcdef0", "health_status": "Ok", "version_label": "shop-1"}],
        "hooks": [{"name": "migrate", "instance_id": "i-0123456789abcdef0", "ran": True, "rc": 1, "seconds": 2.5}],
        "events": [
            {"event_date": moment(at), "severity": severity, "environment_name": "shop", "message": message}
            for at, severity, message in zip((0, 10, 60), ("INFO", "INFO", "ERROR"), messages, strict=True)
        ],
        "steps": [], "samples": [],
    }  # fmt: skip
    (tmp_path / "site.yml").write_text(DEPLOYED)
    played(tmp_path, "host,", document=document)
    browser.resize(width)
    browser.get((tmp_path / "shop-1.html").as_uri())
    browser.picture(PICTURES / f"report-deployment-{width}.png")
    assert texts(browser, "#result, #sentence") == ["failed", f"It failed: {EVIL}"]
    assert texts(browser, "#version") == [f"Version shop-0a1b2c3d, 0a1b2c3d4e: {EVIL}"]
    assert texts(browser, "#failure") == ["\n".join(document["failure"]["lines"])]
    assert boxes(browser, "#failure")[0]["top"] < 450
    assert texts(browser, "#timeline th") == messages[:2]
    assert texts(browser, "#timeline .seconds") == ["10.0 s", "50.0 s"]
    assert texts(browser, "#instances tbody td") == ["i-0123456789abcdef0", "Ok", "shop-1"]
    assert texts(browser, "#hooks tbody td:last-child") == ["1, 2.5 s"]
    assert texts(browser, "#cost, #availability, #steps") == [], "these are of cycles"
    unfold(browser)
    assert browser.overflow() == []
    assert browser.faint() == []
    assert browser.complaints() == []
    assert [one["result"] for one in json.loads((tmp_path / "index.json").read_text())] == ["failed"]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of three nights in two months; the middle one did not end well, and has reports of three hosts at once."""
    folder = tmp_path_factory.mktemp("reports")
    (folder / "site.yml").write_text(PLAYBOOK.format(tasks="report").replace("shop-live", "'{{ inventory_hostname }}'"))
    nights = (("2026-07-30", "done", "a,"), ("2026-08-01", "failed_rolled_back", "a,b,c"), ("2026-08-02", "done", "a,"))
    for day, result, hosts in nights:
        steps = [{"at": f"{day}T02:00:00.000Z", "action": "create", "reason": "it is time"}]
        played(folder, hosts, "--forks", "3", cycle=f"c-{day}", steps=steps, result=result, sentence=f"{day} {EVIL}")
    return folder / "index.html"


@pytest.mark.slow
def test_the_index_has_failures_first_and_the_nights_as_a_calendar(browser: Browser, index: Path) -> None:
    browser.get(index.as_uri())
    assert texts(browser, "#tally") == ["5 reports, 3 of runs that did not end well."]
    links = "return [...document.querySelectorAll('#failed a')].map((one) => one.getAttribute('href'))"
    assert sorted(browser.execute_script(links)) == [f"{name}-c-2026-08-01.html" for name in "abc"]
    assert texts(browser, "main > h3") == ["2026-08-02", "2026-08-01", "2026-07-30"]
    assert texts(browser, "#months h3") == ["2026-08", "2026-07"]
    # 1 August 2026 is a Saturday, 1 July a Wednesday.
    blanks = """return [...document.querySelectorAll('.month')]
      .map((one) => [...one.children].findIndex((day) => day.innerText))"""
    assert browser.execute_script(blanks) == [5, 2]
    assert [
        len([each for each in texts(browser, f"section:nth-child({one}) .month > *") if each]) for one in (1, 2)
    ] == [31, 31]
    assert texts(browser, ".month .bad") == ["1"]
    assert texts(browser, ".month .good") == ["2", "30"]
    browser.find_element(By.CSS_SELECTOR, "#failed a").click()
    assert browser.title == "shop/shop-live: failed_rolled_back"
    assert browser.complaints() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_index_can_be_read(browser: Browser, index: Path, width: int, scheme: str) -> None:
    browser.prefer(scheme)
    browser.resize(width)
    browser.get(index.as_uri())
    browser.picture(PICTURES / f"reports-{width}-{scheme}.png")
    assert boxes(browser, "#failed li")[0]["top"] < 450
    assert browser.overflow() == []
    assert browser.faint() == []


def test_a_report_that_was_removed_leaves_the_index(browser: Browser, index: Path) -> None:
    (index.parent / "a-c-2026-07-30.html").unlink()
    played(index.parent, "a,", cycle="c-2026-08-02", result="done")
    browser.get(index.as_uri())
    assert texts(browser, "#tally") == ["4 reports, 3 of runs that did not end well."]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_needs_nothing_else_and_can_be_read(browser: Browser, page: Path, scheme: str) -> None:
    browser.prefer(scheme)
    browser.get(page.as_uri())
    assert browser.faint() == []
    assert browser.complaints() == []
    assert [url for url in browser.requests() if url != "about:blank"] == [page.as_uri()]


def test_what_is_unknown_is_said(browser: Browser, tmp_path: Path) -> None:
    lines = ["ERROR Failed to deploy", EVIL]
    page = written(tmp_path, samples=[], instance_minutes=None, events=[], failure={"lines": lines})
    browser.get(page.as_uri())
    assert texts(browser, "#availability") == ["No smoke tests were given, so nobody asked."]
    assert texts(browser, "#cost") == ["Cost unknown: Elastic Beanstalk's events name no instance of the candidate."]
    assert texts(browser, "#failure") == ["\n".join(lines)]
    assert browser.complaints() == []


@pytest.mark.parametrize("count", [10, 11])
def test_of_more_than_ten_hosts_one_reports_for_all(tmp_path: Path, count: int) -> None:
    names = [f"shop-{number}" for number in range(count)]
    many = count > 10
    (tmp_path / "site.yml").write_text(PLAYBOOK.format(tasks="summary"))
    shown = played(tmp_path, ",".join(names), sentence="It is fresh.", plan=[])
    assert len(re.findall(r"result: done\\n", shown)) == (0 if many else count)
    lines = re.findall(r"(shop-\d+): done: It is fresh. Live: e-new, version v1, Green.\\n", shown)
    assert lines == (names if many else [])
    stats = json.loads(shown.partition("CUSTOM STATS: ")[2].partition("RUN: ")[2])
    left = stats["jack_beanstalk_cycles"]
    assert sorted(left) == sorted(names)
    assert (left["shop-3"]["logical"], left["shop-3"]["live"]["environment_id"]) == ("shop/shop-live", "e-new")
    assert left["shop-3"]["steps"][0]["action"] == "acquire"
    assert not {"events", "samples"} & set(left["shop-3"]), "the files of the report have them"


def test_of_many_hosts_each_shows_its_plan(tmp_path: Path) -> None:
    names = [f"shop-{number}" for number in range(11)]
    (tmp_path / "site.yml").write_text(PLAYBOOK.format(tasks="summary"))
    shown = played(tmp_path, ",".join(names), "--check", result="", plan=["would create a candidate"])
    assert len(re.findall(r"result: would begin\\n", shown)) == len(names)
    assert shown.count("1. would create a candidate") == len(names)
