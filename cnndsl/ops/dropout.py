"""Dropout, which at inference does nothing."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op
from cnndsl.ops.kinds import Number
from cnndsl.types import TensorType


@dataclass(frozen=True)
class Dropout(Op):
    """
    In training, zero a fraction `rate` of the cells and divide the rest by `1 - rate`.

    That is "inverted" dropout, as every framework trains it, so inference passes all cells on.
    """

    row_type = "dropout"
    summary = "drops cells in training; passes them on at inference"
    reads = "any"

    rate: float = attribute(
        Number(least=0.0, below=1.0),
        "fraction of the cells dropped in training",
        aliases=("dropout",),
    )

    def infer(self, x: TensorType) -> TensorType:
        return x

    def passes_on(self, x: TensorType) -> bool:
        return True

    @property
    def in_place(self) -> bool:
        return True

    def evaluate(self, x: Array) -> Array:
        return x

    def formula(self, x: TensorType) -> str:
        return f"y = x (in training: {self.rate:g} of the cells are dropped)"
