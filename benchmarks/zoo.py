"""
The table of docs/zoo.md: what each shipped spec costs, and how far it is from other frameworks.

python -m benchmarks.zoo            prints it; needs torchvision and keras, as the page says
python -m benchmarks.zoo --write    writes it into the page
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import cnndsl
from benchmarks.zoo_peers import (
    KERAS,
    TORCHVISION,
    Comparison,
    compare_keras,
    compare_torchvision,
)
from cnndsl.limits import format_bytes
from cnndsl.resources import shipped_specs

PAGE = Path(__file__).parent.parent / "docs" / "zoo.md"
BEGIN, END = "<!-- zoo -->", "<!-- end -->"
HEADINGS = (
    *("spec", "parameters", "MACs", "peak", "torchvision", "theirs", "error"),
    *("Keras", "theirs", "error"),
)


def main(arguments: list[str]) -> int:
    lines = list(table())
    if "--write" in arguments:
        before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
        _, _, behind = rest.partition(END)
        text = "\n".join(lines)
        PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{behind}", "utf-8")
    return 0


def table() -> Iterator[str]:
    """The lines of the table, printed as they come."""
    yield _said("| " + " | ".join(HEADINGS) + " |")
    yield _said("|---|" + "---:|" * 3 + ("---|" + "---:|" * 2) * 2)
    for spec in shipped_specs():
        yield _said("| " + " | ".join(cells(spec)) + " |")


def cells(spec: str) -> list[str]:
    """One row."""
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


def _said(line: str) -> str:
    print(line, flush=True)
    return line


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
