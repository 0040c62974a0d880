"""What the planner must know of a target, without knowing the target."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from cnndsl.ir.node import Node
from cnndsl.types import TensorType

Halo = tuple[int, int, int, int]
"""Cells of zeros around an image: top, bottom, left, right."""

NO_HALO: Halo = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Choice:
    """
    How a target will run one node.

    `kernel` names the algorithm in the target's words. `halo` is what it needs around its operand.
    `contiguous` says that its operand must have no halo. A `view` computes nothing: its result is
    its operand's memory, read in another shape. `in_place` says that the result may take the
    operand's memory if nobody else reads it. What `accumulates` can add to what its result's memory
    holds: where the first function behind it is a sum with a value that nobody reads later, the
    result takes that value's memory.
    """

    kernel: str
    halo: Halo = NO_HALO
    contiguous: bool = False
    view: bool = False
    in_place: bool = False
    accumulates: bool = False


Strategy = Callable[[Node, tuple[TensorType, ...]], Choice]
"""Choose how to run a node that reads operands of these types. Raises `TargetError`."""


def widest(first: Halo, second: Halo) -> Halo:
    """The halo that holds both."""
    top, bottom, left, right = map(max, first, second)
    return top, bottom, left, right
