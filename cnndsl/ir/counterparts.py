"""
Which node of one graph computes what a node of another does.

The two may come from different tools: names, the order of branches and the operators' spelling
differ. What counts is what is computed (a kind of operator, a shape) from what, starting at the
inputs; and where several would do, as two branches of one shape, whose values are nearest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import Types, infer_types, operand_types
from cnndsl.ir.node import Node
from cnndsl.ops.input import Input

# Operators that can stand for each other: a dense row is a convolution whose image is one cell.
_KINDS = {
    "conv": "filters",
    "depthwise": "filters",
    "dense": "filters",
    "avgpool": "mean",
    "globalavgpool": "mean",
    "maxpool": "largest",
    "globalmaxpool": "largest",
}
# Operators that set cells in another shape: two of these may be one in the other graph, or none.
_RESHAPING = ("flatten", "reshape")

Key = tuple[str, tuple[int, ...]]
Distance = Callable[[str, str], float]
"""How far the values of a node of the first graph are from those of one of the second."""


def counterparts(first: Graph, second: Graph, distance: Distance) -> dict[str, str]:
    """
    For nodes of the first graph, by name, the nodes of the second that compute the same.

    A node without one is left out, and what reads it is recognised by its other operands. Each node
    of the second is taken once.
    """
    return _Matching(first, second, distance).pairs()


class _Matching:
    def __init__(self, first: Graph, second: Graph, distance: Distance) -> None:
        self._first, self._second = first, second
        self._distance = distance
        self._types, types = infer_types(first), infer_types(second)
        self._others = _by_key(second, types)
        self._sources, self._values = _sources(first), _values(second, types)
        self._pairs: dict[str, str] = {}
        self._taken: set[str] = set()

    def pairs(self) -> dict[str, str]:
        for mine, other in zip(self._first.inputs, self._second.inputs, strict=False):
            self._pair(mine.name, other.name)
        for node in self._first.nodes:
            found = list(self._candidates(node))
            if found:
                self._pair(node.name, min(found, key=lambda name: self._distance(node.name, name)))
        return self._pairs

    def _pair(self, mine: str, other: str) -> None:
        self._pairs[mine] = other
        self._taken.add(other)

    def _candidates(self, node: Node) -> Iterator[str]:
        """Nodes of the second graph that compute alike from counterparts of what `node` reads."""
        if isinstance(node.op, Input):
            return
        pairs = [self._pairs.get(self._sources[name]) for name in node.inputs]
        known = sorted(self._values[other] for other in pairs if other is not None)
        for other in self._others.get(_key(node, self._types), ()):
            reads = [self._values[name] for name in other.inputs]
            fits = len(reads) == len(pairs) and all(
                reads.count(name) >= known.count(name) for name in known
            )
            if fits and other.name not in self._taken:
                yield other.name


def _sources(graph: Graph) -> dict[str, str]:
    """For each node the one whose cells it has, in whatever shape: mostly itself."""
    sources: dict[str, str] = {}
    for node in graph.nodes:
        passes = node.op.row_type in _RESHAPING
        sources[node.name] = sources[node.inputs[0]] if passes else node.name
    return sources


def _values(graph: Graph, types: Types) -> dict[str, str]:
    """
    For each node the first one that computes the same cells.

    Where a computation is done twice, no matter which of the two is taken for a counterpart.
    """
    values: dict[str, str] = {}
    first: dict[Node, str] = {}
    for node, source in _sources(graph).items():
        reads = tuple(values[name] for name in graph[source].inputs)
        own = isinstance(graph[source].op, Input) or graph[source].op.params(
            *operand_types(graph[source], types)
        )
        plain = replace(graph[source], name="", row="", span=None, inputs=reads)
        values[node] = source if own else first.setdefault(plain, source)
    return values


def _by_key(graph: Graph, types: Types) -> dict[Key, list[Node]]:
    found: dict[Key, list[Node]] = {}
    for node in graph.nodes:
        found.setdefault(_key(node, types), []).append(node)
    return found


def _key(node: Node, types: Types) -> Key:
    """What a node computes, roughly, and the shape of it as an image: a vector is one of 1x1."""
    row_type, shape = node.op.row_type, types[node.name].shape
    return _KINDS.get(row_type, row_type), shape if len(shape) == 3 else (1, 1, *shape)
