"""What a row becomes in the graph, and what follows from what it reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

from cnndsl.errors import CnnError, Diagnostic, Fix
from cnndsl.frontend.edits import set_value
from cnndsl.frontend.typed_row import TypedRow
from cnndsl.ir.cost import node_macs, node_params
from cnndsl.ir.infer import infer_node, operand_types
from cnndsl.ir.node import Node
from cnndsl.limits import Limits
from cnndsl.ops.base import Op, Param
from cnndsl.ops.flatten import Flatten
from cnndsl.types import TensorType

Operands: TypeAlias = tuple[tuple[str, TensorType], ...]
"""What a row reads: names, of rows or of nodes, and their types."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    A row's nodes and what they make of its operands.

    `operands` are those of the row's own node, after a flattening before it. `params` are by full
    name.
    """

    nodes: tuple[Node, ...]
    operands: tuple[TensorType, ...]
    result: TensorType
    params: Mapping[str, Param]
    macs: int

    @property
    def param_count(self) -> int:
        """Numbers that the row's weights hold."""
        return sum(param.count for param in self.params.values())


def make_outcome(row: TypedRow, operands: Operands, limits: Limits) -> Outcome:
    """
    The nodes of a row that reads `operands`.

    A reader of vectors gets a flattening before it where it reads an image; the normalization, the
    activation and the dropout follow, in this order. Raises what the operators raise, at the cell
    that it is about.
    """
    assert row.op is not None
    nodes: list[Node] = []
    inputs: list[str] = []
    for name, operand in operands:
        if row.op.reads == "vector" and operand.is_image:
            nodes.append(Node(f"{row.name}.flatten", _flatten(row.op), (name,), row.name, row.span))
            inputs.append(nodes[-1].name)
        else:
            inputs.append(name)
    nodes.append(Node(row.name, row.op, tuple(inputs), row.name, row.span))
    for column, name, op in _followers(row):
        span = row.cells.get(column, row.span)
        part = name if op is row.norm else ""
        nodes.append(Node(f"{row.name}.{name}", op, (nodes[-1].name,), row.name, span, part=part))
    types = dict(operands)
    read: tuple[TensorType, ...] = ()
    params: dict[str, Param] = {}
    macs = 0
    try:
        for node in nodes:
            result = infer_node(node, types, limits)
            params |= node_params(node, types)
            macs += node_macs(node, types)
            if node.name == row.name:
                read = operand_types(node, types)
            # Last: a row may read one of its own name, which is an error elsewhere.
            types[node.name] = result
    except CnnError as error:
        raise type(error).of(_at_cell(d, row) for d in error.diagnostics) from None
    return Outcome(tuple(nodes), read, types[nodes[-1].name], params, macs)


def sum_outcome(parts: Sequence[Outcome], operand: TensorType, result: TensorType) -> Outcome:
    """What a row of the type of a block comes to, which reads `operand`: the sum of its parts."""
    params = {name: param for part in parts for name, param in part.params.items()}
    return Outcome((), (operand,), result, params, sum(part.macs for part in parts))


def _flatten(op: Op) -> Flatten:
    """The flattening before a reader of vectors, in the order that its own attribute says."""
    return Flatten(getattr(op, "flatten", "hwc"))


def _followers(row: TypedRow) -> list[tuple[str, str, Op]]:
    """The operators behind the row's own, as column, node name and operator."""
    found: list[tuple[str, str, Op]] = []
    if row.norm is not None:
        found.append(("norm", "norm", row.norm))
    if row.activation is not None:
        found.append(("activation", row.activation.name, row.activation))
    if row.dropout is not None:
        found.append(("dropout", "dropout", row.dropout))
    return found


def _at_cell(diagnostic: Diagnostic, row: TypedRow) -> Diagnostic:
    """An operator's finding at the cell of the attribute that it names, with exact fixes."""
    cell = row.cells.get(diagnostic.column or "")
    fixes = [
        Fix(fix.message, tuple(set_value(row, name, text) for name, text in fix.sets), fix.sets)
        for fix in diagnostic.fixes
    ]
    return replace(diagnostic, span=cell or diagnostic.span, fixes=tuple(fixes))
