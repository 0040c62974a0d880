"""What a target may say of its choices: what else could run a node, and how long it would take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from cnndsl.backends.profiling import Bound
from cnndsl.ir.node import Node
from cnndsl.plan.plan import Step
from cnndsl.types import TensorType


@dataclass(frozen=True, slots=True)
class Considered:
    """
    An algorithm that was considered for a node.

    `estimated_ms` is what the cost model says of an image of a batch on one thread, and `bound`
    which of its parts is the larger; `measured_ms` is what tuning found, if anything. `error_ratio`
    bounds the error over that of a plain sum. `verdict` says whether it was chosen and, if not, why
    not.
    """

    kernel: str
    chosen: bool
    verdict: str
    error_ratio: float | None = None
    estimated_ms: float | None = None
    bound: Bound | None = None
    measured_ms: float | None = None


@runtime_checkable
class Explainer(Protocol):
    """A target that says what it considered."""

    def considered(self, node: Node, operands: tuple[TensorType, ...]) -> tuple[Considered, ...]:
        """All algorithms for a node, the chosen one first; none where there is no choice."""
        ...


@runtime_checkable
class Describer(Protocol):
    """A target that says how a step runs."""

    def described(self, step: Step) -> tuple[str, ...]:
        """The launches of a step for one image, and what they take of a processor: lines."""
        ...


Placed = tuple[Node, tuple[TensorType, ...]]
"""A node and the types of its operands."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """Of shapes with a choice, how many were measured now, and how many had been before."""

    measured: int
    known: int


@runtime_checkable
class Tunable(Protocol):
    """A target that measures what it can choose from."""

    def tune(self, nodes: Sequence[Placed], advance: Callable[[int], None]) -> Tuned:
        """
        Measure, in another process, what is not known yet, and keep it for later choices.

        `advance` is told of each shape that is done. Raises `TargetError` where that fails.
        """
        ...
