"""Compute once what is computed several times from the same cells."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types, operand_types
from cnndsl.ir.node import Node
from cnndsl.ops.input import Input
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class MergeCommon(Pass):
    """
    Spare a computation that has been done.

    rewrite:
        y = op(x); z = op(x)
          -->
        y = op(x), and whoever read z reads y
    where op has no parameters: those of two rows are two, even if a file makes them equal.
    exact: yes, the same cells are computed by the same operator.
    """

    name: ClassVar[str] = "merge-common"

    def run(self, graph: Graph) -> Graph:
        types = infer_types(graph)
        first: dict[Node, str] = {}
        dropped: dict[str, str] = {}
        for node in graph.nodes:
            if isinstance(node.op, Input) or node.op.params(*operand_types(node, types)):
                continue
            inputs = tuple(dropped.get(name, name) for name in node.inputs)
            # Two nodes are the same computation when all but their names and places agree.
            plain = replace(node, name="", row="", span=None, inputs=inputs)
            if first.setdefault(plain, node.name) != node.name:
                dropped[node.name] = first[plain]
        return graph.rewritten({}, dropped) if dropped else graph
