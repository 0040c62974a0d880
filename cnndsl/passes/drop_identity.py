"""Drop operators that pass their operand on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.dropout import Dropout
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class DropIdentity(Pass):
    """
    Spare a copy.

    rewrite:
        y = dropout(x); z = op(y)   or   y = linear(x); z = op(y)
          -->
        z = op(x)
    exact: yes, at inference both are the identity.
    """

    name: ClassVar[str] = "drop-identity"

    def run(self, graph: Graph) -> Graph:
        dropped = {node.name: node.inputs[0] for node in graph.nodes if _is_identity(node)}
        return graph.rewritten({}, dropped) if dropped else graph


def _is_identity(node: Node) -> bool:
    linear = isinstance(node.op, Activation) and node.op.activation == "linear"
    return (linear or isinstance(node.op, Dropout)) and not node.epilogue
