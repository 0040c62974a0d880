"""A graph that grows section by section."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from cnndsl.ir.infer import infer_node
from cnndsl.ir.node import Node
from cnndsl.ops.base import Op
from cnndsl.types import TensorType

Recipe = Literal["as it is", "variance"]


@dataclass(frozen=True, slots=True)
class Slot:
    """
    A parameter's numbers in a `.weights`: whose they are, their shape, and what they become.

    `layer` is the node that has the parameter, `node` that of the section: a normalization belongs
    to the convolution before it.
    """

    layer: str
    param: str
    node: str
    shape: tuple[int, ...]
    recipe: Recipe = "as it is"

    @property
    def name(self) -> str:
        """The parameter's full name: that of its node, and its own."""
        return f"{self.layer}.{self.param}"


@dataclass
class Builder:
    """Nodes, the result of each section, and the slots in the order of the file."""

    nodes: list[Node] = field(default_factory=list[Node])
    types: dict[str, TensorType] = field(default_factory=dict[str, TensorType])
    results: list[str] = field(default_factory=list[str])
    """The node of each section's output. The first is that of [net], the input."""
    slots: list[Slot] = field(default_factory=list[Slot])
    counts: Counter[str] = field(default_factory=Counter[str])

    @property
    def last(self) -> str:
        """The node that a section reads if it says nothing else."""
        return self.results[-1]

    def add(self, op: Op, inputs: Sequence[str], kind: str) -> str:
        """A row of its own, called `kind` and a number."""
        self.counts[kind] += 1
        name = f"{kind}{self.counts[kind]}" if op.operands else kind
        return self._append(Node(name, op, tuple(inputs), name))

    def follow(self, op: Op, name: str, part: str) -> str:
        """A node behind the node `name`, called like it and `part`."""
        wish = f"{name.partition('_')[0]}_{part}"
        self.counts[wish] += 1
        again = self.counts[wish]
        own = wish if again == 1 else f"{wish}{again}"
        return self._append(Node(own, op, (name,), own))

    def _append(self, node: Node) -> str:
        # The type first: what does not fit leaves nothing behind.
        self.types[node.name] = infer_node(node, self.types)
        self.nodes.append(node)
        return node.name
