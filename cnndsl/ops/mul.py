"""The product of several tensors: gates, such as squeeze-and-excitation's."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np

from cnndsl.errors import ShapeError
from cnndsl.ops.base import Array, Op
from cnndsl.types import TensorType, f32


@dataclass(frozen=True)
class Mul(Op):
    """
    Multiply tensors cell by cell (Hu et al. 2017, arXiv:1709.01507, equation 4).

    An axis of one cell goes with all cells of the others' axis, so an image of 1x1 scales the maps
    of another, and one of 1 map scales its pixels. A vector among images is an image of 1x1.
    """

    row_type = "mul"
    summary = "the product of several rows, cell by cell; 1x1 and vectors scale whole maps"
    operands = 2
    variadic = True
    reads = "any"

    def infer(self, *operands: TensorType) -> TensorType:
        if not any(operand.is_image for operand in operands):
            shapes = [operand.shape for operand in operands]
        else:
            shapes = [_image(operand) for operand in operands]
        result = tuple(max(sides) for sides in zip(*shapes, strict=True))
        for operand, shape in zip(operands, shapes, strict=True):
            if any(side not in (1, most) for side, most in zip(shape, result, strict=True)):
                raise ShapeError(
                    f"{operand.describe()} does not go with {f32(*result).describe()}: "
                    "each side must be the same, or 1",
                    column="from",
                )
        return f32(*result)

    @property
    def in_place(self) -> bool:
        return True

    def evaluate(self, *operands: Array) -> Array:
        rank = max(operand.ndim for operand in operands)
        return reduce(np.multiply, [x if x.ndim == rank else x[:, None, None] for x in operands])

    def formula(self, *operands: TensorType) -> str:
        result = self.infer(*operands)
        indices = "ijc" if result.is_image else "k"
        factors: list[str] = []
        for number, operand in enumerate(operands, 1):
            places = zip(indices[-len(operand.shape) :], operand.shape, strict=True)
            cell = ", ".join("0" if side == 1 else index for index, side in places)
            factors.append(f"x{number}[{cell}]")
        return f"y[{', '.join(indices)}] = {' * '.join(factors)}"


def _image(operand: TensorType) -> tuple[int, ...]:
    return operand.shape if operand.is_image else (1, 1, *operand.shape)
