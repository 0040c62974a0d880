"""A row whose words have got their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.frontend.syntax import RowLine, Word
from cnndsl.ops.activation import Activation
from cnndsl.ops.base import Op
from cnndsl.ops.dropout import Dropout
from cnndsl.source import Span


@dataclass(frozen=True, slots=True)
class Given:
    """
    A value as it stands in the text.

    `value` is None where the text says `-` or `?`. `column` is the header's word for the cell's
    column, or the option's key.
    """

    word: Word
    column: str
    value: Any = None


def _nothing() -> dict[str, Given]:
    return {}


@dataclass(frozen=True, slots=True)
class TypedRow:
    """
    One row, as far as it could be read.

    `op` is None where the type or an attribute could not be read. `given` holds attributes, `from`,
    `activation` and `dropout`, `claims` the claims, both by canonical name. `source_words` are the
    names behind `from`; `sources` is what the row reads, None where that is unknown. `line` is None
    for a line that could not be read at all.
    """

    name: str
    span: Span
    line: RowLine | None = None
    operator: type[Op] | None = None
    op: Op | None = None
    activation: Activation | None = None
    dropout: Dropout | None = None
    given: Mapping[str, Given] = field(default_factory=_nothing)
    claims: Mapping[str, Given] = field(default_factory=_nothing)
    source_words: tuple[Word, ...] = ()
    sources: tuple[str, ...] | None = None

    @property
    def cells(self) -> dict[str, Span]:
        """The place of everything given, by name. An attribute hides a claim of its name."""
        return {name: g.word.span for name, g in {**self.claims, **self.given}.items()}


def row_span(line: RowLine) -> Span:
    """From a row's name to the last word on its own line, comment aside."""
    words = [line.name, *line.cells, *(option.value for option in line.options)]
    end = max(w.span.end for w in words if w.span.end <= line.span.end)
    return Span(line.span.source, line.name.span.start, end)
