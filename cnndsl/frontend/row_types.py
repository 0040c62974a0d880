"""What a row can be of: an operator, or a block of rows that a text declares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from cnndsl.errors import Fix
from cnndsl.frontend.suggest import TYPE_NAMES, did_you_mean
from cnndsl.frontend.syntax import TableRow, Word
from cnndsl.ops.attributes import Kind
from cnndsl.ops.base import Op
from cnndsl.ops.registry import OPERATORS
from cnndsl.source import Span


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
    result is its own. `types` are the row types that its rows may have.
    """

    name: str
    parameters: tuple[Parameter, ...]
    columns: tuple[Column, ...]
    rows: tuple[TableRow, ...]
    types: RowTypes
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
    The types that a row may have: all operators, and the `blocks` declared above it.

    `others` are blocks that it may not be of, with the reason.
    """

    blocks: Mapping[str, Block]
    others: Mapping[str, str]

    def find(self, text: str) -> RowType | None:
        """The type of that name. Blocks are told apart by case, operators are not."""
        return self.blocks.get(text) or OPERATORS.get(text.lower())

    def why_not(self, text: str) -> str:
        """Why no row can be of that type, or nothing where it is simply unknown."""
        return self.others.get(text, "")

    def suggest(self, word: Word) -> list[Fix | str]:
        """What a word that is no type was probably meant to be, or else what there is."""
        known = [*self.blocks, *OPERATORS]
        return [*did_you_mean(word, known, TYPE_NAMES)] or [f"one of {', '.join(known)}"]
