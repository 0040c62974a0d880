"""What a row can be of: an operator, or a block of rows that a text declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from cnndsl.errors import Fix
from cnndsl.frontend.suggest import TYPE_NAMES, did_you_mean
from cnndsl.frontend.syntax import BlockLine, TableRow, Word
from cnndsl.frontend.vocabulary import ROW_TYPES
from cnndsl.ops.base import Op
from cnndsl.ops.functions import FUNCTIONS
from cnndsl.ops.kinds import Kind
from cnndsl.ops.registry import OPERATORS
from cnndsl.source import Span

_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Column:
    """
    A column behind `type`.

    `name` is what it means, also where that is only guessed from a misspelt `word`; None where it
    is unknown, and its cells mean nothing.
    """

    word: Word
    name: str | None


@dataclass(frozen=True, slots=True)
class Parameter:
    """
    A parameter of a block. Without a `default` it must be given.

    `kind` is that of the first attribute, or else claim, that it alone is the value of.
    """

    name: str
    kind: Kind
    default: Word | None = None


@dataclass(frozen=True, slots=True)
class Block:
    """
    Rows that stand for one: `block Bottleneck(maps, stride=1) ... end`.

    Its first row reads what a row of its type reads, called `in` among its rows; the last row's
    result is its own. `types` are the row types that its rows may have, `place` counts the blocks
    declared before it.
    """

    name: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    types: RowTypes
    place: int
    span: Span

    def parameter(self, name: str) -> Parameter | None:
        """The parameter of that name."""
        return next((p for p in self.parameters if p.name == name), None)


RowType: TypeAlias = type[Op] | Block


def type_name(row_type: RowType) -> str:
    """What a row type is called in a text."""
    return row_type.name if isinstance(row_type, Block) else row_type.row_type


@dataclass(frozen=True, slots=True)
class RowTypes:
    """
    The types that a row may have: all operators, and blocks.

    `blocks` are all of a text, by name and in order. A row of the block `own` may be of the first
    `count` of them, those declared above it; of `below` it may not be. A row of the network's own
    table may be of any.
    """

    blocks: Mapping[str, Block] = field(repr=False, compare=False)
    own: str = ""
    count: int = 0
    below: Mapping[str, BlockLine] = field(
        default_factory=dict[str, BlockLine], repr=False, compare=False
    )

    def find(self, text: str) -> RowType | None:
        """The type of that name. Blocks are told apart by case, operators are not."""
        block = self.blocks.get(text)
        return block if block and self._above(block) else OPERATORS.get(text.lower())

    def why_not(self, text: str) -> str:
        """Why no row can be of that type, or nothing where it is simply unknown."""
        if text == self.own:
            return f"a row of the block {text} cannot be of type {text} itself"
        if text in self.below:
            line = self.below[text].span.line
            return (
                f"the block {text} is declared below, in line {line}: the rows of a block are of "
                "blocks declared above it"
            )
        return ""

    def suggest(self, word: Word) -> list[Fix | str]:
        """What a word that is no type was probably meant to be, or else what there is."""
        above = [block.name for block in self.blocks.values() if self._above(block)]
        known = [*above, *OPERATORS]
        if word.text == self.own:
            return ["repeat=N in the row that uses the block stacks it"]
        if word.text in self.below:
            return [f"move the block {word.text} above this one"]
        called = ROW_TYPES.find(word.text)
        if called is None and word.text.lower() in FUNCTIONS:
            return [f"activation {word.text.lower()} in the row above, or activation as the type"]
        if word.text.lower() in ("output", "out"):
            return ["the last row is the output: delete this one, or name rows behind `outputs`"]
        synonyms = TYPE_NAMES if called is None else {word.text.lower(): called}
        shown = ", ".join([*above[:_MOST_NAMED], *OPERATORS])
        return [*did_you_mean(word, known, synonyms)] or [f"one of {shown}"]

    def _above(self, block: Block) -> bool:
        return not self.own or block.place < self.count
