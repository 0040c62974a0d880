"""A tensor that the file of weights holds, as a row: no image has a say in it."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op, Param
from cnndsl.ops.kinds import Count, Extent, Flag, Pair
from cnndsl.types import TensorType, f32


@dataclass(frozen=True)
class Constant(Op):
    """
    The row's own tensor, the same for every image: a positional embedding, a learnt scale.

    `add`, `mul` and `concat` read it like any other row. With a `size` it is an image, without one
    a vector. Its tensor `value` is `[height, width, maps]` or `[features]`.
    """

    row_type = "constant"
    summary = "a tensor of the file of weights, the same for every image"
    operands = 0
    moves = True

    maps: int = attribute(Count(), "maps of the image, or features of the vector")
    size: Pair | None = attribute(Extent(), "height x width of the image", None)
    trained: bool = attribute(Flag(), "whether training changes it", True)

    def infer(self) -> TensorType:
        return f32(*(self.size or ()), self.maps)

    def params(self) -> tuple[Param, ...]:
        # A fan-in of 2 makes it a normal distribution of variance 1: cells like any others.
        return (Param("value", self.infer().shape, "he", 2, trainable=self.trained),)

    def evaluate(self, *, value: Array) -> Array:
        """For one image: a batch of 1, which goes with any other."""
        return value[None]

    def formula(self) -> str:
        cell = "k" if self.size is None else "i, j, c"
        return f"y[{cell}] = value[{cell}]"
