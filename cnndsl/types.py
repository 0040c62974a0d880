"""Tensor types, and how exactly they are computed."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal, get_args

Layout = Literal["nhwc", "nchw"]
"""The order of a batch of images' axes: n images, of height h, width w and c maps."""


def in_layout(shape: tuple[int, ...], layout: Layout) -> tuple[int, ...]:
    """
    One image's `(height, width, maps)` in that order of axes; a vector is the same in both.

    >>> in_layout((32, 30, 3), "nchw"), in_layout((10,), "nchw")
    ((3, 32, 30), (10,))
    """
    return (shape[2], *shape[:2]) if layout == "nchw" and len(shape) == 3 else shape


Numerics = Literal["fast", "strict"]
"""
Which kernels a target may choose: in `strict`, those that add up the products of an operator's
definition; in `fast`, also those whose error is within the target's stated bound.
"""
NUMERICS: tuple[Numerics, ...] = get_args(Numerics)

DenseWeights = Literal["float32", "bfloat16", "int8"]
"""
What a target keeps of a dense row's weights: all, or fewer bits, of which there is less to read.

Sums and everything else stay float32.
"""
DENSE_WEIGHTS: tuple[DenseWeights, ...] = get_args(DenseWeights)

Precision = Literal["float32", "tf32", "float16", "bfloat16"]
"""
To what the factors of products are rounded, where a target has faster products for fewer bits.

Sums and everything else stay float32. TF32 keeps 10 bits behind the point and float32's range.
"""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


@dataclass(frozen=True, slots=True)
class Options:
    """
    How exactly a target computes, and for how many images a call it chooses what is fastest.

    Any number of images can be computed, and an image's result is the same in any batch.
    """

    numerics: Numerics = "fast"
    dense_weights: DenseWeights = "float32"
    precision: Precision = "float32"
    batch: int = 1

    def __str__(self) -> str:
        """
        Those that are not as usual, each behind a comma.

        >>> str(Options()), str(Options("strict", precision="tf32", batch=16))
        ('', ', strict, precision=tf32, batch=16')
        """
        strict = ", strict" if self.numerics == "strict" else ""
        narrow = f", dense_weights={self.dense_weights}" if self.dense_weights != "float32" else ""
        rounded = f", precision={self.precision}" if self.precision != "float32" else ""
        batch = f", batch={self.batch}" if self.batch != 1 else ""
        return f"{strict}{narrow}{rounded}{batch}"


USUAL = Options()


@dataclass(frozen=True, slots=True)
class TensorType:
    """
    An element type and the static shape of one image's tensor.

    An image is `(height, width, maps)`, a vector `(features,)`. The batch is not part of the
    type: it is chosen at each call.

    >>> f32(28, 28, 6), f32(10)
    (f32[28,28,6], f32[10])
    """

    dtype: str
    shape: tuple[int, ...]

    @property
    def is_image(self) -> bool:
        """Whether it has a height, a width and maps."""
        return len(self.shape) == 3

    @property
    def size(self) -> int:
        """Elements of one image's tensor."""
        return prod(self.shape)

    @property
    def maps(self) -> int:
        """Feature maps of an image, features of a vector."""
        return self.shape[-1]

    @property
    def height_width(self) -> tuple[int, int]:
        """The spatial size of an image."""
        height, width, _ = self.shape
        return height, width

    def __repr__(self) -> str:
        return f"{self.dtype}[{','.join(map(str, self.shape))}]"

    def describe(self) -> str:
        """
        The type as a table's reader says it.

        >>> f32(28, 28, 6).describe(), f32(10).describe()
        ('28x28 with 6 maps', '10 features')
        """
        if self.is_image:
            height, width, maps = self.shape
            return f"{height}x{width} with {maps} map{'s' * (maps != 1)}"
        return f"{self.size} feature{'s' * (self.size != 1)}"


def f32(*shape: int) -> TensorType:
    """A float32 tensor type."""
    return TensorType("f32", shape)
