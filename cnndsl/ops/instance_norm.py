"""Instance normalization."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op, Param
from cnndsl.ops.kinds import Flag, Number
from cnndsl.ops.normalization import (
    EPSILON,
    EPSILON_DOC,
    affine,
    affine_params,
    affine_words,
    standardised,
)
from cnndsl.types import TensorType


@dataclass(frozen=True)
class InstanceNorm(Op):
    """
    Normalize each map of each image by its own mean and variance.

    Ulyanov et al. 2016, arXiv:1607.08022, equation 4. `affine` must be named: ONNX's operator
    always has a weight and a bias, PyTorch's has none by default.
    """

    row_type = "instancenorm"
    summary = "each map less its mean, by its deviation, image by image"

    epsilon: float = attribute(EPSILON, EPSILON_DOC)
    affine: bool = attribute(Flag(), "whether each map has a weight and a bias")

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        return x

    def params(self, x: TensorType) -> tuple[Param, ...]:
        return affine_params((x.maps,), weight=self.affine, bias=self.affine)

    @property
    def in_place(self) -> bool:
        return True

    def evaluate(
        self, x: Array, *, weight: Array | None = None, bias: Array | None = None
    ) -> Array:
        return affine(standardised(x, (1, 2), self.epsilon), weight, bias)

    def formula(self, x: TensorType) -> str:
        return (
            f"y[i, j, c] = (x[i, j, c] - mean) / sqrt(variance + {Number().format(self.epsilon)})"
            f"{affine_words('c', weight=self.affine, bias=self.affine)}; mean and variance are "
            "those of all pixels of map c"
        )
