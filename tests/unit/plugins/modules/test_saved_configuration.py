# SPDX-License-Identifier: GPL-3.0-or-later
"""What saved_configuration says when it cannot do what was asked, against localstalk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Run = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"name": "none"}, "has no saved configuration none; environment or platform is needed to make one."),
        ({"name": "none", "environment": "nowhere"}, "The application saving has no environment nowhere."),
        ({"name": "none", "platform": "Docker on Mars"}, "There is no platform"),
    ],
)
def test_saved_configuration_messages(run: Run, params: dict[str, Any], message: str) -> None:
    run("application", name="saving")
    assert message in run("saved_configuration", application="saving", **params)["msg"]
