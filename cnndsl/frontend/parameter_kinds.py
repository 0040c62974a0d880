"""What the parameters of a block are, by where its rows have them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cnndsl.frontend.columns import Slot, slot_of
from cnndsl.frontend.row_types import Column, RowTypes
from cnndsl.frontend.syntax import RowLine, TableRow, Word
from cnndsl.ops.kinds import Kind


def parameter_kinds(
    rows: Iterable[TableRow], columns: tuple[Column, ...], types: RowTypes
) -> dict[str, Kind]:
    """
    The kind of each parameter that is a value by itself, and not only a part of expressions.

    So an argument is refused where it is given, and a cell that is missing before it is noticed.
    """
    attributes: dict[str, Kind] = {}
    claims: dict[str, Kind] = {}
    for row in rows:
        if isinstance(row, RowLine):
            for word, slot in _slots(row, columns, types):
                if slot is not None and slot.name != "when" and word.text.startswith("$"):
                    kinds = claims if slot.role == "claim" else attributes
                    kinds.setdefault(word.text[1:], slot.kind)
    return {**claims, **attributes}


def _slots(
    row: RowLine, columns: tuple[Column, ...], types: RowTypes
) -> Iterator[tuple[Word, Slot | None]]:
    """The words behind a row's type, each with what it is a value of."""
    row_type = types.find(row.cells[0].text) if row.cells else None
    for word, column in zip(row.cells[1:], columns, strict=False):
        yield word, slot_of(row_type, column.name or "", column=True)
    for option in row.options:
        yield option.value, slot_of(row_type, option.key.text, column=False)
