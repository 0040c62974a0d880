"""Max pooling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnndsl.ops.base import Array
from cnndsl.ops.pool import Pool
from cnndsl.types import TensorType


@dataclass(frozen=True)
class MaxPool(Pool):
    """The largest cell of each window. Cells outside the image never win: they count as -inf."""

    row_type = "maxpool"
    summary = "the largest cell of each window"

    def evaluate(self, x: Array) -> Array:
        return np.max(self.window.windows(x, -np.inf), (-2, -1))

    def formula(self, x: TensorType) -> str:
        return f"y[i, j, c] = max({self.cells(x)})"

    def passes_on(self, x: TensorType) -> bool:
        return self.takes_each_cell(x)
