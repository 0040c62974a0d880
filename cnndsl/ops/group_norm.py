"""Group normalization."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.errors import ShapeError
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op, Param
from cnndsl.ops.kinds import Count, Flag, Number
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
class GroupNorm(Op):
    """
    Normalize each image's groups of maps by their own mean and variance.

    Wu and He 2018, arXiv:1803.08494, section 3. Each map has a weight and a bias of its own, as in
    PyTorch, Keras and ONNX from opset 21 on; in opset 18 they are a group's.
    """

    row_type = "groupnorm"
    summary = "each group of maps less its mean, by its deviation, image by image"

    groups: int = attribute(Count(), "groups of maps that are normalized together")
    epsilon: float = attribute(EPSILON, EPSILON_DOC)
    scale: bool = attribute(Flag(), "whether each map has a weight (gamma)", True)
    bias: bool = attribute(Flag(), "whether each map has a bias (beta)", True, ("center",))

    def infer(self, x: TensorType) -> TensorType:
        self.require_image(x)
        if x.maps % self.groups:
            raise ShapeError(
                f"{x.maps} maps do not divide into {self.groups} groups", column="groups"
            )
        return x

    def params(self, x: TensorType) -> tuple[Param, ...]:
        return affine_params((x.maps,), weight=self.scale, bias=self.bias)

    @property
    def in_place(self) -> bool:
        return True

    def evaluate(
        self, x: Array, *, weight: Array | None = None, bias: Array | None = None
    ) -> Array:
        groups = x.reshape(*x.shape[:3], self.groups, -1)
        y = standardised(groups, (1, 2, 4), self.epsilon).reshape(x.shape)
        return affine(y, weight, bias)

    def formula(self, x: TensorType) -> str:
        return (
            f"y[i, j, c] = (x[i, j, c] - mean) / sqrt(variance + {Number().format(self.epsilon)})"
            f"{affine_words('c', weight=self.scale, bias=self.bias)}; mean and variance are those "
            f"of all pixels of the {x.maps // self.groups} maps of c's group"
        )
