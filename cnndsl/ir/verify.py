"""What every graph must satisfy, before and after every pass."""

from __future__ import annotations

from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.base import Op
from cnndsl.ops.constant import Constant
from cnndsl.ops.rescalable import Rescalable


class InvalidGraph(Exception):
    """A graph that breaks an invariant: a mistake in this package, never the user's."""


def verify(graph: Graph) -> None:
    """Raise `InvalidGraph` for a broken invariant, and what inference raises for wrong types."""
    seen: set[str] = set()
    for node in graph.nodes:
        if node.name in seen:
            raise InvalidGraph(f"{node.name} is defined twice")
        unknown = [name for name in node.inputs if name not in seen]
        if unknown:
            raise InvalidGraph(f"{node.name} reads {', '.join(unknown)}, not defined before it")
        if not all(map(_is_elementwise, node.epilogue)):
            raise InvalidGraph(f"{node.name} has an epilogue that is not elementwise")
        if node.folded and not isinstance(node.op, Rescalable):
            raise InvalidGraph(f"nothing can be folded into {node.name}")
        if node.made_of and not isinstance(node.op, Constant):
            raise InvalidGraph(f"{node.name} is no constant that could be made of others")
        seen.add(node.name)
    if not graph.outputs or not set(graph.outputs) <= seen:
        raise InvalidGraph("the outputs are missing or undefined")
    if not graph.inputs:
        raise InvalidGraph("the graph has no input")
    types = infer_types(graph)
    for node in graph.nodes:
        extras = node.inputs[len(node.own_inputs) :]
        if any(types[name] != types[node.name] for name in extras):
            raise InvalidGraph(f"{node.name} has an epilogue that reads tensors of another shape")


def _is_elementwise(op: Op) -> bool:
    return isinstance(op, Add) or (isinstance(op, Activation) and op.function.elementwise)
