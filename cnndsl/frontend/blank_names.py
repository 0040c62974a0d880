"""Rows whose name or type is written as two words, `C 1  conv`, `S2  max pool`, or has no name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.row_types import RowTypes
from cnndsl.frontend.syntax import RowLine, TableRow, Word
from cnndsl.frontend.vocabulary import ROW_TYPES
from cnndsl.ops.kinds import shown
from cnndsl.ops.registry import OPERATORS
from cnndsl.source import Span

_MOST_WORDS = 4  # of a type: global average pooling 2d


def mend_names(
    rows: Sequence[TableRow], types: RowTypes, findings: Findings
) -> tuple[TableRow, ...]:
    """
    The rows, those with a blank in the name or in the type as they were meant, which is said.

    A type stands one cell too far to the right behind a name with a blank, and one too far to the
    left in a row without a name. Of a table in which no row has one, only the first says so.
    """
    nameless = [row for row in rows if isinstance(row, RowLine) and _has_no_name(row, types)]
    mended: list[TableRow] = []
    for row in rows:
        if not isinstance(row, RowLine):
            mended.append(row)
        elif row in nameless:
            if row is nameless[0]:
                _miss_name(row, len(nameless), findings)
            mended.append(_named(row))
        elif _name_has_blank(row, types):
            mended.append(_joined_name(row, findings))
        else:
            mended.append(_joined_type(row, types, findings))
    return tuple(mended)


def _name_has_blank(row: RowLine, types: RowTypes) -> bool:
    if len(row.cells) < 2:
        return False
    second, third = row.cells[:2]
    return types.find(second.text) is None and types.find(third.text) is not None


def _joined_name(row: RowLine, findings: Findings) -> RowLine:
    second = row.cells[0]
    span = Span(row.span.source, row.name.span.start, second.span.end)
    name = f"{row.name.text}{second.text}"
    fix = Fix(f"write {name}", (Edit(span, name),))
    message = f"{shown(span.text)} is one name, and has a blank"
    findings.error("E106", message, span, name, fixes=[fix])
    return replace(row, name=Word(name, span), cells=row.cells[1:])


def _joined_type(row: RowLine, types: RowTypes, findings: Findings) -> RowLine:
    for count in range(min(_MOST_WORDS, len(row.cells)), 1, -1):
        words = row.cells[:count]
        span = Span(row.span.source, words[0].span.start, words[-1].span.end)
        meant = ROW_TYPES.find(span.text)
        spelt = all(word.text.isalnum() for word in words)  # no cell, such as `-`
        if spelt and meant and meant in OPERATORS and types.find(words[0].text) is None:
            fix = Fix(f"write {meant}", (Edit(span, meant),))
            message = f"{shown(span.text)} is one type, and has a blank"
            findings.error("E104", message, span, row.name.text, "type", fixes=[fix])
            return replace(row, cells=(Word(meant, span), *row.cells[count:]))
    return row


def _has_no_name(row: RowLine, types: RowTypes) -> bool:
    """Whether a row begins with its type, and numbers follow."""
    if types.find(row.name.text) is None or not row.cells:
        return False
    second = row.cells[0]
    return second.is_dash or second.text[:1].isdecimal()


def _miss_name(row: RowLine, count: int, findings: Findings) -> None:
    name = row.name
    begin = Span(name.span.source, name.span.start, name.span.start)
    others = f", and {count - 1} others have none" if count > 1 else ""
    free = f"L{row.span.line}"
    fix = Fix(f"a name in front of it, such as {free}", (Edit(begin, f"{free} "),))
    message = f"the row has no name: {name.text} is its type{others}"
    findings.error("E106", message, name.span, fixes=[fix])


def _named(row: RowLine) -> RowLine:
    name = Word(f"L{row.span.line}", row.name.span)
    return replace(row, name=name, cells=(row.name, *row.cells))
