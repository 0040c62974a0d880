"""What a column or an option means for a row of a given type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeAlias

from cnndsl.ops.activation import Activation
from cnndsl.ops.attributes import Attribute, Extent, Kind, attributes_of, parse_count
from cnndsl.ops.base import Op
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.registry import OPERATORS

Role: TypeAlias = Literal["attribute", "common", "claim"]


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

    An `attribute` is one of the operator's own; `common` are those of every row: `from` names the
    rows that are read, `activation` and `dropout` follow the operator; a `claim` says what the
    result must be. `name` is canonical: the attribute's where an alias of it is written.
    """

    name: str
    kind: Kind
    role: Role
    attribute: Attribute | None = None


def _only_attribute(operator: type[Op]) -> Kind:
    (attribute,) = attributes_of(operator)
    return attribute.kind


_COMMON = {
    "from": Slot("from", Names(), "common"),
    "activation": Slot("activation", _only_attribute(Activation), "common"),
    "dropout": Slot("dropout", _only_attribute(Dropout), "common"),
}
_CLAIMS = {
    "maps": Slot("maps", Total(), "claim"),
    "size": Slot("size", Extent(), "claim"),
    "params": Slot("params", Total(), "claim"),
    "macs": Slot("macs", Total(), "claim"),
}


def slot_of(operator: type[Op] | None, name: str, *, column: bool) -> Slot | None:
    """
    What `name` means for that operator, as a column or as an option; None where it means nothing.

    Of a row whose type is unknown (`operator` is None), what is common to all rows still says
    something.

    An attribute comes before a claim of the same name, but for one thing: a *column* `size` is the
    size of the row's image throughout the table, also in rows whose operator has an option `size`.
    """
    name = name.lower()
    if operator is None:
        return _COMMON.get(name) or _CLAIMS.get(name)
    if column and name == "size" and operator.operands:
        return _CLAIMS["size"]
    attribute = _attributes(operator).get(name)
    if attribute is not None:
        return Slot(attribute.name, attribute.kind, "attribute", attribute)
    if name in _COMMON and operator.operands:
        return _COMMON[name]
    return _CLAIMS.get(name)


def column_names() -> frozenset[str]:
    """Every name that a column may have."""
    return frozenset(name for operator in OPERATORS.values() for name in option_names(operator))


def option_names(operator: type[Op]) -> Iterator[str]:
    """The options of a row type, its own first."""
    yield from _attributes(operator)
    if operator.operands:
        yield from _COMMON
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
