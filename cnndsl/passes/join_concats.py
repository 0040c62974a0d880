"""Put together at once what is put together step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Node
from cnndsl.ops.concat import Concat
from cnndsl.passes.base import Pass


@dataclass(frozen=True)
class JoinConcats(Pass):
    """
    Spare cells a copy on their way.

    rewrite:
        y = concat(a, b); z = concat(y, c) along the same axis, nobody else reading y
          -->
        z = concat(a, b, c)
    exact: yes, the same cells in the same places.
    """

    name: ClassVar[str] = "join-concats"

    def run(self, graph: Graph) -> Graph:
        readers = graph.readers()
        inner: dict[str, Node] = {}
        joined: dict[str, Node] = {}
        for node in graph.nodes:
            if not isinstance(node.op, Concat):
                continue
            inputs = tuple(_spread(node, inner))
            if inputs != node.inputs:
                node = replace(node, inputs=inputs)
                joined[node.name] = node
            # A value that is read twice, even by one reader, stays.
            if len(readers[node.name]) == 1 and node.name not in graph.outputs:
                inner[node.name] = node
        if not joined:
            return graph
        return graph.rewritten(joined).without_unread(inner)


def _spread(node: Node, inner: Mapping[str, Node]) -> Iterator[str]:
    """What a concatenation reads, with what concatenations along its axis read in their place."""
    for name in node.inputs:
        before = inner.get(name)
        if before is not None and before.op == node.op:
            yield from before.inputs
        else:
            yield name
