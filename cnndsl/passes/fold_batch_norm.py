"""Draw batch normalizations into the weights before them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Folded, Node
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.rescalable import Rescalable
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class FoldBatchNorm(Pass):
    """
    Spare a batch normalization its pass over memory.

    rewrite:
        y = op(x); z = batchnorm(y), nobody else reading y
          -->
        y = op(x) * batchnorm
    where op is linear in its weight and adds a bias (conv, depthwise, dense, convtranspose) and has
    no epilogue. All parameters keep their names; `ir.bind` computes from them
    `weight * scale` and `bias * scale + shift`, once, when the network is made ready to run.
    exact: up to rounding, since the factor goes into each product instead of into their sum.
    """

    name: ClassVar[str] = "fold-batch-norm"

    def run(self, graph: Graph) -> Graph:
        nodes = {node.name: node for node in graph.nodes}
        readers = graph.readers()
        folded: dict[str, Node] = {}
        dropped: dict[str, str] = {}
        for node in graph.nodes:
            if not isinstance(node.op, BatchNorm):
                continue
            read = node.inputs[0]
            # A normalization before this one may already be in the node before both.
            name = dropped.get(read, read)
            producer = folded.get(name, nodes[name])
            read_once = len(readers[read]) == 1 and read not in graph.outputs
            if read_once and isinstance(producer.op, Rescalable) and not producer.epilogue:
                behind = (*producer.folded, Folded(node.prefix, node.op))
                folded[name] = replace(producer, folded=behind, epilogue=node.epilogue)
                dropped[node.name] = name
        return graph.rewritten(folded, dropped) if folded else graph
