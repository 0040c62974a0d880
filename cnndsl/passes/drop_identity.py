"""Drop operators that pass their operand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import Types, infer_types, operand_types
from cnndsl.ir.node import Node
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class DropIdentity(Pass):
    """
    Spare a copy.

    rewrite:
        y = op(x); z = other(y)
          -->
        z = other(x)
    where op passes its operand on at inference: dropout, linear, a pad of nothing, a slice of
    everything, a shuffle of one group, a reshape to the same shape, a resize to the same size, a
    mean or a maximum of single cells.
    exact: yes, the cells are the same.
    """

    name: ClassVar[str] = "drop-identity"

    def run(self, graph: Graph) -> Graph:
        types = infer_types(graph)
        dropped = {node.name: node.inputs[0] for node in graph.nodes if _is_identity(node, types)}
        return graph.rewritten({}, dropped) if dropped else graph


def _is_identity(node: Node, types: Types) -> bool:
    return not node.epilogue and node.op.passes_on(*operand_types(node, types))
