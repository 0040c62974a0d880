"""Channel shuffle."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.errors import ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.kinds import Count
from cnndsl.types import TensorType


@dataclass(frozen=True)
class Shuffle(Op):
    """
    Deal the maps of `groups` groups out in turn: the first of each, the second of each, and so on.

    Zhang et al. 2017, arXiv:1707.01083, section 3.1: of maps written as a table with a row a group,
    it is the transposition.
    """

    row_type = "shuffle"
    summary = "deals the maps of groups out in turn"
    moves = True

    groups: int = attribute(Count(), "groups that the maps come in")

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        if x.maps % self.groups:
            raise ShapeError(
                f"{x.maps} maps do not divide into {self.groups} groups", column="groups"
            )
        return x

    def passes_on(self, x: TensorType) -> bool:
        return self.groups in (1, x.maps)

    def evaluate(self, x: Array) -> Array:
        groups = x.reshape(*x.shape[:3], self.groups, -1)
        return groups.swapaxes(3, 4).reshape(x.shape)

    def formula(self, x: TensorType) -> str:
        size = x.maps // self.groups
        return f"y[i, j, c] = x[i, j, c % {self.groups} * {size} + c // {self.groups}]"
