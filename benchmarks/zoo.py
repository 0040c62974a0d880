"""
The table of docs/zoo.md: what each shipped spec costs, beside other frameworks and runtimes.

    python -m benchmarks.zoo                      # costs and errors; needs torchvision and keras
    python -m benchmarks.zoo --times              # an image's time; needs the extra `peers`
    python -m benchmarks.zoo --times --nets lenet5,unet --write

Columns and specs that are not asked for stay as the page has them. --write writes the page.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import cnndsl
from benchmarks.command import parser_of
from benchmarks.zoo_peers import (
    KERAS,
    TORCHVISION,
    Comparison,
    compare_keras,
    compare_torchvision,
)
from benchmarks.zoo_times import measure_times
from cnndsl.cli.bench import seconds
from cnndsl.limits import format_bytes
from cnndsl.resources import shipped_specs

PAGE = Path(__file__).parent.parent / "docs" / "zoo.md"
BEGIN, END = "<!-- zoo -->", "<!-- end -->"
COSTS = (
    *("spec", "parameters", "MACs", "peak", "torchvision", "theirs", "error"),
    *("Keras", "theirs", "error"),
)
TIMES = ("ours", "best peer", "which")
RULE = "|---|" + "---:|" * 3 + ("---|" + "---:|" * 2) * 2 + "---:|---:|---|"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table, and write it where that is asked."""
    args = _parser().parse_args(argv)
    lines: list[str] = []
    for line in table(args.nets, args.seconds if args.times else None):
        print(line, flush=True)
        lines.append(line)
        if args.write and line.startswith("| `"):
            _write(lines)
    return 0


def table(nets: Sequence[str], seconds: float | None) -> Iterator[str]:
    """The table's lines. `seconds`: measure times of `nets` for so long, instead of their costs."""
    known = listed(PAGE.read_text("utf-8"))
    yield _line([*COSTS, *TIMES])
    yield RULE
    for spec in shipped_specs():
        costs, times = known.get(spec, ([f"`{spec}`", *[""] * (len(COSTS) - 1)], [""] * len(TIMES)))
        if spec in nets and seconds is None:
            costs = cost_cells(spec)
        elif spec in nets and seconds is not None:
            times = measure_times(spec, seconds).cells
        yield _line([*costs, *times])


def listed(page: str) -> dict[str, tuple[list[str], list[str]]]:
    """The cells of a page's table by spec: those of costs, and those of times."""
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in page.partition(BEGIN)[2].partition(END)[0].splitlines()
        if line.startswith("| `")
    ]
    width = len(COSTS) + len(TIMES)
    filled = [row + [""] * (width - len(row)) for row in rows]
    return {row[0].strip("`"): (row[: len(COSTS)], row[len(COSTS) :]) for row in filled}


def cost_cells(spec: str) -> list[str]:
    """What a spec costs, and how far it is from other frameworks."""
    network = cnndsl.parse(spec)
    peak = format_bytes(network.summary().peak_bytes)
    own = [f"`{spec}`", f"{network.trainable_params:,}", f"{network.macs / 1e6:,.1f} M", peak]
    return [
        *own,
        *_beside(spec, TORCHVISION, compare_torchvision, "theirs.pth"),
        *_beside(spec, KERAS, compare_keras, "theirs.keras"),
    ]


def _beside(
    spec: str,
    names: Mapping[str, str],
    compare: Callable[[str, Path], Comparison],
    file: str,
) -> list[str]:
    if spec not in names:
        return ["", "", ""]
    with TemporaryDirectory() as folder:
        found = compare(spec, Path(folder) / file)
    return [f"`{names[spec]}`", f"{found.params:,}", f"{found.error:.1e}"]


def _write(lines: Sequence[str]) -> None:
    """Put the table's first lines into the page; the rows behind them stay."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    old, _, behind = rest.partition(END)
    text = "\n".join([*lines, *old.strip().splitlines()[len(lines) :]])
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{behind}", "utf-8")


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _parser() -> argparse.ArgumentParser:
    parser = parser_of("zoo", __doc__)
    parser.add_argument(
        "--nets", metavar="NAME,...", type=_specs, default=shipped_specs(), help="default: all"
    )
    parser.add_argument("--times", action="store_true", help="measure times instead of costs")
    parser.add_argument(
        "--seconds", type=seconds, default=1.0, help="how long to call each one (default: 1)"
    )
    parser.add_argument("--write", action="store_true", help="write the table into docs/zoo.md")
    return parser


def _specs(text: str) -> list[str]:
    names = [word for word in text.split(",") if word]
    for name in names:
        if name not in shipped_specs():
            raise argparse.ArgumentTypeError(f"{name!r} is no shipped spec")
    return names


if __name__ == "__main__":
    sys.exit(main())
