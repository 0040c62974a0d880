"""The lines above the rows: version, network and where the table's header stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.header_columns import USUAL_HEADER, over, read_columns
from cnndsl.frontend.row_types import Column
from cnndsl.frontend.syntax import (
    BadLine,
    BlankLine,
    BlockLine,
    Document,
    KeywordLine,
    Line,
    OptionsLine,
    RowLine,
    TableRow,
)
from cnndsl.ops.kinds import shown
from cnndsl.ops.registry import OPERATORS
from cnndsl.source import Source, Span

VERSION = "1"
_NETWORK_WORDS = ("name", "net", "model", "title")
_FIRST_TABLE = f"""\
cnn {VERSION}
layer  type   maps  size
In     input  1     28x28
Out    dense  10    -
"""


@dataclass(frozen=True, slots=True)
class TableOwner:
    """Whose a table is, and where to say that it has none."""

    name: str
    span: Span


@dataclass(frozen=True, slots=True)
class Outline:
    """The network's name, the columns, and the rows with all their options."""

    name: str
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]


def read_outline(
    document: Document, lines: Sequence[Line], known: Collection[str], findings: Findings
) -> Outline:
    """
    Sort the lines of a text that stand in no block.

    `known` are the names that a column may have. Raises where nothing is known of the columns: no
    row can be read.
    """
    name = _network_name(document.source, lines, findings)
    end = document.lines[-1].span.end
    owner = TableOwner("the text", Span(document.source, end, end))
    columns, rows = read_table(owner, lines, known, findings)
    if columns is None:
        findings.raise_errors()
    return Outline(name, columns or (), rows)


def read_table(
    owner: TableOwner, lines: Sequence[Line], known: Collection[str], findings: Findings
) -> tuple[tuple[Column, ...] | None, tuple[TableRow, ...]]:
    """The columns and rows among `lines`; no columns where the header does not tell them apart."""
    headers = _keyword_lines(lines, "header")
    for again in headers[1:]:
        findings.error(
            "E102", "a second header row: a table has one", again.keyword.span, fixes=["delete it"]
        )
    rows = _rows(lines, findings)
    if not headers:
        _miss_header(owner, lines, rows, findings)
        return None, rows
    early = [x for x in rows if x.span.start < headers[0].span.start and isinstance(x, RowLine)]
    if early:
        _refuse_early(early, findings)
        rows = tuple(row for row in rows if row not in early or _has_type(row))
    return read_columns(headers[0], known, findings), rows


def _refuse_early(early: Sequence[RowLine], findings: Findings) -> None:
    """Lines above the header that read as rows: rows, or something else that was meant."""
    for line in early:
        if not _has_type(line) and line.name.text.lower().strip(":=") in _NETWORK_WORDS:
            name = " ".join(cell.text for cell in line.cells)
            fix = Fix(f"network {name}", (Edit(line.name.span, "network"),))
            message = "the network's name stands behind the word `network`"
            findings.error("E102", message, line.span, fixes=[fix])
        else:
            message = "the row stands above the header"
            findings.error("E102", message, line.span, fixes=["the header above it"])
            return


def _has_type(line: TableRow) -> bool:
    """Whether a line reads as a row: what has no type was meant to be something else."""
    return isinstance(line, BadLine) or bool(line.cells and line.cells[0].text.lower() in OPERATORS)


def _keyword_lines(lines: Sequence[Line], kind: str) -> list[KeywordLine]:
    return [x for x in lines if isinstance(x, KeywordLine) and x.kind == kind]


def refuse_empty(document: Document, findings: Findings) -> None:
    """Raise `SpecError` for a text of nothing but blank lines and comments, with a first table."""
    if all(isinstance(line, BlankLine) for line in document.lines):
        end = len(document.source.text)
        findings.error(
            "E102",
            "the text is empty: it has no version line and no table",
            Span(document.source, end, end),
            fixes=[
                Fix(
                    "`cnn 1`, then the header `layer  type  maps  size`, then the rows, "
                    "such as `In  input  1  28x28` and `Out  dense  10  -`",
                    (Edit(Span(document.source, end, end), _FIRST_TABLE),),
                )
            ],
        )
        findings.raise_errors()


def check_version(document: Document, findings: Findings) -> None:
    """A text says first which version of the language it is written in."""
    lines = _keyword_lines(document.lines, "version")
    first = next(
        (x for x in document.lines if isinstance(x, KeywordLine | BlockLine | RowLine)), None
    )
    if any(isinstance(x, BadLine) and x.first.lower() == "cnn" for x in document.lines):
        return  # it is there, and what is wrong with it has been said
    if not lines or first is not lines[0]:
        start = document.lines[0].span.start
        findings.error(
            "E101",
            f"a text begins with the language's version, `cnn {VERSION}`",
            lines[0].span if lines else Span(document.source, start, start),
            fixes=[] if lines else [_insert(document.source, start, f"cnn {VERSION}\n")],
        )
    for again in lines[1:]:
        findings.error("E113", "the version is given twice", again.span, fixes=["delete the line"])
    if lines:
        _check_version_words(lines[0], findings)


def _check_version_words(line: KeywordLine, findings: Findings) -> None:
    said = " ".join(word.text for word in line.words)
    if said == VERSION:
        return
    written = over((line.keyword, *line.words))
    names = f"names {shown(said)}" if said else "names none"
    findings.error(
        "E101",
        f"this is version {VERSION} of the language, and the text {names}",
        written,
        fixes=[Fix(f"cnn {VERSION}", (Edit(written, f"cnn {VERSION}"),))],
    )
    if said.isdecimal():
        findings.raise_errors()  # a later version may mean anything by what follows


def _network_name(source: Source, lines: Sequence[Line], findings: Findings) -> str:
    named = _keyword_lines(lines, "network")
    for again in named[1:]:
        findings.error("E113", "the network is named twice", again.span, fixes=["delete the line"])
    if not named:
        return PurePath(source.name).stem or "network"
    words = named[0].words
    if len(words) == 0 or not words[0].text:
        findings.error(
            "E107",
            "the network's name is missing",
            named[0].keyword.span,
            fixes=["network AlexNet, or delete the line: the file's name is then taken"],
        )
        return "network"
    if len(words) > 1:
        name = " ".join(word.text for word in words)
        findings.error(
            "E100",
            f"a name of {len(words)} words needs quotation marks",
            over(words),
            fixes=[Fix(f'"{name}"', (Edit(over(words), f'"{name}"'),))],
        )
    return words[0].text


def _rows(lines: Sequence[Line], findings: Findings) -> tuple[TableRow, ...]:
    """The rows, each with the options of the lines beneath it."""
    rows: list[TableRow] = []
    for line in lines:
        if isinstance(line, RowLine) or (isinstance(line, BadLine) and not _was_keyword(line)):
            rows.append(line)
        elif isinstance(line, OptionsLine):
            above = rows[-1] if rows else None
            if isinstance(above, RowLine):
                rows[-1] = replace(above, options=above.options + line.options)
            elif above is None:
                findings.error(
                    "E100",
                    "options without a row: they continue the row above",
                    line.options[0].key.span,
                )
    return tuple(rows)


def _was_keyword(line: BadLine) -> bool:
    return line.first.lower() in ("cnn", "network", "outputs", "layer", "include")


def _miss_header(
    owner: TableOwner, lines: Sequence[Line], rows: tuple[TableRow, ...], findings: Findings
) -> None:
    if any(isinstance(x, BadLine) and x.first.lower() == "layer" for x in lines):
        return  # it is there, and what is wrong with it has been said
    if rows and isinstance(rows[0], BadLine) and rows[0].first.startswith("|"):
        return  # a Markdown table, and that has been said
    if rows and isinstance(rows[0], RowLine) and _is_header(rows[0]):
        word = rows[0].name
        fix = Fix("write layer", (Edit(word.span, "layer"),))
        findings.error("E102", "the header begins with `layer type`", word.span, fixes=[fix])
    elif rows:
        findings.error(
            "E102",
            "a header row names the columns first",
            rows[0].span,
            fixes=[_insert(owner.span.source, rows[0].span.start, f"{USUAL_HEADER}\n")],
        )
    else:
        findings.error("E102", f"{owner.name} has no table", owner.span, fixes=[USUAL_HEADER])


def _is_header(row: RowLine) -> bool:
    """Whether a row is the header, with another word for `layer`."""
    words = [cell.text.lower() for cell in row.cells]
    return words[:1] == ["type"] and "maps" in words


def _insert(source: Source, at: int, text: str) -> Fix:
    return Fix(f"insert {text.strip()!r} above", (Edit(Span(source, at, at), text),))
