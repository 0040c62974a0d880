"""An operator as text and back: `conv maps=96 kernel=11x11 stride=4`."""

from __future__ import annotations

from shlex import quote, split
from typing import TypeVar

from cnndsl.errors import ValueRefused
from cnndsl.ops.attributes import attributes_of
from cnndsl.ops.base import Op
from cnndsl.ops.kinds import shown

T = TypeVar("T", bound=Op)


def format_op(op: Op) -> str:
    """
    The operator's type and the attributes that differ from their defaults.

    >>> format_op(parse_op("conv kernel=3 maps=8 padding=same stride=1"))
    'conv maps=8 kernel=3x3 padding=same'
    """
    words = [op.row_type]
    for attribute in attributes_of(type(op)):
        value = getattr(op, attribute.name)
        if attribute.required or value != attribute.default:
            words.append(f"{attribute.name}={quote(attribute.kind.format(value))}")
    return " ".join(words)


def parse_op(text: str) -> Op:
    """The operator that `format_op` wrote. Raises `ValueRefused`."""
    # Imported here: who knows which operator it is needs no other.
    from cnndsl.ops.registry import OPERATORS

    row_type, *_ = _words(text)
    operator = OPERATORS.get(row_type)
    if operator is None:
        raise ValueRefused(f"{shown(row_type)} is not an operator")
    return parse_as(operator, text)


def parse_as(operator: type[T], text: str) -> T:
    """The operator of that class that `format_op` wrote. Raises `ValueRefused`."""
    row_type, *options = _words(text)
    if row_type != operator.row_type:
        raise ValueRefused(f"{shown(row_type)} is not {operator.row_type}")
    kinds = {attribute.name: attribute.kind for attribute in attributes_of(operator)}
    values: dict[str, object] = {}
    for option in options:
        name, _, value = option.partition("=")
        if name not in kinds:
            raise ValueRefused(f"{shown(name)} is not an attribute of {row_type}")
        if name in values:
            raise ValueRefused(f"{name} is given twice")
        values[name] = kinds[name].parse(value)
    missing = [a.name for a in attributes_of(operator) if a.required and a.name not in values]
    if missing:
        raise ValueRefused(f"{row_type} lacks {', '.join(missing)}")
    return operator(**values)


def _words(text: str) -> list[str]:
    """The words of an operator, its type first. Raises `ValueRefused`."""
    try:
        words = split(text)
    except ValueError:
        words = []
    if not words:
        raise ValueRefused(f"{shown(text)} is not an operator with its attributes")
    return words
