"""What a pass is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from cnndsl.ir.graph import Graph


@dataclass(frozen=True)
class Pass(ABC):
    """
    A named function from valid graph to valid graph, with the same meaning.

    Its fields are its options. Its docstring states what it rewrites and whether the result is
    exact. The names of parameters never change, whatever becomes of the nodes.
    """

    name: ClassVar[str]

    @abstractmethod
    def run(self, graph: Graph) -> Graph:
        """A new graph; `graph` itself where there is nothing to do."""
