"""Which rows are the network's outputs: those that `outputs` names, or else the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.suggest import did_you_mean
from cnndsl.frontend.syntax import KeywordLine, Line, Word
from cnndsl.frontend.typed_row import TypedRow
from cnndsl.ops.kinds import shown
from cnndsl.source import Span


@dataclass(frozen=True, slots=True)
class Outputs:
    """
    The addresses of the rows whose values are the network's results, in order.

    They are `named`, or it is the last row's.
    """

    rows: tuple[str, ...]
    named: bool


def output_lines(lines: Sequence[Line]) -> list[KeywordLine]:
    """The lines that name outputs."""
    return [x for x in lines if isinstance(x, KeywordLine) and x.kind == "outputs"]


def find_outputs(lines: Sequence[Line], rows: Sequence[TypedRow], findings: Findings) -> Outputs:
    """The outputs of a table whose rows are known, blocks expanded."""
    declared = output_lines(lines)
    if not declared:
        return Outputs(tuple(row.name for row in rows[-1:]), named=False)
    for again in declared[1:]:
        findings.error(
            "E113", "the outputs are named twice", again.span, fixes=["all names in one line"]
        )
    if not declared[0].words:
        last = rows[-1].name if rows else "C1"
        findings.error(
            "E117",
            "no output is named",
            declared[0].keyword.span,
            fixes=[f"outputs {last}, or delete the line: the last row is then the output"],
        )
    addresses = {row.name for row in rows}
    found: list[str] = []
    for word in declared[0].words:
        if word.text not in addresses:
            _miss(word, rows, findings)
        elif word.text in found:
            findings.error(
                "E117",
                f"{word.text} is named twice",
                word.span,
                fixes=[Fix("name it once", (Edit(_with_comma(word), ""),))],
            )
        else:
            found.append(word.text)
    return Outputs(tuple(found), named=True)


def _miss(word: Word, rows: Sequence[TypedRow], findings: Findings) -> None:
    if findings.full:
        return  # names cost most to compare
    top = [row.name for row in reversed(rows) if not row.uses]
    fixes = did_you_mean(word, top) or [f"one of {', '.join(top[:5])}"]
    findings.error("E117", f"there is no row {shown(word.text)}", word.span, fixes=fixes)


def _with_comma(word: Word) -> Span:
    """A name that others stand before, with what stands between it and them."""
    before = word.span.source.text[: word.span.start]
    return Span(word.span.source, len(before.rstrip(", \t\u00a0\u3000")), word.span.end)
