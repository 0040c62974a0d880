"""Changes to a text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cnndsl.errors import Edit
from cnndsl.frontend.typed_row import TypedRow
from cnndsl.source import Source, Span


def set_value(row: TypedRow, name: str, text: str, *, claim: bool = False) -> Edit:
    """The edit that gives an attribute or a claim of a row another value, wherever it stands."""
    given = (row.claims if claim else row.given).get(name)
    if given is not None:
        return Edit(given.word.span, text)
    end = Span(row.span.source, row.span.end, row.span.end)
    return Edit(end, f" {name}={text}")


def apply_edits(source: Source, edits: Iterable[Edit]) -> Source:
    """The text with edits done that do not overlap."""
    text = source.text
    for edit in sorted(edits, key=lambda edit: edit.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return replace(source, text=text)
