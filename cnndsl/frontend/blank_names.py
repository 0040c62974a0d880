"""Rows whose names are written as two words: `C 1  conv ...`, `Conv 2  conv ...`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.row_types import RowTypes
from cnndsl.frontend.syntax import RowLine, TableRow, Word
from cnndsl.ops.kinds import shown
from cnndsl.source import Span


def join_names(
    rows: Sequence[TableRow], types: RowTypes, findings: Findings
) -> tuple[TableRow, ...]:
    """
    The rows, those with a blank in the name as they were meant, which is said.

    A type stands one cell too far to the right there, and none where it should.
    """
    return tuple(
        _joined(row, findings) if isinstance(row, RowLine) and _has_blank(row, types) else row
        for row in rows
    )


def _has_blank(row: RowLine, types: RowTypes) -> bool:
    if len(row.cells) < 2:
        return False
    second, third = row.cells[:2]
    return types.find(second.text) is None and types.find(third.text) is not None


def _joined(row: RowLine, findings: Findings) -> RowLine:
    second = row.cells[0]
    span = Span(row.span.source, row.name.span.start, second.span.end)
    name = f"{row.name.text}{second.text}"
    fix = Fix(f"write {name}", (Edit(span, name),))
    message = f"{shown(span.text)} is one name, and has a blank"
    findings.error("E106", message, span, name, fixes=[fix])
    return replace(row, name=Word(name, span), cells=row.cells[1:])
