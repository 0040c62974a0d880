"""Batch normalization, as it is at inference: a factor and a summand for each map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op, Param
from cnndsl.ops.kinds import Flag, Number
from cnndsl.ops.normalization import EPSILON, EPSILON_DOC, affine, affine_params, affine_words
from cnndsl.types import TensorType


@dataclass(frozen=True)
class BatchNorm(Op):
    """
    Normalize each map by the mean and variance that training has found for it.

    `y[c] = (x[c] - mean[c]) / sqrt(variance[c] + epsilon) * weight[c] + bias[c]` (Ioffe and Szegedy
    2015, arXiv:1502.03167, algorithm 2; weight and bias are gamma and beta there). Mean and
    variance are parameters that no gradient changes.

    >>> [param.name for param in BatchNorm(1e-5).params(TensorType("f32", (4, 4, 8)))]
    ['weight', 'bias', 'mean', 'variance']
    """

    row_type = "batchnorm"
    summary = "each map less its mean, by its deviation, as training has found them"
    reads = "any"

    epsilon: float = attribute(EPSILON, EPSILON_DOC)
    scale: bool = attribute(Flag(), "whether each map has a weight (gamma)", True)
    bias: bool = attribute(Flag(), "whether each map has a bias (beta)", True, ("center",))

    def infer(self, x: TensorType) -> TensorType:
        return x

    def params(self, x: TensorType) -> tuple[Param, ...]:
        return (
            *affine_params((x.maps,), weight=self.scale, bias=self.bias),
            Param("mean", (x.maps,), "zeros", trainable=False),
            Param("variance", (x.maps,), "ones", trainable=False),
        )

    @property
    def in_place(self) -> bool:
        return True

    def evaluate(
        self,
        x: Array,
        *,
        mean: Array,
        variance: Array,
        weight: Array | None = None,
        bias: Array | None = None,
    ) -> Array:
        return affine((x - mean) / np.sqrt(variance + self.epsilon), weight, bias)

    def scale_and_shift(
        self,
        *,
        mean: Array,
        variance: Array,
        weight: Array | None = None,
        bias: Array | None = None,
    ) -> tuple[Array, Array]:
        """The same as `x * scale + shift`, each a number a map."""
        scale = affine(1.0 / np.sqrt(variance + self.epsilon), weight, None)
        return scale, affine(-mean * scale, None, bias)

    def formula(self, x: TensorType) -> str:
        cell = "i, j, c" if x.is_image else "c"
        return (
            f"y[{cell}] = (x[{cell}] - mean[c]) / sqrt(variance[c] + "
            f"{Number().format(self.epsilon)})"
            + affine_words("c", weight=self.scale, bias=self.bias)
        )
