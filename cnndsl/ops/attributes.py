"""
What an operator is given: its attributes, declared once.

An operator is a frozen dataclass whose fields are declared with `attribute(kind, ...)`. The
frontend, the formatter, `explain` and the graph's text all work from these declarations: no list of
an operator's attributes stands anywhere else.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass, field, fields
from typing import Any

from cnndsl.ops.kinds import Kind


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of an operator, as its table and its options know it."""

    name: str
    kind: Kind
    doc: str
    required: bool
    default: Any
    aliases: tuple[str, ...] = ()
    group: str = ""


def attribute(
    kind: Kind,
    doc: str,
    default: Any = MISSING,
    aliases: tuple[str, ...] = (),
    group: str = "",
) -> Any:
    """
    Declare a dataclass field as an attribute.

    `doc` says what it means in one line. Without a `default` it must be given. `aliases` are other
    names that it may be given by. Of the attributes of a `group` exactly one must be given (their
    default is None).
    """
    metadata = {"kind": kind, "doc": doc, "aliases": aliases, "group": group}
    if default is MISSING:
        return field(metadata=metadata)
    return field(default=default, metadata=metadata)


def attributes_of(op: type[Any]) -> tuple[Attribute, ...]:
    """The attributes of an operator class, in the order of their declaration."""
    return tuple(
        Attribute(
            f.name,
            f.metadata["kind"],
            f.metadata["doc"],
            f.default is MISSING,
            None if f.default is MISSING else f.default,
            f.metadata["aliases"],
            f.metadata["group"],
        )
        for f in fields(op)
        if "kind" in f.metadata
    )
