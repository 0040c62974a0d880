"""Layer normalization."""

from __future__ import annotations

from dataclasses import dataclass

from cnndsl.errors import ConventionError, Fix
from cnndsl.ops.attributes import attribute
from cnndsl.ops.base import Array, Op, Param
from cnndsl.ops.kinds import Choice, Flag, Number
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
class LayerNorm(Op):
    """
    Normalize each vector, each pixel or each whole image by its own mean and variance.

    Ba et al. 2016, arXiv:1607.06450, equation 4. Of an image, `over` must say what is normalized:
    Keras by default and ConvNeXt take the maps of a pixel, PyTorch's LayerNorm([c, h, w]) takes the
    image. There is a weight and a bias for each map, or for each cell where it is the image.
    """

    row_type = "layernorm"
    summary = "each vector, pixel or image less its mean, by its deviation"
    reads = "any"

    epsilon: float = attribute(EPSILON, EPSILON_DOC)
    over: str | None = attribute(
        Choice(("maps", "image")), "what is normalized together: a pixel's maps or the image", None
    )
    scale: bool = attribute(Flag(), "whether there is a weight (gamma)", True)
    bias: bool = attribute(Flag(), "whether there is a bias (beta)", True, ("center",))

    def infer(self, x: TensorType) -> TensorType:
        if x.is_image and self.over is None:
            raise ConventionError(
                "frameworks normalize different cells of an image together: name which",
                column="over",
                fixes=[
                    Fix(
                        "over=maps: those of a pixel, as Keras and ConvNeXt do",
                        sets=(("over", "maps"),),
                    ),
                    Fix(
                        "over=image: all cells, as PyTorch's LayerNorm([c, h, w]) does",
                        sets=(("over", "image"),),
                    ),
                ],
            )
        return x

    def params(self, x: TensorType) -> tuple[Param, ...]:
        shape = x.shape if self.over == "image" else (x.maps,)
        return affine_params(shape, weight=self.scale, bias=self.bias)

    @property
    def in_place(self) -> bool:
        return True

    def evaluate(
        self, x: Array, *, weight: Array | None = None, bias: Array | None = None
    ) -> Array:
        axes = tuple(range(1, x.ndim)) if self.over == "image" else (-1,)
        return affine(standardised(x, axes, self.epsilon), weight, bias)

    def formula(self, x: TensorType) -> str:
        cell = "i, j, c" if x.is_image else "c"
        place = cell if self.over == "image" else "c"
        which = "the image" if self.over == "image" else "the pixel" if x.is_image else "the vector"
        return (
            f"y[{cell}] = (x[{cell}] - mean) / sqrt(variance + {Number().format(self.epsilon)})"
            f"{affine_words(place, weight=self.scale, bias=self.bias)}; mean and variance are "
            f"those of {which}"
        )
