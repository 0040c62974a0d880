"""
Where the words of a table stand.

A *block* is a run of the table's lines without a blank line in it. In a block each column begins at
one place, its *stop*:

- where more than half of the block's lines have it, so that a change of one line moves no other;
- else where the block above has it, so that new rows fall into line;
- but further right if a cell to the left has grown so long that no blank is left before the stop:
  then two blanks follow the longest.

So stops move to the right only, and only where they must; text whose words are all a single blank
apart has no columns yet and gets them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cnndsl.source import text_cells

GAP = 2
"""Blanks behind the longest cell of a column where nothing else decides."""

Stops: TypeAlias = "list[int | None]"
"""Where each column begins, and at the end the options. None for what no line has."""


@dataclass(frozen=True, slots=True)
class Piece:
    """
    A text, with the blanks `before` it now and where it starts, both counted in terminal cells.
    """

    text: str
    start: int
    before: int


@dataclass(frozen=True, slots=True)
class TableLine:
    """A header or a row: its cells, and everything behind them as one piece."""

    cells: tuple[Piece, ...]
    tail: Piece | None = None

    def piece(self, column: int, columns: int) -> Piece | None:
        """The cell of a column, or the tail behind the last of `columns`."""
        if column == columns:
            return self.tail
        return self.cells[column] if column < len(self.cells) else None


def align(block: Sequence[TableLine], columns: int, above: Stops) -> tuple[list[str], Stops]:
    """
    The lines of a block with their words at its stops, and the stops.

    `columns` counts name and type too. `above` are the stops of the block above, empty for the
    first.

    >>> rows = [TableLine((Piece("layer", 0, 0), Piece("type", 6, 1))),
    ...         TableLine((Piece("C1", 0, 0), Piece("conv", 3, 1)), Piece("bias=no", 8, 1))]
    >>> align(rows, 2, [])
    (['layer  type', 'C1     conv  bias=no'], [0, 7, 13])
    """
    texts = [""] * len(block)
    stops: Stops = []
    for column in range(columns + 1):
        pieces = [line.piece(column, columns) for line in block]
        inherited = above[column] if column < len(above) else None
        here = [piece for piece in pieces if piece is not None]
        if not here:
            stops.append(inherited)
            continue
        # Options stand behind all columns, also behind those that their own row leaves out.
        ends = [
            text_cells(text)
            for text, piece in zip(texts, pieces, strict=True)
            if piece is not None or column == columns
        ]
        stop = _stop(here, ends, inherited) if column else 0
        stops.append(stop)
        for i, piece in enumerate(pieces):
            if piece is not None:
                texts[i] += " " * (stop - text_cells(texts[i])) + piece.text
    return texts, stops


def _stop(pieces: list[Piece], ends: list[int], inherited: int | None) -> int:
    """Where pieces begin whose lines are filled up to `ends`."""
    start, count = Counter(piece.start for piece in pieces).most_common(1)[0]
    agreed = 2 * count > len(pieces) and (len(pieces) > 1 or inherited is None)
    # A single blank separates words; more of them show that somebody aligned columns.
    aligned = any(piece.before >= GAP for piece in pieces if piece.start == start)
    stop = start if agreed and aligned else inherited
    if stop is not None and stop > max(ends) and stop >= min(ends) + GAP:
        return stop
    return max(ends) + GAP
