"""A row whose words have got their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cnndsl.frontend.row_types import Block
from cnndsl.frontend.syntax import RowLine, Word
from cnndsl.ir.network import Use
from cnndsl.ops.activation import Activation
from cnndsl.ops.base import Op
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.input import Input
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
class Expansion:
    """
    What a row became whose type is a block.

    `parts` are the rows that the block's own became, by name; of a repeated block, each repetition.
    `result` is the row whose result is that of the block.
    """

    parts: tuple[str, ...]
    result: str


@dataclass(frozen=True, slots=True)
class TypedRow:
    """
    One row, as far as it could be read.

    Its `name` is its address: `R1.c2` for the row c2 of the block that R1 uses; `uses` are those
    blocks, the innermost last. `op` is None where the type or an attribute could not be read.
    `given` holds attributes, arguments of a block, and what is common to rows, `claims` the claims,
    both by canonical name. `source_words` are the names behind `from`; `sources` is what the row
    reads, None where that is unknown. `line` is None for a line that could not be read at all.

    A row whose type is a `block` has no operator. It stands behind the rows of its `expansion`.
    """

    name: str
    span: Span
    line: RowLine | None = None
    operator: type[Op] | None = None
    block: Block | None = None
    op: Op | None = None
    norm: BatchNorm | None = None
    activation: Activation | None = None
    dropout: Dropout | None = None
    given: Mapping[str, Given] = field(default_factory=_nothing)
    claims: Mapping[str, Given] = field(default_factory=_nothing)
    source_words: tuple[Word, ...] = ()
    sources: tuple[str, ...] | None = None
    uses: tuple[Use, ...] = ()
    expansion: Expansion | None = None

    @property
    def row_type(self) -> str:
        """What the row is of, for a message."""
        if self.block is not None:
            return self.block.name
        return "" if self.operator is None else self.operator.row_type

    @property
    def is_input(self) -> bool:
        """Whether images enter the network here."""
        return self.operator is not None and issubclass(self.operator, Input)

    @property
    def notes(self) -> tuple[str, ...]:
        """Of a row in a block, which rows have expanded it, the innermost first."""
        return tuple(str(use) for use in reversed(self.uses))

    @property
    def cells(self) -> dict[str, Span]:
        """The place of everything given, by name. An attribute hides a claim of its name."""
        return {name: g.word.span for name, g in {**self.claims, **self.given}.items()}


def row_span(line: RowLine) -> Span:
    """From a row's name to the last word on its own line, comment aside."""
    words = [line.name, *line.cells, *(option.value for option in line.options)]
    end = max(w.span.end for w in words if w.span.end <= line.span.end)
    return Span(line.span.source, line.name.span.start, end)
