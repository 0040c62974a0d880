"""Each peer's time over ours, as bars: a panel a number of threads, a group a network and batch."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.figures import Quartiles
from benchmarks.report import contestants, short
from benchmarks.runner import OURS, Result
from benchmarks.svg import COLOURS, Sheet, element, legend, line, text

LONGEST = 5.0
"""Ratios beyond this are drawn as this, with their number."""

_BAR, _GAP, _LABELS, _UNIT, _TOP, _FOOT, _NUMBER = 12.0, 12.0, 150.0, 62.0, 82.0, 58.0, 44.0


def draw_bars(results: Sequence[Result], note: str) -> str:
    """The text of an SVG picture. Cases without a peer are left out."""
    results = [result for result in results if result.ratio]
    peers = [name for name in contestants(results) if name != OURS]
    threads = sorted({result.case.threads for result in results})
    panel = _LABELS + LONGEST * _UNIT + _NUMBER
    body = legend([f"{OURS}: 1x", *peers], _GAP, 52)
    height = 0.0
    for number, count in enumerate(threads):
        mine = [result for result in results if result.case.threads == count]
        drawn, needed = _panel(mine, peers, count)
        shift = f"translate({_GAP + number * panel:.0f} {_TOP:.0f})"
        body.append(element("g", *drawn, transform=shift))
        height = max(height, needed)
    width = max(2 * _GAP + panel * len(threads), 7.0 * len(note))
    title = "Time of a call relative to cnndsl (longer is slower)"
    return Sheet(title, note, max(width, 480.0), _TOP + height + _FOOT).draw(body)


def _panel(
    results: Sequence[Result], peers: Sequence[str], threads: int
) -> tuple[list[str], float]:
    """The drawing of a panel, and its height."""
    group = _BAR * len(peers) + _GAP
    bottom = group * len(results)
    heading = f"{threads} thread{'s' * (threads != 1)}"
    parts = [text(heading, _LABELS, -8, class_="head")]
    for tick in range(int(LONGEST) + 1):
        x = _LABELS + tick * _UNIT
        parts.append(line((x, 0), (x, bottom), class_="grid"))
        parts.append(text(f"{tick}x", x, bottom + 15, class_="dim", text_anchor="middle"))
    for number, result in enumerate(results):
        top = number * group
        label = f"{result.case.network}, batch {result.case.batch}"
        middle = top + group / 2 + 4
        parts.append(text(label, _LABELS - 8, middle, text_anchor="end"))
        for place, (name, colour) in enumerate(zip(peers, COLOURS[1:], strict=False)):
            if name in result.rounds:
                y = top + _GAP / 2 + place * _BAR
                parts += _bar(_ratio(result, name), y, colour)
    one = _LABELS + _UNIT
    return [*parts, line((one, 0), (one, bottom), stroke=COLOURS[0], stroke_width=2)], bottom


def _ratio(result: Result, name: str) -> Quartiles:
    pairs = zip(result.rounds[name], result.rounds[OURS], strict=True)
    return Quartiles.of([other / own for other, own in pairs])


def _bar(ratio: Quartiles, y: float, colour: str) -> list[str]:
    """A bar as long as the median, a line from quartile to quartile, and the number."""
    low, length, high = (min(value, LONGEST) * _UNIT for value in
                         (ratio.low, ratio.median, ratio.high))  # fmt: skip
    middle = y + _BAR / 2 - 0.5
    return [
        element("rect", x=_LABELS, y=y, width=length, height=_BAR - 1, fill=colour),
        line((_LABELS + low, middle), (_LABELS + high, middle), class_="spread"),
        text(
            short(ratio.median), _LABELS + max(length, high) + 4, y + _BAR - 3, class_="dim"
        ),
    ]  # fmt: skip
