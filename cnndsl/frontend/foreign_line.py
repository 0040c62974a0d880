"""Lines as another language writes them: one error says what they are, and none what they lack."""

from __future__ import annotations

import re

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.syntax import BLANKS, BadLine, comment_sign
from cnndsl.source import Span

_VERSION = re.compile(r"cnn[-_:=]?v?[0-9.]+")
_MARKS = (",", ";", "|")
_FEWEST_MARKS = 3


def foreign_line(line: Span, findings: Findings) -> BadLine | None:
    """The line as one that cannot be read, if it is known to be another language's."""
    text = line.text
    words = text[:1000].split()
    first = words[0]
    sign = comment_sign(first)
    if sign:
        start = line.start + text.index(sign)
        place = Span(line.source, start, start + len(sign))
        fix = Fix("`#` begins a comment", (Edit(place, "#"),))
        findings.error("E100", f"`{sign}` begins no comment", place, fixes=[fix])
        return BadLine(line, first)
    if _VERSION.fullmatch(text.strip(BLANKS).lower()):
        fix = Fix("cnn 1", (Edit(line, "cnn 1"),))
        findings.error("E101", "the version stands behind a blank", line, fixes=[fix])
        return BadLine(line, "cnn")
    if first.startswith("|"):
        findings.error(
            "E100",
            "this is a row of a Markdown table",
            line,
            fixes=["`cnndsl import table` reads Markdown, TSV and CSV and writes a .cnn text"],
        )
        return BadLine(line, first)
    for mark in _MARKS:
        behind = first.endswith(mark) or words[1:2] == [mark]
        if behind and text.count(mark) >= _FEWEST_MARKS:
            fix = Fix("blanks in their place", (Edit(line, text.replace(mark, " ")),))
            message = f"cells are kept apart by blanks, and not by `{mark}`"
            findings.error("E100", message, line, fixes=[fix])
            return BadLine(line, first.rstrip(mark))
    return None
