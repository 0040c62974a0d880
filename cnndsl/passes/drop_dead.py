"""Drop what no output depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ops.input import Input
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class DropDead(Pass):
    """
    Spare work that nobody sees.

    rewrite:
        y = op(x), with no output reading y, not even through others
          -->
        nothing
    Inputs stay: callers pass them. So do the parameters of dropped rows, by name: a network's
    weights are those of its table.
    exact: yes.
    """

    name: ClassVar[str] = "drop-dead"

    def run(self, graph: Graph) -> Graph:
        dead = {node.name for node in graph.dead() if not isinstance(node.op, Input)}
        if not dead:
            return graph
        return Graph(tuple(n for n in graph.nodes if n.name not in dead), graph.outputs)
