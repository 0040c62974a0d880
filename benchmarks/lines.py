"""How time grows, as lines: a panel a sweep, both axes logarithmic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, log2

from benchmarks.figures import Quartiles
from benchmarks.report import contestants
from benchmarks.runner import Result
from benchmarks.svg import COLOURS, Sheet, element, legend, line, text

_WIDTH, _HEIGHT, _LEFT, _TOP, _FOOT, _GAP, _COLUMNS = 300.0, 200.0, 58.0, 96.0, 44.0, 28.0, 3


@dataclass(frozen=True, slots=True)
class Sweep:
    """Results along one quantity: `values[i]` of it belongs to `results[i]`."""

    title: str
    along: str
    values: tuple[int, ...]
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    """From a value to a place, on a logarithmic axis from `low` to `high`."""

    low: float
    high: float
    length: float

    def __call__(self, value: float) -> float:
        span = log2(self.high) - log2(self.low)
        return (log2(value) - log2(self.low)) / (span or 1.0) * self.length


def draw_lines(sweeps: Sequence[Sweep], note: str) -> str:
    """The text of an SVG picture: milliseconds an image, and a band from quartile to quartile."""
    names = contestants([result for sweep in sweeps for result in sweep.results])
    rows = max(1, ceil(len(sweeps) / _COLUMNS))
    columns = max(1, ceil(len(sweeps) / rows))
    body = legend(names, _GAP, 52)
    for number, sweep in enumerate(sweeps):
        x = _GAP + number % columns * (_WIDTH + _LEFT + _GAP) + _LEFT
        y = _TOP + number // columns * (_HEIGHT + _FOOT + _GAP)
        panel = _panel(sweep, names)
        body.append(element("g", *panel, transform=f"translate({x:.0f} {y:.0f})"))
    width = _GAP + columns * (_WIDTH + _LEFT + _GAP)
    height = _TOP + rows * (_HEIGHT + _FOOT + _GAP) + _GAP
    return Sheet("Milliseconds an image", note, max(width, 480.0, 6.5 * len(note)), height).draw(
        body
    )


def _panel(sweep: Sweep, names: Sequence[str]) -> list[str]:
    times = [
        {name: q.scaled(1 / result.case.batch) for name, q in result.milliseconds.items()}
        for result in sweep.results
    ]
    each = [q for quartiles in times for q in quartiles.values()]
    low, high = min(q.low for q in each), max(q.high for q in each)
    across = _Scale(min(sweep.values), max(sweep.values), _WIDTH)
    up = _Scale(low, high, _HEIGHT)
    parts = [text(sweep.title, 0, -12, class_="head")]
    for value in _ticks(low, high):
        y = _HEIGHT - up(value)
        parts.append(line((0, y), (_WIDTH, y), class_="grid"))
        parts.append(text(f"{value:.3g}", -6, y + 4, class_="dim", text_anchor="end"))
    for value in sweep.values:
        x = across(value)
        parts.append(line((x, _HEIGHT), (x, _HEIGHT + 4), class_="axis"))
        parts.append(text(str(value), x, _HEIGHT + 17, class_="dim", text_anchor="middle"))
    parts.append(line((0, _HEIGHT), (_WIDTH, _HEIGHT), class_="axis"))
    parts.append(text(sweep.along, _WIDTH / 2, _HEIGHT + 34, class_="dim", text_anchor="middle"))
    for name, colour in zip(names, COLOURS, strict=False):
        points = [
            (across(value), at[name])
            for value, at in zip(sweep.values, times, strict=True)
            if name in at
        ]
        parts += _curve(points, up, colour)
    return parts


def _curve(points: Sequence[tuple[float, Quartiles]], up: _Scale, colour: str) -> list[str]:
    def path(places: Sequence[tuple[float, float]]) -> str:
        return " ".join(f"{x:.1f},{_HEIGHT - up(value):.1f}" for x, value in places)

    middle = path([(x, q.median) for x, q in points])
    band = path([*((x, q.low) for x, q in points), *((x, q.high) for x, q in reversed(points))])
    dots = [
        element("circle", cx=x, cy=_HEIGHT - up(q.median), r=2.5, fill=colour) for x, q in points
    ]
    return [
        element("polygon", points=band, fill=colour, fill_opacity=".18"),
        element("polyline", points=middle, fill="none", stroke=colour, stroke_width=1.8),
        *dots,
    ]


def _ticks(low: float, high: float) -> list[float]:
    """
    Round numbers between two values: powers of two, every second or third where they are many.

    >>> _ticks(0.4, 9.0)
    [0.5, 1.0, 2.0, 4.0, 8.0]
    """
    first, last = ceil(log2(low)), floor(log2(high))
    step = max(1, ceil((last - first + 1) / 7))
    return [2.0**power for power in range(first, last + 1, step)]
