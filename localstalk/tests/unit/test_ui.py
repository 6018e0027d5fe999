# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of ``localstalk ui`` in a real browser, and what it is told."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from browser import Browser, open_browser, start_chromium  # noqa: F401 - fixtures
from control_plane import Localstalk, option
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    JavascriptException,
    StaleElementReferenceException,
    TimeoutException,
)
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from localstalk.driver import Command
from localstalk.testing import Localstalk as Daemon
from localstalk.ui import page
from localstalk.ui.feed import Feed

SUFFIX = ".us-east-1.elasticbeanstalk.com"
EVIL = "<script>document.title = 'broken'</script><img src=x onerror=\"document.title = 'broken'\">"
THREE = (
    option("aws:autoscaling:asg", "MinSize", "3"),
    option("aws:elasticbeanstalk:command", "DeploymentPolicy", "Rolling"),
    option("aws:elasticbeanstalk:command", "BatchSizeType", "Fixed"),
    option("aws:elasticbeanstalk:command", "BatchSize", "1"),
)


class Page:
    """The page as somebody in front of it sees it. It is loaded once: what changes, changes by itself."""

    def __init__(self, browser: Browser, link: str) -> None:
        self.browser = browser
        self.url = link.partition("?")[0]
        browser.get(link)
        browser.execute_script("window.loadedOnce = true")

    def until(self, holds: Callable[[], object], what: str) -> None:
        try:
            WebDriverWait(self.browser, 10, 0.05).until(lambda _: holds())
        except TimeoutException as error:
            raise AssertionError(f"{what} never came; the page says:\n{self.text('body')}") from error

    def text(self, selector: str) -> str:
        """What is visible of the elements; at one moment, for the page replaces them."""
        script = """return [...document.querySelectorAll(arguments[0])].filter((each) => each.checkVisibility())
          .map((each) => each.innerText).join('\\n')"""
        return str(self.browser.execute_script(script, selector)).strip()

    def rows(self, selector: str) -> list[list[str]]:
        """Texts of the cells of a table's visible rows."""
        script = """return [...document.querySelectorAll(arguments[0] + ' tbody tr')].filter((row) => !row.hidden)
          .map((row) => [...row.cells].map((cell) => cell.innerText.replaceAll('\\n', ' ')))"""
        found: list[list[str]] = self.browser.execute_script(script, selector)
        return found

    def environments(self) -> dict[str, list[str]]:
        """Health, status, CNAME prefix, version, number of instances, application; columns without room included."""
        script = """return [...document.querySelectorAll('#environment-table tbody tr')].filter((row) => !row.hidden)
          .map((row) => [...row.cells].map((cell) => cell.textContent))"""
        return {row[0]: row[1:] for row in self.browser.execute_script(script)}

    def swaps(self) -> list[str]:
        """Swaps of the timeline, newest first."""
        script = "return [...document.querySelectorAll('.swap')].map((row) => row.cells[2].innerText)"
        found: list[str] = self.browser.execute_script(script)
        return found

    def press(self, *keys: str) -> None:
        ActionChains(self.browser).send_keys(*keys).perform()

    def events(self) -> list[str]:
        """Messages, newest first."""
        script = "return [...document.getElementsByClassName('message')].map((each) => each.textContent)"
        found: list[str] = self.browser.execute_script(script)
        return found

    def choose(self, name: str) -> None:
        def clicked() -> bool:
            self.browser.find_element(By.LINK_TEXT, name).click()
            return True

        # A row that is just being added moves the others away from under the pointer.
        moving = (ElementClickInterceptedException, StaleElementReferenceException)
        WebDriverWait(self.browser, 10, 0.05, ignored_exceptions=moving).until(lambda _: clicked())
        self.until(lambda: self.text("#detail-title") == name, name)

    def sound(self) -> None:
        """Nothing was loaded anew, nothing went wrong, and nobody else was asked."""
        assert self.browser.execute_script("return window.loadedOnce")
        assert self.browser.complaints() == []
        strangers = [url for url in self.browser.requests() if not url.startswith((self.url, "data:", "about:"))]
        assert strangers == []


def link(localstalk: Localstalk) -> str:
    """What ``localstalk ui`` prints."""
    status, path = localstalk.ask("ui/link", "POST")
    assert status == 201
    return localstalk.endpoint + path.strip()


def messages(localstalk: Localstalk) -> list[str]:
    return [each["Message"] for each in localstalk.eb.describe_events()["Events"]]


def elected(localstalk: Localstalk, instance_id: str) -> bool:
    """What the instance itself says of its last deployment."""
    log = localstalk.driver.run(instance_id, Command("tail-log", "any", 0, "", 60)).output
    return log.rindex("Instance is Leader.") > log.rfind("NOT Leader.") if "Instance is Leader." in log else False


def test_environments_and_events_appear_by_themselves(localstalk: Localstalk, browser: Browser) -> None:
    page = Page(browser, link(localstalk))
    page.until(lambda: "There is no environment yet." in page.text("#nothing"), "the empty list")
    localstalk.create("shop-blue", CNAMEPrefix="shop")
    page.until(lambda: page.environments(), "shop-blue")
    assert page.environments() == {"shop-blue": ["Ok", "Ready", "shop", "v1", "1", "app · us-east-1"]}
    page.until(lambda: page.events() == messages(localstalk), "every event")
    assert "Successfully launched environment: shop-blue" in page.events()
    localstalk.eb.terminate_environment(EnvironmentName="shop-blue")
    localstalk.advance(600)
    page.until(lambda: page.environments()["shop-blue"][:2] == ["NoData", "Terminated"], "the end of shop-blue")
    localstalk.advance(4000)
    page.until(lambda: page.environments() == {}, "the empty list again")
    page.sound()


def test_leader_versions_and_health_of_instances(localstalk: Localstalk, browser: Browser) -> None:
    environment_id = localstalk.create("shop-blue", *THREE)
    page = Page(browser, link(localstalk))
    page.until(lambda: page.environments(), "shop-blue")
    page.choose("shop-blue")
    assert browser.current_url == f"{page.url}#{environment_id}"
    localstalk.version("v2")
    localstalk.eb.update_environment(EnvironmentName="shop-blue", VersionLabel="v2")
    localstalk.advance(40)

    def versions() -> list[str]:
        return [row[2] for row in page.rows("#fleet-table")]

    half_way = ["v2 deployment 2: Deployed", "v1 deployment 1: Deployed", "v1 deployment 1: Deployed"]
    page.until(lambda: versions() == half_way, "the first batch")
    assert "Application update in progress on 3 instances. 1 out of 3 instances completed" in page.text("#facts")
    localstalk.advance(3600)
    page.until(lambda: versions() == ["v2 deployment 2: Deployed"] * 3, "the last batch")
    ids = list(localstalk.region.environments[environment_id].instances)
    (leader,) = (each for each in ids if elected(localstalk, each))
    assert {row[0].split()[0]: "leader" in row[0].split() for row in page.rows("#fleet-table")} == {
        each: each == leader for each in ids
    }
    assert page.text("#leader") == f"Leader of deployment 2: {leader}"
    localstalk.driver.set_instance(leader, http_status=500)
    localstalk.advance(300)
    page.until(lambda: "Severe" in page.text(f"#instance-{leader}"), "red health")
    assert "ELB processes are not healthy on 1 out of 3 instances." in page.text("#facts")
    assert page.environments()["shop-blue"][0] == "Degraded"
    page.sound()


def test_the_feed_tells_only_news(localstalk: Localstalk) -> None:
    regions = [localstalk.region]
    first, second = (localstalk.create(name) for name in ("shop-blue", "shop-green"))
    feed, close = Feed(localstalk.control, lambda: regions), Feed(localstalk.control, lambda: regions, first)
    told = feed.news()
    assert [each["id"] for each in told["environments"]] == [first, second]
    assert [each["message"] for each in told["events"]] == messages(localstalk)[::-1]
    assert "detail" not in told
    told = close.news()
    assert {each["id"] for each in told["events"]} == {first}
    assert (told["detail"]["id"], told["detail"]["fleet"][0]["leader"]) == (first, True)
    assert (feed.news(), close.news()) == ({}, {})
    localstalk.region.environments[second].health.status = "Severe"
    for each in (feed, close):
        told = each.news()
        assert ([one["id"] for one in told["environments"]], list(told)) == ([second], ["environments"])
    for number in range(300):
        localstalk.region.events.record(f"event {number}")
    assert [each["message"] for each in feed.news()["events"]] == [f"event {number}" for number in range(100, 300)]


def test_a_deployment_without_a_leader_marks_none(localstalk: Localstalk, browser: Browser) -> None:
    localstalk.create(
        "shop-blue", *THREE[:1], option("aws:elasticbeanstalk:command", "DeploymentPolicy", "TrafficSplitting")
    )
    page = Page(browser, link(localstalk))
    page.until(lambda: page.environments(), "shop-blue")
    page.choose("shop-blue")
    page.until(lambda: page.text("#leader").startswith("Leader of deployment 1"), "the first leader")
    localstalk.version("v2")
    localstalk.update(EnvironmentName="shop-blue", VersionLabel="v2")
    page.until(lambda: page.text("#leader").startswith("No instance was elected"), "the end of the leader")
    assert page.text(".leader") == ""
    page.sound()


def test_cnames_before_and_after_a_swap(localstalk: Localstalk, browser: Browser) -> None:
    localstalk.create("shop-blue", CNAMEPrefix="shop")
    localstalk.create("shop-green", CNAMEPrefix="shop-new")
    page = Page(browser, link(localstalk))
    page.until(lambda: len(page.environments()) == 2, "both environments")
    assert page.swaps() == []
    names = {"SourceEnvironmentName": "shop-blue", "DestinationEnvironmentName": "shop-green"}
    localstalk.eb.swap_environment_cnames(**names)
    localstalk.advance(2)
    page.until(lambda: {row[1] for row in page.environments().values()} == {"Updating"}, "the swap under way")
    localstalk.advance(60)
    page.until(lambda: page.swaps(), "the swap")
    exchanged = ["shop-blue from shop to shop-new\nshop-green from shop-new to shop"]
    assert page.swaps() == exchanged
    assert {name: row[2] for name, row in page.environments().items()} == {
        "shop-blue": "shop-new",
        "shop-green": "shop",
    }
    localstalk.create("other")
    page.choose("shop-green")
    page.until(lambda: page.text("#facts .wrap:nth-of-type(4)") == f"shop{SUFFIX}", "the new name")
    # Among the events, in the order of time.
    page.until(lambda: page.swaps() == exchanged, "the swap among its events")
    assert page.rows("#event-table")[-1][1:] == ["INFO", "createEnvironment is starting."]
    page.choose("other")
    assert page.swaps() == []
    page.sound()


def test_what_users_write_stays_text(localstalk: Localstalk, browser: Browser) -> None:
    localstalk.eb.create_application(ApplicationName="app", Description=EVIL)
    environment_id = localstalk.create("shop-blue", Description=EVIL)
    localstalk.region.events.record(EVIL, environment=localstalk.region.environments[environment_id])
    page = Page(browser, link(localstalk))
    page.until(lambda: page.environments(), "shop-blue")
    page.choose("shop-blue")
    page.until(lambda: page.text("#facts").count(EVIL) == 2, "both descriptions")
    page.until(lambda: page.events()[0] == EVIL, "the event")
    browser.get(f"{page.url}#{EVIL}")
    page.until(lambda: page.text("#missing") == "There is no such environment here.", "the unknown environment")
    assert browser.title == "localstalk"
    assert browser.execute_script("return [document.scripts.length, document.images.length]") == [1, 0]
    page.sound()


def test_the_browser_runs_nothing_but_the_page_itself(localstalk: Localstalk, browser: Browser) -> None:
    Page(browser, link(localstalk))
    with pytest.raises(JavascriptException, match="TrustedHTML"):
        browser.execute_script("document.body.innerHTML = arguments[0]", EVIL)
    browser.execute_script(
        "const image = new Image(); image.src = 'http://192.0.2.1/'; document.body.append(image);"
        "const style = document.createElement('style'); style.textContent = '* {}'; document.body.append(style);"
    )
    said = "\n".join(browser.complaints())
    assert "This document requires 'TrustedHTML' assignment" in said
    assert 'violates the following Content Security Policy directive: "img-src data:"' in said
    assert "Applying inline style violates the following Content Security Policy directive" in said
    _, headers = page()
    assert dict(headers)["X-Content-Type-Options"] == "nosniff"


def test_it_only_reads(localstalk: Localstalk) -> None:
    for method, path in (("POST", "ui"), ("DELETE", "ui"), ("POST", "ui/stream"), ("GET", "ui/nothing")):
        status, text = localstalk.ask(path, method)
        assert (status, text.count("There is no ")) == (404, 1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_can_be_read_by_everybody(localstalk: Localstalk, browser: Browser, scheme: str) -> None:
    browser.prefer(scheme)
    environment_id = localstalk.create("shop-blue", *THREE)
    localstalk.driver.set_instance(
        next(iter(localstalk.region.environments[environment_id].instances)), http_status=500
    )
    localstalk.advance(300)
    page = Page(browser, link(localstalk))
    page.until(lambda: page.environments(), "shop-blue")
    # The page moves unless the user does not want that; contrast counts when it stands still.
    browser.execute_script("document.getAnimations().forEach((each) => each.finish())")
    assert browser.faint() == []
    page.choose("shop-blue")
    browser.execute_script("document.getAnimations().forEach((each) => each.finish())")
    assert browser.faint() == []
    assert browser.execute_script("return document.activeElement.id") == "detail-title"
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    told = [(node["role"]["value"], node.get("name", {}).get("value")) for node in tree if not node["ignored"]]
    for wanted in [
        ("banner", ""), ("main", ""), ("region", "Environments 1"), ("region", "shop-blue"), ("region", "Its timeline"),
        ("searchbox", "Filter"), ("rowheader", "shop-blue"), ("columnheader", "CNAME"), ("status", ""),
    ]:  # fmt: skip
        assert wanted in told, told
    page.sound()


def test_the_command_and_a_daemon_that_comes_back(browser: Browser, tmp_path: Path) -> None:
    running = Daemon(tmp_path / "home", "--driver", "sim")

    def cli(*arguments: str) -> str:
        command = [sys.executable, "-m", "localstalk", "--home", str(running.home), *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout

    try:
        page = Page(browser, cli("ui").strip())
        page.until(lambda: "sim driver · 20 times real time" in page.text("#about"), "who answers")
        cli("down")
        page.until(lambda: page.text("#connection") == "localstalk does not answer; trying again", "the end")
        cli("up", "--driver", "sim", "--speed", "7", "--port", running.url.rpartition(":")[2])
        page.until(lambda: page.text("#connection") == "localstalk ui prints a new link to this page", "the refusal")
        page = Page(browser, cli("ui").strip())
        page.until(lambda: "sim driver · 7 times real time" in page.text("#about"), "another daemon")
        assert (page.text("#connection"), page.events()) == ("connected", [])
    finally:
        running.close()


def test_pages_in_the_background_leave_the_browser_its_connections(localstalk: Localstalk, browser: Browser) -> None:
    first = browser.current_window_handle
    opened = []
    # A browser opens six connections to a host; the eighth page would wait for ever.
    for _ in range(8):
        browser.switch_to.new_window("tab")
        opened.append(browser.current_window_handle)
        page = Page(browser, link(localstalk))
        page.until(lambda: page.text("#connection") == "connected", "a connection")  # noqa: B023 - called at once
    for handle in opened:
        browser.switch_to.window(handle)
        browser.close()
    browser.switch_to.window(first)


def test_filter(localstalk: Localstalk, browser: Browser) -> None:
    for name in ("shop-blue", "shop-green", "blog"):
        localstalk.create(name)
    page = Page(browser, link(localstalk))
    page.until(lambda: page.text("#count") == "3", "three environments")
    browser.find_element(By.ID, "filter").send_keys("Shop")
    page.until(lambda: page.text("#count") == "2 of 3", "the two of the shop")
    assert sorted(page.environments()) == ["shop-blue", "shop-green"]
    assert page.text("#tally") == "2 Ok"
    page.sound()


def many(localstalk: Localstalk, count: int) -> list[str]:
    """Environments with names as long as EB allows; copies of one that was made properly, for the sake of time."""
    model = localstalk.region.environments[localstalk.create("shop-0000")]
    for number in range(1, count):
        name = f"shop-{number:04}".ljust(40, "x") if number % 2 else f"shop-{number:04}"
        copy = replace(
            model, id=f"e-{number:010}", name=name, cname=f"shop-{number:04}{SUFFIX}", health=replace(model.health)
        )
        localstalk.region.environments[copy.id] = copy
    return list(localstalk.region.environments)


def test_the_worst_of_300_environments_is_in_the_first_screen(localstalk: Localstalk, browser: Browser) -> None:
    ids = many(localstalk, 300)
    page = Page(browser, link(localstalk))
    page.until(lambda: page.text("#count") == "300", "all of them")
    for number, (color, status) in {271: ("Red", "Severe"), 123: ("Yellow", "Warning")}.items():
        localstalk.region.environments[ids[number]].health.color = color
        localstalk.region.environments[ids[number]].health.status = status
    worst = [localstalk.region.environments[ids[number]].name for number in (271, 123)]
    page.until(lambda: list(page.environments())[:2] == worst, "the worst ones, first")
    assert page.text("#tally").split("\n") == ["1 Severe", "1 Warning", "298 Ok"]
    top = browser.find_element(By.LINK_TEXT, worst[0]).rect["y"]
    assert 0 < top < browser.execute_script("return innerHeight")
    # A tally shows those that it counts, until it is pressed again, or none is left.
    browser.find_element(By.CSS_SELECTOR, "#tally [data-key=Severe]").click()
    assert list(page.environments()) == worst[:1]
    assert page.text("#count") == "1 of 300"
    assert browser.execute_script("return document.activeElement.textContent") == "1 Severe"
    localstalk.region.environments[ids[271]].health.color = "Green"
    localstalk.region.environments[ids[271]].health.status = "Ok"
    page.until(lambda: page.text("#count") == "300", "all of them again")
    assert page.text("#tally").split("\n") == ["1 Warning", "299 Ok"]
    page.sound()


@pytest.mark.parametrize("width", [390, 800, 1280, 1800])
def test_it_fits_every_width(localstalk: Localstalk, browser: Browser, width: int) -> None:
    ids = many(localstalk, 60)
    page = Page(browser, link(localstalk))
    browser.resize(width)
    page.until(lambda: page.text("#count") == "60", "all of them")
    assert browser.overflow() == []
    lines = """return [...document.querySelectorAll('#environment-table tbody a')]
      .map((one) => one.getClientRects().length)"""
    assert browser.execute_script(lines) == [1] * 60
    page.choose(localstalk.region.environments[ids[59]].name)
    assert browser.overflow() == []
    seen = """const [row, list] = [document.querySelector('[aria-current]'), document.getElementById('list')]
      .map((each) => each.getBoundingClientRect()); return row.top > list.top - 2 && row.bottom < list.bottom + 2"""
    assert browser.execute_script(seen), "the chosen environment is out of view"
    page.sound()


def test_keys(localstalk: Localstalk, browser: Browser) -> None:
    for name in ("shop-blue", "shop-green", "blog"):
        localstalk.create(name)
    page = Page(browser, link(localstalk))
    page.until(lambda: page.text("#count") == "3", "three environments")
    page.press("/", "shop", Keys.ESCAPE)
    page.until(lambda: list(page.environments()) == ["shop-blue", "shop-green"], "those of the shop")
    for keys, expected in (("j", "shop-blue"), ("j", "shop-green"), ("j", "shop-green"), ("k", "shop-blue")):
        page.press(keys)
        page.until(lambda: page.text("#detail-title") == expected, expected)  # noqa: B023 - called at once
    page.press(Keys.ESCAPE)
    page.until(lambda: page.text("#detail") == "", "all environments")
    page.sound()


def test_logs_of_an_instance(localstalk: Localstalk, browser: Browser) -> None:
    environment_id = localstalk.create("shop-blue")
    (instance,) = localstalk.region.environments[environment_id].instances
    page = Page(browser, link(localstalk))
    page.until(lambda: page.environments(), "shop-blue")
    page.choose("shop-blue")
    before = messages(localstalk)
    browser.find_element(By.CSS_SELECTOR, f"[aria-label='Logs of {instance}']").click()
    page.until(lambda: "Instance is Leader." in page.text("#log-text"), "its engine's log")
    assert page.text("#log-title") == f"Logs of {instance}"
    assert messages(localstalk) == before, "reading a log on the page is no log request"
    page.press(Keys.ESCAPE)
    page.until(lambda: page.text("#log") == "", "the end of the log")
    assert page.text("#detail-title") == "shop-blue"
    script = "return fetch('/_localstalk/ui/log?instance=i-0').then((answer) => answer.text())"
    assert browser.execute_script(script) == "There is no instance i-0.\n"


def test_only_warnings_and_errors(localstalk: Localstalk, browser: Browser) -> None:
    environment_id = localstalk.create("shop-blue")
    localstalk.region.events.record(
        "all is lost", environment=localstalk.region.environments[environment_id], severity="ERROR"
    )
    page = Page(browser, link(localstalk))
    page.until(lambda: "all is lost" in page.events(), "the event")
    browser.find_element(By.ID, "trouble").click()
    assert page.text(".message") == "all is lost"
    page.sound()


def test_a_thousand_environments(localstalk: Localstalk, browser: Browser) -> None:
    # Copies of one that was made properly: a thousand calls would take longer than all other tests of this file.
    model = localstalk.region.environments[localstalk.create("shop-0000")]
    for number in range(1, 1000):
        copy = replace(model, id=f"e-{number:010}", name=f"shop-{number:04}", cname=f"shop-{number:04}{SUFFIX}")
        localstalk.region.environments[copy.id] = copy
    page = Page(browser, link(localstalk))
    page.until(lambda: page.text("#count") == "1000" and page.text("#tally") == "1000 Ok", "a thousand environments")
    localstalk.eb.restart_app_server(EnvironmentName="shop-0500")
    page.until(lambda: page.environments()["shop-0500"][1] == "Updating", "a change among a thousand")
    last = localstalk.region.environments.pop(model.id)
    page.until(lambda: page.text("#count") == "999", "the end of one of a thousand")
    localstalk.region.environments[last.id] = last
    page.until(lambda: page.text("#count") == "1000", "one more among a thousand")
    assert [row[0].split()[0] for row in page.rows("#environment-table")] == [f"shop-{each:04}" for each in range(1000)]
    page.sound()
