# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures as a page of plots (ours, the peer, a line at the budget), and calls per second as a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from statistics import fmean

from bench.figures import AT_LEAST, Figure, Series

# The poll interval of both tools: a mean over it shows the load, not the moments at which one process asks.
SMOOTH_S = 5
_LINES = ("#2a7", "#999")
_GRAPH_HEIGHT, _MARGIN = 240, 44
_WIDTH, _BAR, _LABEL = 420, 16, 190
_COLOURS = {"ok": "#2a7", "over": "#c33", "under": "#c33", "": "#57a"}
_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>jack.beanstalk: measured</title>
<style>body{font:15px/1.4 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}figure{margin:1.5em 0}
text{font:12px sans-serif}</style>
<h1>Measured</h1>
<p>Green is within its budget (the dashed line), red is not, blue has none; grey is the peer in the same run.
The thin line at the end of a bar is the spread of its runs.</p>
"""


def plot(item: Figure) -> str:
    """One figure as SVG."""
    values = [item.value, *(value for value in (item.peer_value, item.budget) if value is not None)]
    scale = _WIDTH / (max(values) * 1.15 or 1)
    bars = [("ours", item.value, _COLOURS[item.verdict])]
    if item.peer is not None and item.peer_value is not None:
        bars.append((item.peer, item.peer_value, "#999"))
    height = len(bars) * (_BAR + 8) + 8
    parts = [f'<svg width="{_LABEL + _WIDTH + 90}" height="{height}" role="img">']
    for number, (label, value, colour) in enumerate(bars):
        top = 6 + number * (_BAR + 8)
        parts += [
            f'<text x="{_LABEL - 6}" y="{top + 12}" text-anchor="end">{escape(label)}</text>',
            f'<rect x="{_LABEL}" y="{top}" width="{value * scale:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<text x="{_LABEL + value * scale + 6:.1f}" y="{top + 12}">{value:,.4g}</text>',
        ]
    if item.spread:
        left = _LABEL + max(0.0, item.value - item.spread / 2) * scale
        right = _LABEL + (item.value + item.spread / 2) * scale
        parts.append(f'<path d="M{left:.1f} 14H{right:.1f}" stroke="#000"/>')
    if item.budget is not None:
        at = _LABEL + item.budget * scale
        parts.append(f'<path d="M{at:.1f} 0V{height}" stroke="#333" stroke-dasharray="4 3"/>')
    return "".join([*parts, "</svg>"])


def graph(series: Sequence[Series]) -> str:
    """Calls per second over time, one line a tool, as an SVG document."""
    smooth = [[fmean(item.calls[at : at + SMOOTH_S]) for at in range(len(item.calls))] for item in series]
    most = max((value for line in smooth for value in line), default=0.0) or 1.0
    long = max((len(line) for line in smooth), default=0) or 1
    width, bottom = _LABEL + _WIDTH, _GRAPH_HEIGHT - 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width + 20}" height="{_GRAPH_HEIGHT + 44}" role="img" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width + 20}" height="{_GRAPH_HEIGHT + 44}" fill="#fff"/>',
        f'<path d="M{_MARGIN} 10V{bottom}H{width}" fill="none" stroke="#333"/>',
        f'<text x="{_MARGIN - 6}" y="18" text-anchor="end">{most:,.3g}</text>',
        f'<text x="{_MARGIN - 6}" y="{bottom}" text-anchor="end">0</text>',
        f'<text x="{width}" y="{bottom + 16}" text-anchor="end">{long} s</text>',
    ]
    for number, (item, line) in enumerate(zip(series, smooth, strict=True)):
        colour = _LINES[number % len(_LINES)]
        points = " ".join(
            f"{_MARGIN + (width - _MARGIN) * at / long:.1f},{bottom - (bottom - 14) * value / most:.1f}"
            for at, value in enumerate(line)
        )
        low = _GRAPH_HEIGHT + 14 + 18 * number
        parts += [
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>',
            f'<path d="M{_MARGIN} {low - 4}h24" stroke="{colour}" stroke-width="2"/>',
            f'<text x="{_MARGIN + 30}" y="{low}">{escape(item.tool)}: {sum(item.calls):,.0f} calls</text>',
        ]
    return "".join([*parts, "</svg>\n"])


def page(figures: Sequence[Figure], series: Mapping[str, Sequence[Series]]) -> str:
    """All figures as one HTML page that needs nothing else; ``series`` by topic."""
    parts = [_HEAD]
    for topic, lines in series.items():
        caption = f"API calls per second: {escape(topic)}"
        parts.append(f"<figure><figcaption><b>{caption}</b></figcaption>{graph(lines)}</figure>\n")
    for item in figures:
        bound = "at least" if item.name in AT_LEAST else "at most"
        budget = f", budget {bound} {item.budget:,.4g}" if item.budget is not None else ""
        runs = f"{item.runs} run{'s' if item.runs > 1 else ''}"
        caption = f"<b>{escape(item.name)}</b> ({escape(item.unit) or 'ratio'}{budget}; {runs})"
        parts.append(f"<figure><figcaption>{caption}</figcaption>{plot(item)}</figure>\n")
    return "".join(parts)
