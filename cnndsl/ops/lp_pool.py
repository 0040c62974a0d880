"""Pooling by a p-norm."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array
from cnndsl.ops.kinds import Number
from cnndsl.ops.pool import Pool
from cnndsl.types import TensorType


@dataclass(frozen=True)
class LpPool(Pool):
    """
    The p-norm of each window, `sum(|x|^p)^(1/p)`: its length where p is 2. Padding adds nothing.

    As in ONNX. PyTorch's takes powers without the absolute value, which differs where p is odd.
    """

    row_type = "lppool"
    summary = "the p-norm of each window"

    p: float = attribute(
        Number(above=0.0), "which norm: 1 adds absolute values, 2 is a length", 2.0
    )

    def conventions(self, x: TensorType) -> tuple[str, ...]:
        lines = super().conventions(x)
        if self.p % 2 == 0:
            return lines
        p = Number().format(self.p)
        return (*lines, f"p {p}: powers of absolute values, as in ONNX; PyTorch's keep the sign")

    def evaluate(self, x: Array) -> Array:
        powers = np.abs(self.window.windows(x, 0.0)) ** self.p
        return powers.sum((-2, -1)) ** (1.0 / self.p)

    def formula(self, x: TensorType) -> str:
        cell, _, window = self.cells(x).partition(" for ")
        p = Number().format(self.p)
        return f"y[i, j, c] = sum(abs({cell})^{p} for {window}) ^ (1 / {p})"
