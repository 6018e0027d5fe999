# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures: medians of several runs, with their spread, a budget and a peer."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

# Figures that have to be as large as their budget; all others may be no larger.
AT_LEAST = (
    "fleet_finished_ratio",
    "fleet_1000_finished_ratio",
    "throttle_finished_ratio",
    "recreate_finished_ratio",
    "throttled_recreate_finished_ratio",
)


@dataclass(frozen=True)
class Figure:
    """One measured value. ``spread`` is largest minus smallest run, ``budget`` the most that ``value`` may be."""

    name: str
    value: float
    unit: str
    budget: float | None
    peer: str | None
    peer_value: float | None
    runs: int
    spread: float

    @property
    def verdict(self) -> str:
        """How the value stands to its budget, which is the peer's value where no number is set."""
        if self.budget is None:
            return ""
        if self.name in AT_LEAST:
            return "ok" if self.value >= self.budget else "under"
        return "ok" if self.value <= self.budget else "over"


@dataclass(frozen=True)
class Series:
    """Calls that the service got in each second of a tool's run."""

    tool: str
    calls: list[float]


def figure(
    name: str,
    samples: Sequence[float],
    unit: str,
    budget: float | None = None,
    peer: tuple[str, Sequence[float]] | None = None,
    *,
    beat_peer: bool = False,
) -> Figure:
    """The figure of these samples, one per run. ``beat_peer``: the budget is the peer's value of this very run."""
    peer_value = round(statistics.median(peer[1]), 4) if peer else None
    return Figure(
        name,
        round(statistics.median(samples), 4),
        unit,
        peer_value if beat_peer else budget,
        peer[0] if peer else None,
        peer_value,
        len(samples),
        round(max(samples) - min(samples), 4),
    )


def share(of_it: float, peer: tuple[str, Sequence[float]]) -> float:
    """A budget: so much of what the peer took in this very run."""
    return round(of_it * statistics.median(peer[1]), 4)


def write(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures as a JSON list; a reader sees the old file or the whole new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps([asdict(item) for item in figures], indent=2) + "\n", encoding="utf-8")
    new.replace(path)


def read(path: Path) -> list[Figure]:
    """The figures of a file that :func:`write` wrote."""
    return [Figure(**item) for item in json.loads(path.read_text(encoding="utf-8"))]


def series_file(figures: Path, topic: str) -> Path:
    """Where the series of a topic are, beside the file of the figures."""
    return figures.with_name(f"{figures.stem}-calls-{topic}.json")


def write_series(series: Sequence[Series], path: Path) -> None:
    """Write what :func:`read_series` reads."""
    path.write_text(json.dumps([asdict(item) for item in series]) + "\n", encoding="utf-8")


def read_series(path: Path) -> list[Series]:
    """The series of a file; none when that part was not measured."""
    return [Series(**item) for item in json.loads(path.read_text(encoding="utf-8"))] if path.exists() else []


def rows(figures: Sequence[Figure]) -> list[list[str]]:
    """The figures as rows of text, headings first."""
    table = [["figure", "value", "± spread", "runs", "budget", "", "peer", "peer's value"]]
    for item in figures:
        table.append(
            [
                item.name,
                f"{_number(item.value)} {item.unit}",
                _number(item.spread),
                str(item.runs),
                "" if item.budget is None else f"{'≥' if item.name in AT_LEAST else '≤'} {_number(item.budget)}",
                item.verdict,
                item.peer or "",
                "" if item.peer_value is None else f"{_number(item.peer_value)} {item.unit}",
            ]
        )
    return table


def _number(value: float) -> str:
    return f"{value:,.0f}" if value == int(value) or value >= 1000 else f"{value:.4g}"


def text_table(figures: Sequence[Figure]) -> str:
    """A table for a terminal."""
    table = rows(figures)
    widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
    return "\n".join(lines)
