"""LeNet-5's trainable subsampling."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.ops.base import Array, Param
from cnndsl.ops.pool import Pool
from cnndsl.types import TensorType


@dataclass(frozen=True)
class Subsample(Pool):
    """
    `y[i, j, c] = bias[c] + weight[c] * (sum of the window's cells)`.

    LeCun et al. 1998, section II.B: the four inputs are added, multiplied by a trainable
    coefficient and added to a trainable bias, one of each a map.
    """

    row_type = "subsample"
    summary = "a trainable multiple of each window's sum, plus a bias"

    def params(self, x: TensorType) -> tuple[Param, ...]:
        return Param("weight", (x.maps,), "ones"), Param("bias", (x.maps,), "zeros")

    def macs(self, x: TensorType) -> int:
        return self.infer(x).size

    def evaluate(self, x: Array, *, weight: Array, bias: Array) -> Array:
        return bias + weight * self.window.windows(x, 0.0).sum((-2, -1))

    def formula(self, x: TensorType) -> str:
        return f"y[i, j, c] = bias[c] + weight[c] * sum({self.cells(x)})"
