"""What a column or an option means for a row of a given type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

from cnndsl.frontend.row_types import Block, RowType
from cnndsl.ops.activation import Activation
from cnndsl.ops.attributes import Attribute, attributes_of
from cnndsl.ops.base import Op
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.kinds import Count, Extent, Kind, Text, parse_count
from cnndsl.ops.norm_kind import NormKind
from cnndsl.ops.registry import OPERATORS
from cnndsl.ops.rescalable import Rescalable
from cnndsl.ops.separable import Separable

Role: TypeAlias = Literal["attribute", "argument", "common", "claim"]

RESERVED = ("from", "when", "repeat", "size", "params", "macs")
"""What a parameter of a block cannot be called: a row of any block has these."""


class Names(Kind):
    """Names of rows separated by commas: `c2,sc`."""

    @property
    def expects(self) -> str:
        return "names of rows separated by commas"

    def parse(self, text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        if not all(names):
            raise self.refuse(text, "a name is empty")
        return names

    def format(self, value: tuple[str, ...]) -> str:
        return ",".join(value)


class Total(Kind):
    """A count that is written with commas between thousands: `62,378,344`."""

    @property
    def expects(self) -> str:
        return "a whole number such as 1,516"

    def parse(self, text: str) -> int:
        value = parse_count(text)
        if value is None:
            raise self.refuse(text)
        return value

    def format(self, value: int) -> str:
        return f"{value:,}"


@dataclass(frozen=True, slots=True)
class Slot:
    """
    Where a value goes.

    An `attribute` is one of the operator's own, an `argument` a block's. `common` are those of many
    row types: `from` names the rows that are read, `when` says whether the row is there, `repeat`
    how often, and `norm`, `activation` and `dropout` follow the operator. A `claim` says what the
    result must be. `name` is canonical: the attribute's where an alias of it is written. `required`
    is an attribute or an argument that has no default.
    """

    name: str
    kind: Kind
    role: Role
    attribute: Attribute | None = None
    required: bool = False


def _only_attribute(operator: type[Op]) -> Kind:
    (attribute,) = attributes_of(operator)
    return attribute.kind


_EVERY_ROW = {
    "from": Slot("from", Names(), "common"),
    "when": Slot("when", Text(), "common"),
}
_OPERATORS_ROW = {
    **_EVERY_ROW,
    "activation": Slot("activation", _only_attribute(Activation), "common"),
    "dropout": Slot("dropout", _only_attribute(Dropout), "common"),
}
_NORMALIZED_ROW = {**_OPERATORS_ROW, "norm": Slot("norm", NormKind(), "common")}
_BLOCKS_ROW = {**_EVERY_ROW, "repeat": Slot("repeat", Count(least=0), "common")}
_ANY_ROW = {**_NORMALIZED_ROW, **_BLOCKS_ROW}
_CLAIMS = {
    "maps": Slot("maps", Total(), "claim"),
    "size": Slot("size", Extent(), "claim"),
    "params": Slot("params", Total(), "claim"),
    "macs": Slot("macs", Total(), "claim"),
}


def slot_of(row_type: RowType | None, name: str, *, column: bool) -> Slot | None:
    """
    What `name` means for that type, as a column or as an option; None where it means nothing.

    Of a row whose type is unknown (`row_type` is None), what is common to rows still says
    something.

    An attribute comes before a claim of the same name, but for one thing: a *column* `size` is the
    size of the row's image throughout the table, also in rows whose operator has an option `size`.
    """
    name = name.lower()
    common = _common(row_type).get(name)
    if row_type is None:
        return common or _CLAIMS.get(name)
    if isinstance(row_type, Block):
        parameter = row_type.parameter(name)
        if parameter is not None:
            required = parameter.default is None
            return Slot(name, parameter.kind, "argument", required=required)
        return common or _CLAIMS.get(name)
    if column and name == "size" and row_type.operands:
        return _CLAIMS["size"]
    attribute = _attributes(row_type).get(name)
    if attribute is not None:
        return Slot(
            attribute.name, attribute.kind, "attribute", attribute, required=attribute.required
        )
    return common or _CLAIMS.get(name)


def _common(row_type: RowType | None) -> dict[str, Slot]:
    """What rows of a type have beside their attributes and claims."""
    if row_type is None:
        return _ANY_ROW
    if isinstance(row_type, Block):
        return _BLOCKS_ROW
    if row_type.operands == 0:
        return {}
    return _NORMALIZED_ROW if issubclass(row_type, Rescalable | Separable) else _OPERATORS_ROW


def column_names() -> frozenset[str]:
    """Every name that a column may have, those of the parameters of blocks aside."""
    return frozenset(name for operator in OPERATORS.values() for name in option_names(operator))


def option_names(row_type: RowType) -> Iterator[str]:
    """The options of a row type, its own first."""
    if isinstance(row_type, Block):
        yield from (parameter.name for parameter in row_type.parameters)
    else:
        yield from _attributes(row_type)
    yield from _common(row_type)
    yield from _CLAIMS


def types_with(name: str) -> list[str]:
    """The row types that have an attribute of that name."""
    return [row_type for row_type, operator in OPERATORS.items() if name in _attributes(operator)]


@cache
def _attributes(operator: type[Op]) -> dict[str, Attribute]:
    """An operator's attributes by name and alias."""
    return {
        name: attribute
        for attribute in attributes_of(operator)
        for name in (attribute.name, *attribute.aliases)
    }


def default_text(slot: Slot) -> str | None:
    """The canonical text of an attribute's default, where it has one that can be written."""
    attribute: Any = slot.attribute
    if attribute is None or attribute.required or attribute.default in (None, ()):
        return None
    return attribute.kind.format(attribute.default)
