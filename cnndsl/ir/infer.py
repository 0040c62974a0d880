"""The type of every value of a graph."""

from __future__ import annotations

from collections.abc import Mapping

from cnndsl.errors import CnnError, LimitError, ShapeError
from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Node
from cnndsl.limits import Limits
from cnndsl.types import TensorType

Types = Mapping[str, TensorType]


def operand_types(node: Node, types: Types) -> tuple[TensorType, ...]:
    """The types of what a node's operator reads."""
    return tuple(types[name] for name in node.own_inputs)


def infer_node(node: Node, types: Types, limits: Limits | None = None) -> TensorType:
    """
    The type of one node's result.

    The operator's refusal is raised at the node's row and place, with the operands' types.
    """
    operands = operand_types(node, types)
    try:
        if not node.op.takes(len(operands)):
            named = f"{len(operands)} {'is' if len(operands) == 1 else 'are'} named"
            fewer = len(operands) < node.op.operands
            others = [*node.inputs, *["ROW"] * (node.op.operands - len(operands))]
            raise ShapeError(
                f"{node.op.row_type} reads {node.op.operand_words()}, and {named}",
                column="from",
                fixes=[f"from={','.join(others if fewer else others[: node.op.operands])}"],
            )
        result = node.op.infer(*operands)
        _check_dimensions(result, limits or Limits())
    except CnnError as error:
        known = [f"{name} is {types[name].describe()}" for name in node.inputs]
        raise error.at(node.span, node.row, notes=known) from None
    return result


def infer_types(graph: Graph, limits: Limits | None = None) -> dict[str, TensorType]:
    """The type of every node's result, by name. Raises what the operators raise, placed."""
    types: dict[str, TensorType] = {}
    for node in graph.nodes:
        types[node.name] = infer_node(node, types, limits)
    return types


def _check_dimensions(result: TensorType, limits: Limits) -> None:
    largest = max(result.shape)
    if largest > limits.dimension:
        raise LimitError(
            f"a dimension of {largest:,} is larger than the limit of {limits.dimension:,}",
            code="E303",
        )
