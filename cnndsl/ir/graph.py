"""The graph of operators."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from cnndsl.ir.node import Node
from cnndsl.ops.input import Input
from cnndsl.types import Layout

if TYPE_CHECKING:
    import networkx as nx

DiGraph: TypeAlias = "nx.DiGraph[str]"


@dataclass(frozen=True)
class Graph:
    """
    Nodes in an order in which each reads only earlier ones, and the names of the results.

    Never changed in place: a pass builds a new one. Every input is a node whose operator is
    `Input`.
    """

    nodes: tuple[Node, ...]
    outputs: tuple[str, ...]

    def __getitem__(self, name: str) -> Node:
        return next(node for node in self.nodes if node.name == name)

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes where images enter."""
        return tuple(node for node in self.nodes if isinstance(node.op, Input))

    @property
    def layout(self) -> Layout:
        """The layout in which callers get images: the first input's."""
        first = self.inputs[0].op
        assert isinstance(first, Input)
        return first.layout

    def readers(self) -> dict[str, list[Node]]:
        """For each name the nodes that read it, in order."""
        readers: dict[str, list[Node]] = {node.name: [] for node in self.nodes}
        for node in self.nodes:
            for name in node.inputs:
                readers[name].append(node)
        return readers

    def rewritten(
        self, replaced: Mapping[str, Node], dropped: Mapping[str, str] | None = None
    ) -> Graph:
        """
        This graph with some nodes exchanged by name and some dropped.

        `dropped` maps a name to the one that its readers read from now on.
        """
        dropped = dropped or {}
        nodes = [replaced.get(n.name, n) for n in self.nodes if n.name not in dropped]
        return Graph(tuple(nodes), self.outputs).renamed(dropped)

    def renamed(self, names: Mapping[str, str]) -> Graph:
        """This graph where whoever reads one of `names` reads what it maps to, however often."""

        def kept(name: str) -> str:
            while name in names:
                name = names[name]
            return name

        return Graph(
            tuple(replace(node, inputs=tuple(map(kept, node.inputs))) for node in self.nodes),
            tuple(map(kept, self.outputs)),
        )

    def without_unread(self, names: Collection[str]) -> Graph:
        """This graph without those of `names` that are no output and that nobody reads."""
        read = {name for node in self.nodes for name in node.inputs}.union(self.outputs)
        nodes = [node for node in self.nodes if node.name in read or node.name not in names]
        return Graph(tuple(nodes), self.outputs)

    def dead(self) -> list[Node]:
        """The nodes that no output depends on."""
        live = set(self.outputs)
        for node in reversed(self.nodes):
            if node.name in live:
                live.update(node.inputs)
        return [node for node in self.nodes if node.name not in live]

    def to_networkx(self) -> DiGraph:
        """Nodes carry `op`, `row` and `span`; edges run from producers to readers."""
        # Imported here: only who asks for it waits for it, and it takes longer than all the rest.
        import networkx as nx

        flow: DiGraph = nx.DiGraph()
        for node in self.nodes:
            flow.add_node(node.name, op=node.op, row=node.row, span=node.span)
            flow.add_edges_from((name, node.name) for name in node.inputs)
        return flow
