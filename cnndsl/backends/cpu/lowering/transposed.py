"""Transposed convolution as several convolutions: see `cnndsl.backends.filters.AxisClass`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.conv_direct import lower_conv_direct
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape, Pair
from cnndsl.backends.cpu.lowering.copy import lower_copy
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.gather import OUTSIDE, lower_gather
from cnndsl.backends.filters import AxisClass, output_classes, transposed_filters
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.plan.plan import Buffer, Halo


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


def transposed_halo(op: ConvTranspose, image: Pair) -> Halo:
    """The zeros that the convolutions read around an image of that size."""
    sides = [0, 0, 0, 0]
    for classes in output_classes(op, image):
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
    filters = transposed_filters(op, weight)
    bounds = Epilogue(epilogue.low, epilogue.high)
    lowered: list[Lowered] = []
    for down, across in output_classes(op, (height, width)):
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
        port=y.port,
        rows_apart=stride[0] * y.row_stride,
        pixels_apart=stride[1] * y.pixel_stride,
        images_apart=y.image_stride,
        start=y.origin + down.first * y.row_stride + across.first * y.pixel_stride,
    )
