"""The sum of several tensors: a residual connection."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from cnndsl.errors import ShapeError
from cnndsl.ops.base import Array, Op
from cnndsl.types import TensorType


@dataclass(frozen=True)
class Add(Op):
    """
    Add tensors of one shape cell by cell, from left to right (He et al. 2015, arXiv:1512.03385).

    Nothing is broadcast: a shortcut of another shape is a mistake that is better found.
    """

    row_type = "add"
    summary = "the sum of several rows of one shape, cell by cell"
    operands = 2
    variadic = True
    reads = "any"

    def infer(self, *operands: TensorType) -> TensorType:
        first = operands[0]
        for other in operands[1:]:
            if other.shape != first.shape:
                raise ShapeError(
                    f"add reads rows of one shape, and {other.describe()} is not "
                    f"{first.describe()}",
                    column="from",
                )
        return first

    @property
    def in_place(self) -> bool:
        return True

    def evaluate(self, *operands: Array) -> Array:
        return reduce(np.add, operands)

    def formula(self, *operands: TensorType) -> str:
        cell = "[i, j, c]" if operands[0].is_image else "[k]"
        return f"y{cell} = {' + '.join(f'x{n}{cell}' for n in range(1, len(operands) + 1))}"
