"""
Transposed convolution as several convolutions.

Of the filter's taps, those that reach a cell of the output are `stride` apart, so the cells fall
into `stride * stride` classes, each computed by a convolution of the input with some of the taps,
in reverse, whose results lie `stride` apart. Nothing is added up twice and no zeros are multiplied.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from math import gcd

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.conv_direct import lower_conv_direct
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape, Pair
from cnndsl.backends.cpu.lowering.copy import lower_copy
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.gather import OUTSIDE, lower_gather
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.plan.plan import Buffer, Halo


@dataclass(frozen=True, slots=True)
class AxisClass:
    """
    Cells of the output along one axis: `first`, `first + stride`, ..., `count` of them.

    They are reached by `taps` of the filter, in the order of the input's cells that these multiply;
    cell number i by those from input cell `i + start` on, `dilation` apart.
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


@dataclass(frozen=True, slots=True)
class _Strided(Buffer):
    """Pixels of a buffer that are not its neighbours: the strides are those between them."""

    rows_apart: int = 0
    pixels_apart: int = 0
    images_apart: int = 0
    start: int = 0

    @property
    def row_stride(self) -> int:
        return self.rows_apart

    @property
    def pixel_stride(self) -> int:
        return self.pixels_apart

    @property
    def image_stride(self) -> int:
        return self.images_apart

    @property
    def origin(self) -> int:
        return self.start


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


def _classes(op: ConvTranspose, image: Pair) -> list[tuple[AxisClass, AxisClass]]:
    """The classes of an output's cells, by rows and columns."""
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


def transposed_halo(op: ConvTranspose, image: Pair) -> Halo:
    """The zeros that the convolutions read around an image of that size."""
    sides = [0, 0, 0, 0]
    for classes in _classes(op, image):
        if all(c.taps for c in classes):
            for axis, (size, c) in enumerate(zip(image, classes, strict=True)):
                before, after = -c.start, c.start + c.count - 1 + c.reach - size
                sides[2 * axis] = max(sides[2 * axis], before)
                sides[2 * axis + 1] = max(sides[2 * axis + 1], after)
    top, bottom, left, right = sides
    return top, bottom, left, right


def lower_conv_transpose(
    op: ConvTranspose,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
) -> list[Lowered]:
    """`y = convtranspose(x)` with `weight` [in, out/groups, kh, kw]."""
    height, width, in_maps = x.image
    filters = weight.reshape(op.groups, in_maps // op.groups, -1, *op.kernel)
    filters = filters.swapaxes(1, 2).reshape(op.maps, -1, *op.kernel)
    bounds = Epilogue(epilogue.low, epilogue.high)
    lowered: list[Lowered] = []
    for down, across in _classes(op, (height, width)):
        part = _part(y, down, across, op.stride)
        if down.taps and across.taps:
            shape = ConvShape(
                size=(down.count, across.count),
                in_maps=in_maps,
                out_maps=op.maps,
                kernel=(len(down.taps), len(across.taps)),
                padding=(-down.start, -across.start),
                dilation=(down.dilation, across.dilation),
                groups=op.groups,
            )
            taps = np.ascontiguousarray(filters[:, :, down.taps][..., across.taps])
            lowered.append(lower_conv_direct(shape, x, part, bounds, taps, bias))
        else:  # no tap reaches these cells
            nowhere = [OUTSIDE] * down.count, [OUTSIDE] * across.count, range(op.maps)
            lowered.append(lower_gather(x, part, bounds, nowhere, 0.0 if bias is None else bias))
    if epilogue.activation is not None:
        lowered.append(lower_copy(y, y, Epilogue(activation=epilogue.activation)))
    return lowered


def _part(y: Buffer, down: AxisClass, across: AxisClass, stride: Pair) -> Buffer:
    """The pixels of y that belong to a class."""
    return _Strided(
        y.name,
        (down.count, across.count, y.image[2]),
        y.place,
        y.offset,
        rows_apart=stride[0] * y.row_stride,
        pixels_apart=stride[1] * y.pixel_stride,
        images_apart=y.image_stride,
        start=y.origin + down.first * y.row_stride + across.first * y.pixel_stride,
    )
