"""
From text to lines of words, each line by itself.

What cannot be read costs one diagnostic and leaves a `BadLine`; the lines around it are read.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Protocol, TypeAlias, cast

from lark import Token, Tree
from lark.exceptions import UnexpectedInput

from cnndsl.errors import Edit, Fix, LimitError
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.foreign_line import foreign_line
from cnndsl.frontend.kept_grammar import parser_of
from cnndsl.frontend.syntax import (
    BLANKS,
    NOT_APPLICABLE,
    BadLine,
    BlankLine,
    BlockLine,
    Document,
    Keyword,
    KeywordLine,
    Line,
    Option,
    OptionsLine,
    ParameterWord,
    RowLine,
    Word,
)
from cnndsl.limits import Limits
from cnndsl.resources import resource
from cnndsl.source import Source, Span

LarkTree: TypeAlias = "Tree[Token]"

# Controls can rewrite what a terminal shows, and directional marks what a reader sees.
_REFUSED = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
_KEYWORDS: dict[str, Keyword] = {
    "version": "version",
    "network": "network",
    "outputs": "outputs",
    "header": "header",
    "include": "include",
    "end": "end",
}
_USAGES = {
    "block": "a block is declared as `block Name(parameter, parameter=default)`",
    "outputs": "the network's results are named as `outputs row, other_row`",
}
_EXAMPLES = {"block": "block Bottleneck(maps, stride=1)", "outputs": "outputs near, far"}
_BYTE_ORDER_MARK = "\ufeff"
# Hyphens, dashes and minus signs, as word processors and PDFs have them.
_DASHES = frozenset("-‐‑‒–—―−﹘﹣－")
# Quotation marks of word processors, and those of other languages.
_QUOTES = ("“", "”", "„", "‘", "’", "«", "»", "'")


class LineParser(Protocol):
    """What this file needs of lark."""

    def parse(self, text: str, /) -> LarkTree:
        """The tree of one line. Raises `UnexpectedInput`."""
        ...


@cache
def line_parser() -> LineParser:
    """The parser of one line, built once a process."""
    grammar = resource("grammar", "cnn.lark").read_text(encoding="utf-8")
    return cast(LineParser, parser_of(grammar, placeholders=False))


def parse(source: Source, findings: Findings, limits: Limits | None = None) -> Document:
    """All lines of a text. Raises `LimitError` for a text too large to be read at all."""
    limits = limits or Limits()
    _check_size(source, limits)
    lines: list[Line] = []
    rows, start = 0, 0
    for number, text in enumerate(source.text.split("\n")):
        span = Span(source, start, start + len(text.removesuffix("\r")))
        start += len(text) + 1
        if number == 0 and text.startswith(_BYTE_ORDER_MARK):
            span = Span(source, 1, max(1, span.end))
        line = parse_line(span, findings, limits)
        lines.append(line)
        rows += isinstance(line, RowLine | BadLine)
        if rows > limits.rows:
            raise LimitError(
                f"the table has more than {limits.rows:,} rows",
                code="E302",
                span=span,
                fixes=["a larger limit: Limits(rows=...) in Python"],
            )
    return Document(source, tuple(lines))


def parse_line(span: Span, findings: Findings, limits: Limits | None = None) -> Line:
    """The line that a span covers. What is wrong with it goes to `findings`."""
    limits = limits or Limits()
    text = span.text
    if not text.strip(BLANKS):
        return BlankLine(span)
    bad = BadLine(span, next(iter(text[:100].split()), ""))
    if len(text) > limits.line_length:
        findings.error(
            "E301",
            f"the line has {len(text):,} characters, and the limit is {limits.line_length:,}",
            Span(span.source, span.start, span.start + 1),
        )
        return bad
    refused = _REFUSED.search(text)
    if refused is not None:
        _refuse_character(_part(span, *refused.span()), findings)
        return bad
    foreign = foreign_line(span, findings)
    if foreign is not None:
        return foreign
    try:
        tree = line_parser().parse(text)
    except UnexpectedInput as error:
        _explain(span, error, findings)
        return bad
    return _line(span, tree, findings) or bad


def _check_size(source: Source, limits: Limits) -> None:
    size = len(source.text)
    if size <= limits.text_bytes:
        size = len(source.text.encode("utf-8", "surrogatepass"))
    if size > limits.text_bytes:
        raise LimitError(
            f"the text has at least {size:,} bytes, and the limit is {limits.text_bytes:,}",
            code="E301",
            span=Span(source, 0, 0),
            fixes=["a larger limit: Limits(text_bytes=...) in Python"],
        )


def _line(span: Span, tree: LarkTree, findings: Findings) -> Line | None:
    """A parsed line as its dataclass; None where a cell stands behind an option."""
    comment: Word | None = None
    statement: LarkTree | None = None
    for child in tree.children:
        if isinstance(child, Token):
            comment = _word(span, child)
        else:
            statement = child
    if statement is None:
        return BlankLine(span, comment)
    if statement.data == "block":
        return _block(span, statement, comment)
    cells: list[Word] = []
    options: list[Option] = []
    for child in statement.children:
        if isinstance(child, Token):
            continue
        words = [_word(span, token) for token in child.children if isinstance(token, Token)]
        if child.data == "option":
            options.append(Option(words[0], words[1]))
        elif not options:
            cells.append(words[0])
        else:
            _refuse_behind(options[-1].value, words[0], findings)
            return None
    kind = str(statement.data)
    if kind == "options":
        return OptionsLine(span, tuple(options), comment)
    first = statement.children[0]
    assert isinstance(first, Token)
    if kind == "row":
        return RowLine(span, _word(span, first), tuple(cells), tuple(options), comment)
    return KeywordLine(span, _KEYWORDS[kind], _word(span, first), tuple(cells), comment)


def _refuse_behind(value: Word, cell: Word, findings: Findings) -> None:
    """A cell behind an option: often the rest of a list that was written with blanks."""
    fix = Fix("cells stand in the columns, options as key=value behind them")
    if value.text.startswith(_QUOTES) and cell.text.endswith(_QUOTES):
        whole = Span(cell.span.source, value.span.start, cell.span.end)
        quoted = f'"{whole.text[1:-1]}"'
        fix = Fix(f"quotation marks are straight ones: {quoted}", (Edit(whole, quoted),))
    if value.text.endswith(",") or cell.text.startswith(","):
        gap = Span(cell.span.source, value.span.end, cell.span.start)
        fix = Fix(f"{value.text}{cell.text} without a blank", (Edit(gap, ""),))
    message = f"the cell {cell.text!r} stands behind an option"
    findings.error("E100", message, cell.span, fixes=[fix])


def _block(span: Span, statement: LarkTree, comment: Word | None) -> BlockLine:
    tokens = [child for child in statement.children if isinstance(child, Token)]
    keyword, name = (_word(span, token) for token in tokens)
    parameters: list[ParameterWord] = []
    for child in statement.children:
        if not isinstance(child, Token):
            words = [_word(span, token) for token in child.children if isinstance(token, Token)]
            parameters.append(ParameterWord(*words))
    return BlockLine(span, keyword, name, tuple(parameters), comment)


def _word(line: Span, token: Token) -> Word:
    assert token.start_pos is not None
    assert token.end_pos is not None
    text = str(token)
    if token.type == "STRING":
        text = text[1:-1]
    elif text in _DASHES:
        text = NOT_APPLICABLE
    return Word(text, _part(line, token.start_pos, token.end_pos))


def _part(line: Span, start: int, end: int) -> Span:
    return Span(line.source, line.start + start, line.start + end)


def _refuse_character(place: Span, findings: Findings) -> None:
    character = place.text
    if character == "\r":
        findings.error(
            "E100",
            "a carriage return that ends no line",
            place,
            fixes=["save the text with line ends LF or CRLF"],
        )
        return
    name = unicodedata.name(character, "control character").lower()
    findings.error(
        "E100",
        f"the invisible {name} U+{ord(character):04X} may not stand in a text",
        place,
        fixes=["delete it"],
    )


def _explain(line: Span, error: UnexpectedInput, findings: Findings) -> None:
    """Say what the parser could not go on with, in the language's own words."""
    text = line.text
    word = text.split(None, 1)[0].lower()
    usage = _USAGES.get(word)
    if usage is not None:
        at = min(error.pos_in_stream or 0, len(text.rstrip(BLANKS)))
        place = _part(line, at, at + (at < len(text)))
        findings.error("E100", usage, place, fixes=[_EXAMPLES[word]])
        return
    token = getattr(error, "token", None)
    if isinstance(token, Token) and token.type in ("$END", "COMMENT"):
        end = len(text) if token.type == "$END" else token.start_pos or 0
        before = text[:end].rstrip(BLANKS)
        findings.error(
            "E100",
            "the option has no value",
            _part(line, _word_start(before.rstrip("=" + BLANKS)), len(before)),
            fixes=["write the value behind `=`, as in bias=no"],
        )
        return
    at = error.pos_in_stream or 0
    if text[at] == '"':
        findings.error(
            "E100",
            "the quotation mark is not closed"
            if text.count('"', at) == 1
            else "quotation marks are for values, not for names",
            _part(line, at, len(text)),
            fixes=['quotation marks enclose an option\'s value, as in labels="my labels.txt"'],
        )
        return
    findings.error(
        "E100",
        f"{text[at]!r} has no meaning here",
        _part(line, at, at + 1),
        fixes=["`=` stands between an option's name and its value, as in bias=no"],
    )


def _word_start(text: str) -> int:
    """Where the last word of `text` begins."""
    return max(text.rfind(blank) for blank in BLANKS) + 1
