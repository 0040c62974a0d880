"""Apply an elementwise activation where its operand is produced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class FuseActivation(Pass):
    """
    Spare a pass over memory.

    rewrite:
        y = op(x); z = activation(y), nobody else reading y
          -->
        y = op(x) |> activation
    where op computes (an input, a flatten or a concat only moves cells), the activation looks at
    one cell at a time, and op has no activation in its epilogue yet.
    exact: yes, the same function of the same cells.
    """

    name: ClassVar[str] = "fuse-activation"

    def run(self, graph: Graph) -> Graph:
        fused: dict[str, Node] = {}
        dropped: dict[str, str] = {}
        readers = graph.readers()
        nodes = {node.name: node for node in graph.nodes}
        for node in graph.nodes:
            if not _is_elementwise(node) or node.epilogue:
                continue
            producer = nodes[node.inputs[0]]
            read_once = len(readers[producer.name]) == 1 and producer.name not in graph.outputs
            if read_once and _takes_epilogue(producer):
                fused[producer.name] = replace(producer, epilogue=(*producer.epilogue, node.op))
                dropped[node.name] = producer.name
        return graph.rewritten(fused, dropped) if fused else graph


def _is_elementwise(node: Node) -> bool:
    return isinstance(node.op, Activation) and node.op.function.elementwise


def _takes_epilogue(node: Node) -> bool:
    has_one = any(isinstance(op, Activation) for op in (node.op, *node.epilogue))
    return not (node.op.moves or has_one)
