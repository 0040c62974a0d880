"""Compute once what no image has a say in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from cnndsl.ir.cost import elements, node_params
from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import Types, infer_types
from cnndsl.ir.node import Node
from cnndsl.ops.constant import Constant
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class FoldConstants(Pass):
    """
    Spare each call what is the same in every call.

    rewrite:
        a = constant(); b = constant(); y = op(a, b)
          -->
        y = constant() made of a, b and y
    for any op that reads nothing but constants. All parameters keep their names; `ir.bind` computes
    y from them once, when the network is made ready to run. What the result takes beyond the
    tensors that it stands for may be `most_growth` numbers, a MiB of float32: a small tensor that
    is resized or run through many filters is better computed again.
    exact: up to rounding, since y is computed in float64 and rounded once.
    """

    name: ClassVar[str] = "fold-constants"

    most_growth: int = 1 << 18

    def run(self, graph: Graph) -> Graph:
        types, readers = infer_types(graph), graph.readers()
        constants: dict[str, Node] = {}
        folded: dict[str, Node] = {}
        read: set[str] = set()
        for node in graph.nodes:
            if isinstance(node.op, Constant):
                constants[node.name] = node
            elif node.inputs and constants.keys() >= {*node.inputs} and _is_plain(node):
                alone = [
                    name
                    for name in dict.fromkeys(node.inputs)
                    if name not in graph.outputs
                    and all(reader.name == node.name for reader in readers[name])
                ]
                replaced = sum(types[name].size for name in alone)
                replaced += sum(map(elements, node_params(node, types).values()))
                if types[node.name].size - replaced <= self.most_growth:
                    folded[node.name] = constants[node.name] = _made(node, constants, types)
                    read.update(node.inputs)
        return graph.rewritten(folded).without_unread(read) if folded else graph


def _is_plain(node: Node) -> bool:
    return not (node.epilogue or node.folded)


def _made(node: Node, constants: Mapping[str, Node], types: Types) -> Node:
    """The node as a constant, made of what its operands are made of."""
    parts = dict.fromkeys(part for name in node.inputs for part in constants[name].recipe)
    result = types[node.name]
    op = Constant(result.maps, result.height_width if result.is_image else None)
    return replace(node, op=op, inputs=(), made_of=(*parts, node))
