"""Results as a table to read and as data to keep."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.figures import Quartiles
from benchmarks.machine import Machine
from benchmarks.runner import OURS, Result, as_data
from cnndsl.ir.summary import align_columns


@dataclass(frozen=True, slots=True)
class Circumstances:
    """When and how something was measured. The loads are those before and after."""

    command: str
    date: str
    seconds: float
    runs: int
    machine: Machine
    versions: dict[str, str]
    load_before: tuple[float, ...]
    load_after: tuple[float, ...]


def format_table(results: Sequence[Result]) -> str:
    """A line a case: each contestant's median and quartiles, and the best peer's time over ours."""
    names = contestants(results)
    sides = any(result.case.side is not None for result in results)
    several = any(len(result.runs) > 1 for result in results)
    numbers = ["batch", "threads", *(["side"] if sides else []), *names]
    ratios = ["best / ours", *(["of runs"] if several else [])]
    headings = ["network", *numbers, "best peer", *ratios]
    numbers = [*numbers, *ratios]
    lines = [headings]
    for result in results:
        case, times, ratio = result.case, result.milliseconds, result.ratio
        where = [case.network, str(case.batch), str(case.threads)]
        lines.append(
            [
                *where,
                *([str(case.side or "-")] if sides else []),
                *(_cell(result, name, times.get(name)) for name in names),
                ratio.best if ratio else "-",
                _quartiles(ratio.quartiles, "x") if ratio else "-",
                *([_range(result.ratios)] if several else []),
            ]
        )
    return "\n".join(align_columns(lines, numbers))


def contestants(results: Sequence[Result]) -> list[str]:
    """Everybody who took part or was refused somewhere, ourselves first."""
    names = [name for result in results for name in (*result.rounds, *result.refused)]
    return list(dict.fromkeys([OURS, *names]))


def write_json(path: Path, circumstances: Circumstances, found: dict[str, Any]) -> None:
    """Write a file of what was found and under which circumstances."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = {**asdict(circumstances), **found}
    path.write_text(f"{json.dumps(data, indent=1)}\n", encoding="utf-8")


def results_data(results: Sequence[Result]) -> list[dict[str, Any]]:
    """All results for such a file."""
    return [as_data(result) for result in results]


def _cell(result: Result, name: str, milliseconds: Quartiles | None) -> str:
    if milliseconds is None:
        return "refused" if name in result.refused else "-"
    return _quartiles(milliseconds)


def _range(ratios: Sequence[float]) -> str:
    """
    The median of some runs' ratios, the least and the largest.

    >>> _range([1.5, 1.25, 2.0])
    '1.50x (1.25-2.00)'
    """
    if not ratios:
        return "-"
    return f"{short(median(ratios))}x ({short(min(ratios))}-{short(max(ratios))})"


def _quartiles(values: Quartiles, unit: str = "") -> str:
    """
    The median, and the quartiles in brackets.

    >>> _quartiles(Quartiles(0.0121, 0.0123, 0.0131))
    '0.0123 (0.0121-0.0131)'
    """
    return f"{short(values.median)}{unit} ({short(values.low)}-{short(values.high)})"


def short(value: float) -> str:
    """
    A number to three digits at least, not in powers of ten.

    >>> short(0.01234), short(1.2), short(12.345), short(1234.5), short(0.0)
    ('0.0123', '1.20', '12.3', '1234', '0.00')
    """
    digits = 3 - len(str(int(value))) if value >= 1 else 2 - _exponent(value)
    return f"{value:.{max(0, digits)}f}"


def _exponent(value: float) -> int:
    """The power of ten of a number below 1; 0 for 0."""
    return int(f"{value:e}".partition("e")[2]) if value else 0
