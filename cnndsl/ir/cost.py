"""What a graph costs: parameters, multiply-accumulates, memory."""

from __future__ import annotations

from cnndsl.errors import LimitError
from cnndsl.ir.bind import declared_params
from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import Types, operand_types
from cnndsl.ir.node import Node
from cnndsl.limits import Limits, format_bytes
from cnndsl.ops.base import Param

FLOAT = 4
"""Bytes of a float32."""


def node_params(node: Node, types: Types) -> dict[str, Param]:
    """A node's parameters by their full name, `C1.weight`."""
    return declared_params(node, operand_types(node, types))


def graph_params(graph: Graph, types: Types) -> dict[str, Param]:
    """All parameters by their full name, in the order of the rows."""
    return {name: param for node in graph.nodes for name, param in node_params(node, types).items()}


def node_macs(node: Node, types: Types) -> int:
    """A node's multiply-accumulates for one image."""
    return node.op.macs(*operand_types(node, types))


def peak_activations(graph: Graph, types: Types) -> int:
    """
    The largest sum of elements of values alive at one step, for one image.

    It is a lower bound of what a plan needs. An operator that works in place takes the memory of
    its first operand where nobody reads that later, so it counts nothing.
    """
    last_read = {node.name: i for i, node in enumerate(graph.nodes)}
    for i, node in enumerate(graph.nodes):
        last_read.update(dict.fromkeys(node.inputs, i))
    last_read.update(dict.fromkeys(graph.outputs, len(graph.nodes)))
    alive: dict[str, int] = {}
    peak = 0
    for i, node in enumerate(graph.nodes):
        size = types[node.name].size
        first = node.inputs[0] if node.inputs and node.op.in_place else None
        if first is not None and last_read[first] == i and types[first].size == size:
            del alive[first]
        alive[node.name] = size
        peak = max(peak, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last_read[name] > i}
    return peak


def check_memory(graph: Graph, types: Types, limits: Limits) -> None:
    """Raise `LimitError` where weights and activations, padding included, exceed the limit."""
    weights = sum(
        elements(param) * FLOAT
        for node in graph.nodes
        for param in node_params(node, types).values()
    )
    largest_read = max(n.op.operand_size(*operand_types(n, types)) for n in graph.nodes)
    activations = max(peak_activations(graph, types), largest_read) * FLOAT
    if weights + activations <= limits.memory:
        return
    worst = max(graph.nodes, key=lambda node: _node_size(node, types))
    raise LimitError(
        f"the network needs {format_bytes(weights + activations)} "
        f"({format_bytes(weights)} of weights, {format_bytes(activations)} of activations), "
        f"and the limit is {format_bytes(limits.memory)}",
        span=worst.span,
        row=worst.row,
        notes=["this row is the largest"],
        fixes=["raise the limit, e.g. --max-memory 32G, or limits=Limits(memory=...) in Python"],
    )


def _node_size(node: Node, types: Types) -> int:
    """Elements that a node reads, keeps as weights and writes."""
    weights = sum(map(elements, node_params(node, types).values()))
    return node.op.operand_size(*operand_types(node, types)) + weights + types[node.name].size


def elements(param: Param) -> int:
    """Numbers that a parameter takes in memory, those fixed to zero included."""
    count = 1
    for side in param.shape:
        count *= side
    return count
