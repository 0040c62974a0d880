"""
The canonical text of a table.

Formatting is idempotent and changes no meaning. Comments stay where they are. Columns are aligned
by the rule of `layout`, so that one edit moves as little as can be.

- Keywords, columns, row types, options and the words of fixed choices are written in lower case,
  `×` as `x`, single dashes of any length as `-`, `key = value` without blanks.
- Numbers stay as they are written: `1,000` keeps its comma, `5` does not become `5x5`.
- Blank lines are single, none stand at the beginning and the end; the text ends with a line break.
  Line breaks stay what the first one is; a byte order mark goes.
- A line that cannot be read is left alone. A text with other errors is formatted all the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from cnndsl.frontend.columns import slot_of
from cnndsl.frontend.fill import fill_text
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.layout import Piece, Stops, TableLine, align
from cnndsl.frontend.parse import parse
from cnndsl.frontend.syntax import (
    NOT_APPLICABLE,
    BadLine,
    BlankLine,
    BlockLine,
    KeywordLine,
    Line,
    Option,
    OptionsLine,
    RowLine,
    Word,
)
from cnndsl.limits import Limits
from cnndsl.ops.base import Op
from cnndsl.ops.registry import OPERATORS
from cnndsl.source import Source, text_cells

INDENT = 4
"""Blanks before options that stand on a line of their own, unless they are indented already."""


def format_text(source: Source, *, fill: bool = False, limits: Limits | None = None) -> str:
    """
    The canonical text.

    With `fill`, every `?` and every claim missing at the end of a row is written as inferred; that
    raises `SpecError` for a text with errors, of which nothing can be inferred. Raises `LimitError`
    for a text that is too large.

    >>> print(format_text(Source("x.cnn", "cnn 1\\nlayer type maps\\nIn Input 3\\n")), end="")
    cnn 1
    layer  type   maps
    In     input  3
    """
    if fill:
        source = fill_text(source, limits)
    document = parse(source, Findings(), limits)
    lines = _without_needless_blanks(_formatted(document.lines))
    newline = "\r\n" if source.text.partition("\n")[0].endswith("\r") else "\n"
    return "".join(f"{line}{newline}" for line in lines)


def _formatted(lines: Sequence[Line]) -> Iterator[str]:
    """The canonical lines: each block is a table of its own, and all around them is one."""
    parts = list(_parts(lines))
    around = _Formatter([line for in_block, part in parts if not in_block for line in part])
    for in_block, part in parts:
        yield from (_Formatter(part) if in_block else around).formatted(part)


def _parts(lines: Sequence[Line]) -> Iterator[tuple[bool, list[Line]]]:
    """The blocks, each from `block` to `end`, and the lines around them."""
    part: list[Line] = []
    in_block = False
    for line in lines:
        if isinstance(line, BlockLine):
            yield in_block, part
            part, in_block = [], True
        part.append(line)
        if isinstance(line, KeywordLine) and line.kind == "end":
            yield in_block, part
            part, in_block = [], False
    yield in_block, part


class _Formatter:
    """Formats one table."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.stops: Stops = []
        headers = [x for x in lines if isinstance(x, KeywordLine) and x.kind == "header"]
        rows = [x for x in lines if isinstance(x, RowLine)]
        self.header = headers[0] if headers else None
        self.columns = (
            len(self.header.words) + 1
            if self.header is not None
            else max((len(row.cells) + 1 for row in rows), default=0)
        )

    def formatted(self, lines: Sequence[Line]) -> Iterator[str]:
        """Some of the table's lines, aligned with those above."""
        for group in _groups(lines):
            table = [line for line in group if _is_table(line)]
            texts: list[str] = []
            if table:
                pieces = [self._pieces(x) for x in table]
                texts, self.stops = align(pieces, self.columns, self.stops)
            aligned = iter(texts)
            for line in group:
                text = next(aligned) if _is_table(line) else self._plain(line)
                yield _with_comment(text, line)

    def _pieces(self, line: Line) -> TableLine:
        """A header or a row as what is to be placed."""
        if isinstance(line, KeywordLine):
            words = [line.keyword, *line.words]
            return TableLine(tuple(_piece(_raw(word).lower(), word) for word in words))
        assert isinstance(line, RowLine)
        operator = OPERATORS.get(line.cells[0].text.lower()) if line.cells else None
        cells = [_piece(_raw(line.name), line.name)]
        cells += [
            _piece(self._cell(word, column, operator), word)
            for column, word in enumerate(line.cells)
        ]
        tail = cells[self.columns :]
        tail += [_piece(_option(option, operator), option.key) for option in line.options]
        behind = replace(tail[0], text=" ".join(piece.text for piece in tail)) if tail else None
        return TableLine(tuple(cells[: self.columns]), behind)

    def _cell(self, word: Word, column: int, operator: type[Op] | None) -> str:
        if column == 0:
            return _raw(word).lower() if operator is not None else _raw(word)
        name = ""
        if self.header is not None and column < len(self.header.words):
            name = self.header.words[column].text
        return _canonical(word, operator, name, column=True)

    def _plain(self, line: Line) -> str:
        """A line that is no part of the table's columns, without its comment."""
        if isinstance(line, KeywordLine):
            words = map(_raw, line.words)
            if line.kind == "outputs":
                words = filter(None, [", ".join(words)])
            return " ".join([_raw(line.keyword).lower(), *words])
        if isinstance(line, BlockLine):
            return _declaration(line)
        if isinstance(line, OptionsLine):
            indent = _start(line.options[0].key) or INDENT
            return " " * indent + " ".join(_option(option, None) for option in line.options)
        return line.span.text if isinstance(line, BadLine) else ""


def _groups(lines: Sequence[Line]) -> Iterator[list[Line]]:
    """Lines up to and with each blank line."""
    group: list[Line] = []
    for line in lines:
        group.append(line)
        if isinstance(line, BlankLine) and line.comment is None:
            yield group
            group = []
    yield group


def _declaration(line: BlockLine) -> str:
    """`block Name(maps, stride=1)`."""
    parameters = [
        _raw(p.name) if p.default is None else f"{_raw(p.name)}={_raw(p.default)}"
        for p in line.parameters
    ]
    listed = f"({', '.join(parameters)})" if parameters else ""
    return f"{_raw(line.keyword).lower()} {_raw(line.name)}{listed}"


def _is_table(line: Line) -> bool:
    return isinstance(line, RowLine) or (isinstance(line, KeywordLine) and line.kind == "header")


def _with_comment(text: str, line: Line) -> str:
    comment = None if isinstance(line, BadLine) else line.comment
    if comment is None:
        return text
    start, end = _start(comment), text_cells(text)
    if text and start < end + 2:
        start = end + 2
    return f"{text}{' ' * (start - end)}{_raw(comment).rstrip()}"


def _without_needless_blanks(lines: Iterator[str]) -> list[str]:
    kept: list[str] = []
    for line in lines:
        if line or (kept and kept[-1]):
            kept.append(line)
    return kept[:-1] if kept and not kept[-1] else kept


def _option(option: Option, operator: type[Op] | None) -> str:
    value = _canonical(option.value, operator, option.key.text, column=False)
    return f"{_raw(option.key).lower()}={value}"


def _canonical(word: Word, operator: type[Op] | None, name: str, *, column: bool) -> str:
    """A value as it is written: `x` between numbers, fixed words in lower case."""
    text = _raw(word)
    if re.fullmatch(r"[0-9,+]+([xX×][0-9,+]+)+", text):
        return re.sub("[X×]", "x", text)
    slot = slot_of(operator, name, column=column) if operator is not None else None
    if slot is not None and text.lower() in slot.kind.choices():
        return text.lower()
    return NOT_APPLICABLE if word.is_dash and len(text) == 1 else text


def _raw(word: Word) -> str:
    """A word as it stands, quotation marks included."""
    return word.span.text


def _piece(text: str, word: Word) -> Piece:
    """`text`, to be placed instead of a word."""
    before = _before(word)
    return Piece(text, text_cells(before), len(before) - len(before.rstrip()))


def _start(word: Word) -> int:
    """Where a word stands in its line, in terminal cells."""
    return text_cells(_before(word))


def _before(word: Word) -> str:
    """What stands before a word in its line."""
    text, start = word.span.source.text, word.span.start
    return text[text.rfind("\n", 0, start) + 1 : start].removeprefix("\ufeff")
