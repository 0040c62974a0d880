"""Let a convolution add the zeros around its image itself."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import Types, infer_types
from cnndsl.ir.node import Node
from cnndsl.ops.conv import Conv
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.pad import Pad
from cnndsl.ops.padding import Padding, Sides
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class FoldPad(Pass):
    """
    Spare the padded copy of an image.

    rewrite:
        a = pad(x) with zeros; y = conv(a)   or   y = depthwise(a)
          -->
        y = conv(x) with the sides of both
    The pad stays where others read it too.
    exact: yes, the same zeros are read in the same order.
    """

    name: ClassVar[str] = "fold-pad"

    def run(self, graph: Graph) -> Graph:
        nodes = {node.name: node for node in graph.nodes}
        types = infer_types(graph)
        folded: dict[str, Node] = {}
        for node in graph.nodes:
            pad = nodes[node.inputs[0]] if node.inputs else node
            while isinstance(node.op, Conv | Depthwise) and _pads(pad):
                node = _folded(node, node.op, pad, types)
                folded[node.name] = node
                pad = nodes[node.inputs[0]]
        return _without_unread_pads(graph.rewritten(folded)) if folded else graph


def _pads(node: Node) -> bool:
    return isinstance(node.op, Pad) and node.op.mode == "zeros" and not node.epilogue


def _folded(node: Node, op: Conv | Depthwise, pad: Node, types: Types) -> Node:
    assert isinstance(pad.op, Pad)
    own = op.window.sides(types[pad.name].height_width)
    padding = Padding("explicit", _sum(own, pad.op.padding))
    return replace(node, op=replace(op, padding=padding), inputs=pad.inputs)


def _sum(first: Sides, second: Sides) -> Sides:
    (top, bottom), (left, right) = first
    (above, below), (before, behind) = second
    return (top + above, bottom + below), (left + before, right + behind)


def _without_unread_pads(graph: Graph) -> Graph:
    read = set(graph.outputs)
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if node.name in read or not _pads(node):
            kept.append(node)
            read.update(node.inputs)
    return Graph(tuple(reversed(kept)), graph.outputs)
