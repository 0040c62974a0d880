"""Pooling over a whole map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnndsl.ops.base import Array, Op
from cnndsl.types import TensorType, f32


@dataclass(frozen=True)
class GlobalPool(Op):
    """One number a map: the result is an image of 1x1."""

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        return f32(1, 1, x.maps)

    def passes_on(self, x: TensorType) -> bool:
        return self.infer(x) == x


@dataclass(frozen=True)
class GlobalAvgPool(GlobalPool):
    """The mean of each map (Lin, Chen and Yan 2013, arXiv:1312.4400, section 3.2)."""

    row_type = "globalavgpool"
    summary = "the mean of each map"

    def evaluate(self, x: Array) -> Array:
        return np.mean(x, (1, 2), keepdims=True)

    def formula(self, x: TensorType) -> str:
        height, width = x.height_width
        return f"y[0, 0, c] = sum(x[i, j, c] for i < {height}, j < {width}) / {height * width}"


@dataclass(frozen=True)
class GlobalMaxPool(GlobalPool):
    """The largest cell of each map."""

    row_type = "globalmaxpool"
    summary = "the largest cell of each map"

    def evaluate(self, x: Array) -> Array:
        return np.max(x, (1, 2), keepdims=True)

    def formula(self, x: TensorType) -> str:
        height, width = x.height_width
        return f"y[0, 0, c] = max(x[i, j, c] for i < {height}, j < {width})"
