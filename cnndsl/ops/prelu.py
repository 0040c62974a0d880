"""Rectifier whose slope below zero is trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op, Param
from cnndsl.ops.kinds import Choice
from cnndsl.types import TensorType


@dataclass(frozen=True)
class Prelu(Op):
    """
    `y = max(x, 0) + weight * min(x, 0)` (He et al. 2015, arXiv:1502.01852, equation 1).

    `slopes` must say how many there are: one for each `map` as in the paper, `one` for all cells as
    in PyTorch by default, or one for each `cell` as in Keras by default.
    """

    row_type = "prelu"
    summary = "max(x, 0), and below 0 a trained slope"
    reads = "any"

    slopes: str = attribute(
        Choice(("map", "one", "cell")), "what has a slope of its own: each map, all, each cell"
    )

    def infer(self, x: TensorType) -> TensorType:
        return x

    def params(self, x: TensorType) -> tuple[Param, ...]:
        shape = {"map": (x.maps,), "one": (1,), "cell": x.shape}[self.slopes]
        return (Param("weight", shape, "quarter"),)

    @property
    def in_place(self) -> bool:
        return True

    def evaluate(self, x: Array, *, weight: Array) -> Array:
        return np.maximum(x, 0.0) + weight * np.minimum(x, 0.0)

    def formula(self, x: TensorType) -> str:
        cell = "i, j, c" if x.is_image else "c"
        place = {"map": "c", "one": "0", "cell": cell}[self.slopes]
        return f"y[{cell}] = max(x[{cell}], 0) + weight[{place}] * min(x[{cell}], 0)"
