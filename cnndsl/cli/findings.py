"""Diagnostics as people, programs and GitHub's pages read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cnndsl.errors import Diagnostic
from cnndsl.source import Span

if TYPE_CHECKING:  # an extra, imported where a terminal is there to show colours
    from rich.text import Text

FORMATS = ("text", "json", "github")


def as_text(diagnostic: Diagnostic) -> str:
    """For people: the place, the message, the line underlined, notes and fixes."""
    return str(diagnostic)


def styled(diagnostic: Diagnostic, text: str) -> Text:
    """The same text, coloured."""
    from rich.text import Text

    colour = "red" if diagnostic.severity == "error" else "yellow"
    lines = text.split("\n")
    styled = Text()
    for i, line in enumerate(lines):
        stripped = line.strip()
        style = ""
        if i == 0:
            style = "bold"
        elif stripped and not stripped.strip("^"):
            style = f"bold {colour}"
        elif line.startswith("  fix: "):
            style = "green"
        elif line.startswith("  note: "):
            style = "cyan"
        styled.append(line + ("\n" if i + 1 < len(lines) else ""), style)
    styled.highlight_words([f"{diagnostic.severity}[{diagnostic.code}]"], colour)
    return styled


def as_json(diagnostic: Diagnostic) -> dict[str, Any]:
    """For programs. Lines and columns count from 1, columns in characters; ends are exclusive."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "place": _place(diagnostic.span),
        "row": diagnostic.row,
        "column": diagnostic.column,
        "notes": list(diagnostic.notes),
        "fixes": [
            {
                "message": fix.message,
                "edits": [{"place": _place(e.span), "text": e.text} for e in fix.edits],
            }
            for fix in diagnostic.fixes
        ],
    }


def as_github(diagnostic: Diagnostic) -> str:
    """
    As a workflow command, which GitHub shows as an annotation of the line.

    >>> print(as_github(Diagnostic("E201", "50% too large,\\nalas")))
    ::error title=E201::50%25 too large,%0Aalas
    """
    properties: dict[str, str] = {}
    if diagnostic.span:
        place = _end(diagnostic.span)
        properties["file"] = diagnostic.span.source.name
        properties["line"] = str(diagnostic.span.line)
        properties["endLine"] = str(place.line)
        # GitHub shows columns only of a finding within one line.
        if place.line == diagnostic.span.line:
            properties["col"] = str(diagnostic.span.column)
            properties["endColumn"] = str(place.column)
    properties["title"] = diagnostic.code
    listed = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    notes = [f"note: {note}" for note in diagnostic.notes]
    fixes = [f"fix: {fix.message}" for fix in diagnostic.fixes]
    message = "\n".join([f"{diagnostic.where()}{diagnostic.message}", *notes, *fixes])
    return f"::{diagnostic.severity} {listed}::{_escaped(message)}"


def _escaped(text: str, also: str = "") -> str:
    """What would end a command, or a property of it, as GitHub's percent codes."""
    for character in f"%\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _place(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    end = _end(span)
    return {
        "file": span.source.name,
        "line": span.line,
        "column": span.column,
        "end_line": end.line,
        "end_column": end.column,
    }


def _end(span: Span) -> Span:
    """The empty span just behind a span."""
    return Span(span.source, span.end, span.end)
