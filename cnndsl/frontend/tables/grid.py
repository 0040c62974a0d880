"""A pasted Markdown, TSV or CSV text as cells, each with its place."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from cnndsl.errors import CnnError, LimitError
from cnndsl.frontend.tables.cleaning import clean
from cnndsl.limits import Limits
from cnndsl.source import Source, Span

TableFormat = Literal["Markdown", "TSV", "CSV"]

_ALIGNMENT = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*")
# No cell of a layer table is longer, and what is done to a cell may take its length squared.
_LONGEST_CELL = 400
_MOST_CELLS = 100
_MARKDOWN_CELL = re.compile(r"(?:\\.|[^|\\])*")


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says, without its markup, and where it stands."""

    text: str
    span: Span


@dataclass(frozen=True, slots=True)
class Grid:
    """The lines of cells of a table, and the lines of text around it that are no table."""

    format: TableFormat
    lines: tuple[tuple[Cell, ...], ...]
    """None of them empty."""
    outside: tuple[Span, ...] = ()


def source_of(name: str, text: str, limits: Limits) -> Source:
    """A pasted text with plain line breaks, without a byte order mark or full-width bars."""
    if len(text) > limits.text_bytes:
        message = f"{name} has more than {limits.text_bytes:,} characters, which is the limit"
        raise LimitError(message, code="E301")
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return Source(name, text.replace("｜", "|"))


def read_grid(source: Source) -> Grid:
    """Read the text in the format that it is in. Raises E802 where it is in none."""
    lines = [line for line in source.text.split("\n") if line.strip()]
    if not lines:
        raise CnnError("the pasted table is empty", code="E802")
    if any("|" in line and _ALIGNMENT.fullmatch(line) for line in lines):
        return _read_markdown(source)
    if any("\t" in line for line in lines):
        return _read_delimited(source, "TSV", "\t")
    if any("|" in line for line in lines):
        return _read_markdown(source)
    delimiter = max(",;", key=lambda mark: sum(mark in line for line in lines))
    if not any(delimiter in line for line in lines):
        raise CnnError(
            "no table is seen: its cells must be separated by | (Markdown), tabs, commas or "
            "semicolons",
            code="E802",
            span=Span(source, 0, len(source.text.partition("\n")[0])),
            fixes=["the table copied from a spreadsheet or a web page, which separates by tabs"],
        )
    return _read_delimited(source, "CSV", delimiter)


def _read_markdown(source: Source) -> Grid:
    lines: list[tuple[Cell, ...]] = []
    outside: list[Span] = []
    start = 0
    for line in source.text.split("\n"):
        if "|" in line and not _ALIGNMENT.fullmatch(line):
            cells = islice(_markdown_cells(source, start, line), _MOST_CELLS + 1)
            lines.append(tuple(cells))
        elif "|" not in line and line.strip():
            outside.append(Span(source, start, start + len(line)))
        start += len(line) + 1
    return Grid("Markdown", _checked(lines), tuple(outside))


def _markdown_cells(source: Source, start: int, line: str) -> Iterator[Cell]:
    """The cells between the bars; `\\|` is a bar within a cell."""
    position = len(line) - len(line.lstrip())
    position += line[position : position + 1] == "|"
    end = len(line.rstrip())
    while position < end:
        match = _MARKDOWN_CELL.match(line, position, end)
        stop = match.end() if match else end
        yield _cell(source, start + position, start + stop, line[position:stop])
        # A lone backslash at the very end is no escape and belongs to no cell.
        position = stop + 1


def _read_delimited(source: Source, kind: TableFormat, delimiter: str) -> Grid:
    starts = [0, *(match.end() for match in re.finditer("\n", source.text))]
    reader = csv.reader(io.StringIO(source.text), delimiter=delimiter, strict=True)
    lines: list[tuple[Cell, ...]] = []
    first = 0
    try:
        for fields in reader:
            begin, first = starts[first], reader.line_num
            end = starts[first] if first < len(starts) else len(source.text)
            cells = islice(_delimited_cells(source, begin, end, fields), _MOST_CELLS + 1)
            lines.append(tuple(cells))
    except csv.Error as error:
        place = Span(source, starts[first], starts[first] + 1)
        raise CnnError(f"the {kind} cannot be read: {error}", code="E802", span=place) from None
    return Grid(kind, _checked(lines))


def _delimited_cells(source: Source, begin: int, end: int, fields: list[str]) -> Iterator[Cell]:
    """The fields at their places; one with doubled quotes stands for its whole record."""
    position = begin
    for field in fields:
        found = source.text.find(field, position, end)
        if found < 0:
            yield _cell(source, position, end, field)
        else:
            yield _cell(source, found, found + len(field), field)
            position = found + len(field)


def _checked(lines: list[tuple[Cell, ...]]) -> tuple[tuple[Cell, ...], ...]:
    """The lines that have cells, none of them with too many."""
    for cells in lines:
        if len(cells) > _MOST_CELLS:
            message = f"a row has more than {_MOST_CELLS} cells, which is the limit"
            raise CnnError(message, code="E802", span=cells[-1].span)
    return tuple(filter(None, lines))


def _cell(source: Source, start: int, end: int, text: str) -> Cell:
    if len(text) > _LONGEST_CELL:
        message = f"a cell has {len(text):,} characters, and the limit is {_LONGEST_CELL}"
        raise CnnError(message, code="E802", span=Span(source, start, end))
    raw = source.text[start:end]
    left = len(raw) - len(raw.lstrip())
    right = len(raw.rstrip())
    return Cell(clean(text), Span(source, start + left, start + max(left, right)))
