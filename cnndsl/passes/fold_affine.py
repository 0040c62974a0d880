"""Draw what scales and shifts maps into the weights before it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import Types, infer_types
from cnndsl.ir.node import Folded, Node
from cnndsl.ops.add import Add
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.constant import Constant
from cnndsl.ops.mul import Mul
from cnndsl.ops.rescalable import Rescalable
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class FoldAffine(Pass):
    """
    Spare a batch normalization, a scale or a shift its pass over memory.

    rewrite:
        y = op(x); z = batchnorm(y)   or   z = mul(y, c)   or   z = add(y, c), nobody else reading y
          -->
        y = op(x) * batchnorm   or   * mul   or   * add
    where op is linear in its weight and adds a bias (conv, depthwise, dense, convtranspose) and has
    no epilogue, and c is a constant with one number for each map of y. All parameters keep their
    names; `ir.bind` computes from them `weight * scale` and `bias * scale + shift`, once, when the
    network is made ready to run.
    exact: up to rounding, since the factor goes into each product instead of into their sum.
    """

    name: ClassVar[str] = "fold-affine"

    def run(self, graph: Graph) -> Graph:
        types = infer_types(graph)
        nodes = {node.name: node for node in graph.nodes}
        readers = graph.readers()
        folded: dict[str, Node] = {}
        dropped: dict[str, str] = {}
        for node in graph.nodes:
            found = _folded(node, nodes, types)
            if found is None or node.inputs != node.own_inputs:
                continue
            read, behind = found
            # One before this one may already be in the node before both.
            name = dropped.get(read, read)
            producer = folded.get(name, nodes[name])
            read_once = len(readers[read]) == 1 and read not in graph.outputs
            if read_once and isinstance(producer.op, Rescalable) and not producer.epilogue:
                all_folded = (*producer.folded, behind)
                folded[name] = replace(producer, folded=all_folded, epilogue=node.epilogue)
                dropped[node.name] = name
        if not folded:
            return graph
        constants = {
            name
            for node in dropped
            for name in nodes[node].inputs
            if isinstance(nodes[name].op, Constant)
        }
        return graph.rewritten(folded, dropped).without_unread(constants)


def _folded(node: Node, nodes: Mapping[str, Node], types: Types) -> tuple[str, Folded] | None:
    """What a node reads, and what it does to it, if that is to scale and shift maps."""
    if isinstance(node.op, BatchNorm):
        return node.inputs[0], Folded(node.prefix, node.op)
    if not isinstance(node.op, Mul | Add) or len(node.inputs) != 2:
        return None
    for read, name in (node.inputs, reversed(node.inputs)):
        constant, value = nodes[name], types[name]
        a_number_a_map = value.size in (1, value.maps) and types[read] == types[node.name]
        if isinstance(constant.op, Constant) and a_number_a_map:
            return read, Folded(node.prefix, node.op, constant.recipe)
    return None
