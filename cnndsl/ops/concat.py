"""Several tensors one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnndsl.errors import ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.kinds import Choice
from cnndsl.types import TensorType, f32

_AXES = {"height": 0, "width": 1, "maps": 2}


@dataclass(frozen=True)
class Concat(Op):
    """
    Put the maps of images, or the features of vectors, one after the other in the order of `from`.

    The other sides must agree. Images can also be set one below the other (`axis=height`) or side
    by side (`axis=width`).
    """

    row_type = "concat"
    summary = "the maps of several rows, one after the other"
    operands = 2
    variadic = True
    reads = "any"
    moves = True

    axis: str = attribute(
        Choice(tuple(reversed(_AXES))), "the axis along which images follow each other", "maps"
    )

    def infer(self, *operands: TensorType) -> TensorType:
        first, axis = operands[0], self._axis(operands[0])
        for other in operands[1:]:
            if _without(axis, other) != _without(axis, first):
                raise ShapeError(
                    f"{other.describe()} does not go with {first.describe()}: rows that are put "
                    f"together along their {self._word(first)} agree in all else",
                    column="from",
                )
        sides = list(first.shape)
        sides[axis] = sum(operand.shape[axis] for operand in operands)
        return f32(*sides)

    def evaluate(self, *operands: Array) -> Array:
        return np.concatenate(operands, axis=1 + _AXES[self.axis] if operands[0].ndim == 4 else 1)

    def formula(self, *operands: TensorType) -> str:
        axis = self._axis(operands[0])
        parts: list[str] = []
        begin = 0
        for number, operand in enumerate(operands, 1):
            end = begin + operand.shape[axis]
            place = [":"] * len(operand.shape)
            place[axis] = f"{begin}:{end}"
            parts.append(f"y[{', '.join(place)}] = x{number}")
            begin = end
        return "; ".join(parts)

    def _axis(self, first: TensorType) -> int:
        if not first.is_image and self.axis != "maps":
            raise ShapeError(f"a vector has no {self.axis}", column="axis")
        return _AXES[self.axis] if first.is_image else 0

    def _word(self, first: TensorType) -> str:
        return self.axis if first.is_image else "features"


def _without(axis: int, operand: TensorType) -> tuple[int, ...]:
    """The sides along the other axes, led by how many axes there are."""
    rest = (side for place, side in enumerate(operand.shape) if place != axis)
    return len(operand.shape), *rest
