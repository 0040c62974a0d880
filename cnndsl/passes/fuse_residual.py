"""Add a shortcut where the other summand is produced."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Node
from cnndsl.ops.add import Add
from cnndsl.ops.rescalable import Rescalable
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class FuseResidual(Pass):
    """
    Spare a residual sum its pass over memory.

    rewrite:
        y = op(x); z = add(y, s), nobody else reading y
          -->
        y = op(x, s) |> add
    where op is a convolution or a dense layer without an epilogue, at the place of the sum; of two
    that are, the later one. The epilogue's add reads the last of the node's inputs.
    exact: yes, two numbers have one sum in either order.

    A target must know epilogues that read memory, so the pipeline leaves this to targets that do.
    """

    name: ClassVar[str] = "fuse-residual"

    def run(self, graph: Graph) -> Graph:
        places = {node.name: place for place, node in enumerate(graph.nodes)}
        readers = graph.readers()
        moved: set[str] = set()
        fused: dict[str, Node] = {}
        for node in graph.nodes:
            if not isinstance(node.op, Add) or len(node.inputs) != 2:
                continue
            for name in sorted(node.inputs, key=places.__getitem__, reverse=True):
                producer = graph.nodes[places[name]]
                read_once = len(readers[name]) == 1 and name not in graph.outputs
                if read_once and isinstance(producer.op, Rescalable) and not producer.epilogue:
                    moved.add(name)
                    fused[node.name] = _fused(producer, node)
                    break
        if not fused:
            return graph
        nodes = [fused.get(node.name, node) for node in graph.nodes if node.name not in moved]
        renamed = {name: node.name for name, node in fused.items()}
        return Graph(tuple(nodes), graph.outputs).renamed(renamed)


def _fused(producer: Node, add: Node) -> Node:
    (shortcut,) = (name for name in add.inputs if name != producer.name)
    return replace(
        producer,
        inputs=(*producer.inputs, shortcut),
        epilogue=(add.op, *add.epilogue),
    )
