"""Which word of a row belongs to which column or option."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.columns import Slot, option_names, slot_of, types_with
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.row_types import Block, Column, RowType, type_name
from cnndsl.frontend.shifted import Expected, find_shift
from cnndsl.frontend.suggest import COLUMN_NAMES, closest, did_you_mean
from cnndsl.frontend.syntax import NOT_APPLICABLE, Option, RowLine, Word, comment_sign
from cnndsl.ops.kinds import shown
from cnndsl.source import Span


@dataclass(frozen=True, slots=True)
class Entry:
    """
    A word and where it goes.

    `word` is None where a cell is missing that a diagnostic has already asked for. `column` is the
    header's word for the column, or the option's key.
    """

    slot: Slot
    word: Word | None
    column: str


@dataclass(frozen=True, slots=True)
class Entries:
    """All entries of a row that mean something, and whether some word means nothing."""

    known: list[Entry]
    unknown: bool


@dataclass(frozen=True, slots=True)
class RowReport:
    """
    Where the errors of one row go.

    Of a row in a block that is read as it stands, `parameters` are the block's.
    """

    row: str
    findings: Findings
    parameters: Sequence[str] = ()

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        column: str | None = None,
        fixes: Iterable[Fix | str] = (),
    ) -> None:
        """Keep an error of this row."""
        self.findings.error(code, message, span, self.row, column, fixes=fixes)


def find_entries(
    line: RowLine, row_type: RowType | None, columns: tuple[Column, ...], report: RowReport
) -> Entries:
    """The cells behind the type, then the options, that say something of this row."""
    line = _with_options(_joined(line, report), row_type, columns, report)
    cells = _cells(line, row_type, columns, report)
    options = _options(line, row_type, [entry.slot for entry in cells], report)
    unread = any(
        column.name is None and not word.is_dash
        for word, column in zip(line.cells[1:], columns, strict=False)
    )
    return Entries([*cells, *options], unread or len(options) < len(line.options))


def _cells(
    line: RowLine, row_type: RowType | None, columns: tuple[Column, ...], report: RowReport
) -> list[Entry]:
    words: list[Word | None] = list(line.cells[1:])
    slots = [None if c.name is None else slot_of(row_type, c.name, column=True) for c in columns]
    options = {slot_of(row_type, option.key.text, column=False) for option in line.options}
    expected = [
        Expected(column, slot, by_option=slot is not None and slot in options)
        for column, slot in zip(columns, slots, strict=True)
    ]
    shift = find_shift(line, expected) if row_type is not None else None
    if shift is not None:
        words = shift.words
        report.error(shift.code, shift.message, shift.span, shift.column, shift.fixes)
    elif len(words) > len(columns):
        _too_many(line, columns, report)
    entries: list[Entry] = []
    for word, column, slot in zip(words, columns, slots, strict=False):
        if slot is not None:
            entries.append(Entry(slot, word, column.word.text))
        elif row_type is not None and column.name is not None and word and not word.is_dash:
            _not_applicable(row_type, column, word, report)
    return entries


def _joined(line: RowLine, report: RowReport) -> RowLine:
    """The row with `20 x 20` as one cell, which it was meant to be."""
    cells: list[Word] = []
    for right in line.cells:
        cells.append(right)
        height, sign = cells[-3:-1] if len(cells) > 3 else (None, None)
        if height is None or sign is None or sign.text not in ("x", "X", "×"):
            continue
        if height.text.isdecimal() and right.text.isdecimal():
            span = Span(sign.span.source, height.span.start, right.span.end)
            word = Word(f"{height.text}x{right.text}", span)
            fix = Fix(f"write {word.text}", (Edit(span, word.text),))
            report.error(
                "E108", f"{shown(span.text)} is one value, and has blanks", span, None, [fix]
            )
            cells[-3:] = [word]
    return replace(line, cells=tuple(cells)) if len(cells) < len(line.cells) else line


def _with_options(
    line: RowLine, row_type: RowType | None, columns: tuple[Column, ...], report: RowReport
) -> RowLine:
    """The row with `name:value` behind its cells as an option, which it was meant to be."""
    cells, options = line.cells, line.options
    while len(cells) > 1 + len(columns):
        word = cells[-1]
        name, colon, value = word.text.partition(":")
        if not (colon and value) or slot_of(row_type, name, column=False) is None:
            break
        message = f"{shown(word.text)} is an option, which is written with `=`"
        fix = Fix(f"write {name}={value}", (Edit(word.span, f"{name}={value}"),))
        report.error("E112", message, word.span, None, [fix])
        start = word.span.start
        behind = Span(word.span.source, start + len(name) + 1, word.span.end)
        key = Word(name, Span(word.span.source, start, start + len(name)))
        options = (Option(key, Word(value, behind)), *options)
        cells = cells[:-1]
    return replace(line, cells=cells, options=options)


def _too_many(line: RowLine, columns: tuple[Column, ...], report: RowReport) -> None:
    extra = line.cells[1 + len(columns) :]
    start, source = extra[0].span.start, extra[0].span.source
    fixes: list[Fix | str] = ["a column in the header, or an option key=value"]
    sign = comment_sign(extra[0].text)
    if sign:
        fixes = [Fix("`#` begins a comment", (Edit(Span(source, start, start + len(sign)), "#"),))]
    report.error(
        "E112",
        f"{len(line.cells) + 1} cells, and the header has {len(columns) + 2} columns",
        Span(source, start, extra[-1].span.end),
        fixes=fixes,
    )


def _not_applicable(row_type: RowType, column: Column, word: Word, report: RowReport) -> None:
    name = column.word.text
    report.error(
        "E109",
        f"{type_name(row_type)} has no {name}{_elsewhere(row_type, name)}",
        word.span,
        name,
        [Fix(f"write {NOT_APPLICABLE}", (Edit(word.span, NOT_APPLICABLE),))],
    )


def _options(
    line: RowLine, row_type: RowType | None, taken: Collection[Slot], report: RowReport
) -> list[Entry]:
    """The options. One that is misspelt cannot have been meant to be what is `taken`."""
    entries: list[Entry] = []
    for option in line.options:
        if report.findings.full:
            break
        key = option.key
        slot = slot_of(row_type, key.text, column=False)
        if slot is not None:
            entries.append(Entry(slot, option.value, key.text))
        elif row_type is not None:
            free = (
                n for n in option_names(row_type) if slot_of(row_type, n, column=False) not in taken
            )
            names = list(free)
            said = f"{type_name(row_type)} has no option {shown(key.text)}"
            report.error(
                "E105",
                f"{said}{_elsewhere(row_type, key.text)}",
                key.span,
                fixes=did_you_mean(key, names, COLUMN_NAMES) or ["delete it"],
            )
            meant = slot_of(row_type, closest(key.text, names, COLUMN_NAMES), column=False)
            if meant is not None:
                entries.append(Entry(meant, option.value, key.text))
    return entries


def _elsewhere(row_type: RowType, name: str) -> str:
    """Which row types have what this one has not, or what a block has."""
    if isinstance(row_type, Block):
        own = ", ".join(parameter.name for parameter in row_type.parameters)
        return f": its parameters are {own}" if own else ": it has no parameters"
    if name.lower() == "repeat":
        return ": only blocks are repeated"
    types = types_with(name.lower())
    named = ", ".join(types[:3]) + (" and others" if len(types) > 3 else "")
    return f": {named} {'has' if len(types) == 1 else 'have'} it" if types else ""
