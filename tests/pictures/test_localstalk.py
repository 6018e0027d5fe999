# SPDX-License-Identifier: GPL-3.0-or-later
"""localstalk's page with few and with many environments, one of which fails; pictures of it are in build/pictures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Browser, open_browser, start_chromium
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from localstalk.testing import Localstalk

__all__ = ["open_browser", "start_chromium"]  # fixtures
PROFILE = {
    "Namespace": "aws:autoscaling:launchconfiguration",
    "OptionName": "IamInstanceProfile",
    "Value": "aws-elasticbeanstalk-ec2-role",
}
PICTURES = Path(__file__).resolve().parents[2] / "build/pictures"


@pytest.fixture(scope="module", params=[3, 300])
def fleet(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Localstalk, int]]:
    """A localstalk with that many environments, of which the last one fails."""
    count = request.param
    running = Localstalk(tmp_path_factory.mktemp("localstalk") / "home", "--driver", "sim", "--speed", "1000")
    try:
        # An account may have 200 environments in a region.
        regions = [running.client("elasticbeanstalk", region_name=name) for name in ("eu-central-1", "eu-west-1")]
        for eb in regions:
            eb.create_application(ApplicationName="shop")
        stacks = regions[0].list_available_solution_stacks()["SolutionStacks"]
        docker = next(each for each in stacks if "Amazon Linux 2023" in each and each.endswith("running Docker"))
        for number in range(count):
            regions[number % 2].create_environment(
                ApplicationName="shop",
                EnvironmentName=f"shop-{number:03}-in-production",
                CNAMEPrefix=f"shop-{number:03}",
                SolutionStackName=docker,
                OptionSettings=[PROFILE],
            )
        running.fault("health", health="Severe", environment=f"shop-{count - 1:03}-in-production")
        yield running, count
    finally:
        running.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_failing_one_is_in_the_first_screen(
    browser: Browser, fleet: tuple[Localstalk, int], width: int, scheme: str
) -> None:
    running, count = fleet
    browser.prefer(scheme)
    browser.resize(width)
    browser.get(running.open_page())
    first = "#environment-table tbody tr:first-child"

    def settled() -> bool:
        tally = browser.find_element(By.ID, "tally").text.split("\n")
        return tally == ["1 Severe", f"{count - 1} Ok"]

    WebDriverWait(browser, 60, 0.1).until(lambda _: settled(), f"not one Severe and {count - 1} Ok")
    browser.picture(PICTURES / f"localstalk-{count}-{width}-{scheme}.png")
    worst = browser.find_element(By.CSS_SELECTOR, f"{first} a")
    assert worst.text == f"shop-{count - 1:03}-in-production"
    assert 0 < worst.rect["y"] + worst.rect["height"] < 900
    assert browser.overflow() == []
    assert browser.faint() == []
