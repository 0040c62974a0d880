"""Which lines of a text stand in which block."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnndsl.errors import Edit, Fix
from cnndsl.frontend.findings import Findings
from cnndsl.frontend.syntax import BadLine, BlockLine, Document, KeywordLine, Line
from cnndsl.source import Span


@dataclass(slots=True)
class Section:
    """
    The lines between `block` and `end`, the latter at `span_end` in the text.

    `head` is a `BadLine` where it could not be read.
    """

    head: BlockLine | BadLine
    lines: list[Line] = field(default_factory=list[Line])
    span_end: int = 0

    @property
    def text(self) -> str:
        """All of it as it stands in the text, `block` and `end` included."""
        return self.head.span.source.text[self.head.span.start : self.span_end]


@dataclass(slots=True)
class Sections:
    """A text's blocks and includes in order, and all lines that stand in no block."""

    parts: list[Section | KeywordLine] = field(default_factory=list[Section | KeywordLine])
    lines: list[Line] = field(default_factory=list[Line])


def split(document: Document, findings: Findings) -> Sections:
    """The sections of a text. Says which blocks have no end, and which ends no block."""
    sections = Sections()
    block: Section | None = None
    misplaced: list[KeywordLine] = []  # no mistakes of their own where it is the `end` that lacks
    for line in document.lines:
        if _begins_block(line):
            if block is not None:
                _miss_end(block, line, findings)
                sections.lines += misplaced
                misplaced.clear()
            assert isinstance(line, BlockLine | BadLine)
            block = Section(line)
            sections.parts.append(block)
        elif isinstance(line, KeywordLine) and line.kind == "end":
            if line.words:
                _refuse_name(line, findings)
            elif block is None:
                findings.error(
                    "E100", "this ends no block", line.keyword.span, fixes=["delete the line"]
                )
            else:
                _refuse_misplaced(misplaced, findings)
                block.span_end = line.span.end
                block = None
        elif block is None:
            sections.lines.append(line)
            if isinstance(line, KeywordLine) and line.kind == "include":
                sections.parts.append(line)
        elif isinstance(line, KeywordLine) and line.kind != "header":
            misplaced.append(line)
        elif _is_second_header(block, line):
            # Rather than that a table has two headers, that the `end` above it is missing.
            _miss_end(block, line, findings)
            sections.lines += [*misplaced, line]
            misplaced.clear()
            block = None
        else:
            block.lines.append(line)
    if block is not None:
        _miss_end(block, None, findings)
        findings.raise_errors()  # the network's own table is lost in it
    return sections


def _refuse_misplaced(misplaced: list[KeywordLine], findings: Findings) -> None:
    for line in misplaced:
        word = line.keyword.text
        fixes = ["the line above the block, or below its `end`"]
        findings.error("E100", f"`{word}` cannot stand in a block", line.keyword.span, fixes=fixes)
    misplaced.clear()


def _begins_block(line: Line) -> bool:
    if isinstance(line, BadLine):
        return line.first.lower() == "block"
    return isinstance(line, BlockLine)


def _is_second_header(block: Section, line: Line) -> bool:
    return (
        isinstance(line, KeywordLine)
        and line.kind == "header"
        and any(isinstance(above, KeywordLine) for above in block.lines)
    )


def _miss_end(block: Section, line: Line | None, findings: Findings) -> None:
    if isinstance(block.head, BadLine):
        return
    name = block.head.name
    where = "" if line is None else f" before line {line.span.line}"
    fixes: list[Fix | str] = ["a line `end` behind its last row"]
    if line is not None:
        at = Span(line.span.source, line.span.start, line.span.start)
        fixes = [Fix(f"`end` above line {line.span.line}", (Edit(at, "end\n"),))]
    findings.error("E100", f"the block {name.text} has no `end`{where}", name.span, fixes=fixes)


def _refuse_name(line: KeywordLine, findings: Findings) -> None:
    word = line.keyword
    findings.error(
        "E106",
        f"{word.text!r} is a word of the language",
        word.span,
        word.text,
        fixes=[Fix(f"another name, such as {word.text}_1", (Edit(word.span, f"{word.text}_1"),))],
    )
