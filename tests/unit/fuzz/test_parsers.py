# SPDX-License-Identifier: GPL-3.0-or-later
"""Every parser of what others wrote takes anything: it returns something, or raises what is a sentence for the user.

A few seconds by default; ``JACK_FUZZ_SECONDS`` is how long all parsers together are tried, 600 in ``make long``.
"""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from .mutations import mutated
from .parsers import PARSERS

SECONDS = float(os.environ.get("JACK_FUZZ_SECONDS", "0"))
EXAMPLES = 60


@pytest.mark.parametrize("name", PARSERS)
def test_parser_takes_anything(name: str, tmp_path: Path, record_property: pytest.FixtureRequest) -> None:
    parser = PARSERS[name]
    end = time.monotonic() + SECONDS / len(PARSERS)
    tried = 0

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(content=mutated(parser.samples))
    def takes(content: bytes) -> None:
        nonlocal tried
        tried += 1
        folder = tmp_path / "folder"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        try:
            parser.read(content, folder)
        except parser.sentences as error:
            assert str(error)
            str(error).encode()

    takes()
    while time.monotonic() < end:
        takes()
    record_property("tried", tried)


@pytest.mark.parametrize("name", PARSERS)
def test_parser_reads_what_was_meant_for_it(name: str, tmp_path: Path) -> None:
    for number, sample in enumerate(PARSERS[name].samples):
        folder = tmp_path / str(number)
        folder.mkdir()
        PARSERS[name].read(sample, folder)
