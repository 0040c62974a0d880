"""Make two convolutions of a depthwise separable one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Node
from cnndsl.ops.separable import PARTS, Separable
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class SplitSeparable(Pass):
    """
    Let the kernels of its halves run a separable convolution.

    rewrite:
        y = separable(x)
          -->
        m = depthwise(x); y = conv(m) with a kernel of 1x1
    The halves' parameters are those of the row, as parts of it.
    exact: yes, separable is defined so.
    """

    name: ClassVar[str] = "split-separable"

    def run(self, graph: Graph) -> Graph:
        if not any(isinstance(node.op, Separable) for node in graph.nodes):
            return graph
        return Graph(tuple(part for n in graph.nodes for part in _split(n)), graph.outputs)


def _split(node: Node) -> Iterator[Node]:
    op = node.op
    if not isinstance(op, Separable):
        yield node
        return
    first, second = PARTS
    middle = f"{node.name}.{first}"
    yield Node(middle, op.depthwise, node.inputs, node.row, node.span, part=first)
    yield Node(node.name, op.pointwise, (middle,), node.row, node.span, node.epilogue, second)
