"""Rows that filter images, as the convolutions that targets have kernels for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from math import gcd

import numpy as np
from numpy.typing import NDArray

from cnndsl.ops.base import Op
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.kinds import Pair
from cnndsl.ops.separable import Separable

FloatArray = NDArray[np.float32]


def as_conv(op: Op, maps: int) -> Conv | None:
    """The convolution that computes the same as `op` from that many maps, if there is one."""
    match op:
        case Conv():
            return op
        case Depthwise():
            return op.as_conv(maps)
        case Separable():
            # With its halves' filters multiplied: more products, but one pass over memory.
            return Conv(op.maps, op.kernel, op.stride, op.padding, op.dilation, bias=op.bias)
        case _:
            return None


def conv_params(op: Op, params: Mapping[str, FloatArray]) -> tuple[FloatArray, FloatArray | None]:
    """The weight and the bias of the convolution `as_conv(op)`."""
    if not isinstance(op, Separable):
        return params["weight"], params.get("bias")
    first = params["depthwise.weight"].astype(np.float64)
    second = params["pointwise.weight"].astype(np.float64)[..., 0, 0]
    first = first.reshape(-1, op.multiplier, *op.kernel)
    second = second.reshape(op.maps, -1, op.multiplier)
    weight = np.einsum("ocm,cmuv->ocuv", second, first, optimize=True)
    return weight.astype(np.float32), params.get("pointwise.bias")


@dataclass(frozen=True, slots=True)
class AxisClass:
    """
    Cells of a transposed convolution's output along one axis, which are one convolution's.

    Of the filter's taps, those that reach a cell of the output are `stride` apart, so the cells
    fall into `stride` classes. This one has the cells `first`, `first + stride`, ..., `count` of
    them. They are reached by `taps` of the filter, in the order of the input's cells that these
    multiply; cell number i by those from input cell `i + start` on, `dilation` apart.
    """

    first: int
    count: int
    taps: tuple[int, ...]
    start: int
    dilation: int

    @property
    def reach(self) -> int:
        """Cells of the input from the first that a cell reads to the last, both counted."""
        return (len(self.taps) - 1) * self.dilation + 1


def axis_classes(
    size: int, output: int, kernel: int, stride: int, dilation: int, cut: int
) -> list[AxisClass]:
    """
    The classes of one axis of a transposed convolution that cuts `cut` cells off its beginning.

    >>> axis_classes(3, 6, 3, 2, 1, 0)[0]
    AxisClass(first=0, count=3, taps=(2, 0), start=-1, dilation=1)
    """
    classes: list[AxisClass] = []
    for first in range(min(stride, output)):
        taps = [u for u in range(kernel) if (first + cut - u * dilation) % stride == 0]
        taps.reverse()  # the last tap comes from the input's first cell
        start = (first + cut - taps[0] * dilation) // stride if taps else 0
        count = len(range(first, output, stride))
        step = dilation // gcd(dilation, stride)
        classes.append(AxisClass(first, count, tuple(taps), start, step))
    return classes


def output_classes(op: ConvTranspose, image: Pair) -> list[tuple[AxisClass, AxisClass]]:
    """
    The classes of the output's cells, by rows and columns, for images of that size.

    Each is computed by a convolution of the input with some of the taps, whose results lie `stride`
    apart. Nothing is added up twice and no zeros are multiplied.
    """
    (top, bottom), (left, right) = op.cuts()
    axes = zip(image, op.kernel, op.stride, op.dilation, op.reach, strict=True)
    cuts = (top, bottom), (left, right)
    rows, columns = (
        axis_classes(
            size, (size - 1) * stride + reach - begin - end, kernel, stride, dilation, begin
        )
        for (size, kernel, stride, dilation, reach), (begin, end) in zip(axes, cuts, strict=True)
    )
    return list(product(rows, columns))


def transposed_filters(op: ConvTranspose, weight: FloatArray) -> FloatArray:
    """A transposed convolution's weight as a convolution has it: `[out, in/groups, kh, kw]`."""
    filters = weight.reshape(op.groups, len(weight) // op.groups, -1, *op.kernel)
    return filters.swapaxes(1, 2).reshape(op.maps, -1, *op.kernel)
