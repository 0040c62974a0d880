"""Convolutions of a graph: by which algorithm each is computed, and its call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.conv_depthwise import lower_conv_depthwise
from cnndsl.backends.cpu.lowering.conv_direct import lower_conv_direct
from cnndsl.backends.cpu.lowering.conv_planar import fits_planar, lower_conv_planar
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape, Pair
from cnndsl.backends.cpu.lowering.conv_winograd import POINTS, WinogradConv, lower_conv_winograd
from cnndsl.backends.cpu.lowering.dense import lower_dense
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.winograd_error import error_ratio
from cnndsl.backends.cpu.target import Target
from cnndsl.ops.connections import connection_mask
from cnndsl.ops.conv import Conv
from cnndsl.plan.plan import Buffer
from cnndsl.plan.strategy import Choice
from cnndsl.types import Numerics

# Winograd's transforms cost about half as much again as its products: measured on layers of 8 to
# 512 maps, it was faster from here on, but for images of fewer squares than a tile has.
LEAST_SAVING = 1.5
LEAST_SQUARES = 4
# And where accuracy is its price, it must not cost much of it. `winograd_error` bounds the standard
# error of its worst output by a multiple of the plain sum's, known from the filter's size and the
# maps alone: 13 to 25 for 3x3 and 5 to 9 for 5x5 filters, the more the fewer maps. A row where that
# exceeds this many is summed plainly: here, those 3x3 that read less than 13 maps.
MOST_ERROR_RATIO = 20.0

FloatArray = NDArray[np.float32]

_LOWERINGS = {
    "conv_depthwise": lower_conv_depthwise,
    "conv_direct": lower_conv_direct,
    "conv_planar": lower_conv_planar,
    "conv_winograd": lower_conv_winograd,
}
ALGORITHMS = ("dense", *_LOWERINGS)
"""The names of `choose_conv`'s choices."""


def choose_conv(conv: Conv, x: tuple[int, int, int], numerics: Numerics = "fast") -> Choice:
    """
    The fastest algorithm for a convolution of images of height, width and maps `x`.

    In `strict` it is the fastest that adds up the products of the definition.
    """
    window, image = conv.window, (x[0], x[1])
    (top, bottom), (left, right) = window.grown_sides(image)
    halo = (top, bottom, left, right)
    if conv.kernel == image and conv.groups == 1 and not any(halo):
        # One window that is the whole image: each output is a product with all of its cells.
        return Choice("dense", contiguous=True)
    shape, machine = conv_shape(conv, x), Target.host()
    if fits_planar(shape, machine):
        return Choice("conv_planar", halo=halo)
    if conv.groups == conv.maps == x[2]:
        return Choice("conv_depthwise", halo=halo)
    if numerics == "fast" and WinogradConv.fits(shape, machine):
        winograd = WinogradConv.of(shape, machine)
        squares = winograd.grid[0] * winograd.grid[1]
        saving = shape.pixels * conv.kernel[0] * conv.kernel[1] / (squares * POINTS)
        exact_enough = error_ratio(conv.kernel[0], x[2]) <= MOST_ERROR_RATIO
        if saving >= LEAST_SAVING and squares >= LEAST_SQUARES and exact_enough:
            return Choice("conv_winograd", halo=winograd.halo(image))
    return Choice("conv_direct", halo=halo)


def lower_conv(
    algorithm: str,
    conv: Conv,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: FloatArray,
    bias: FloatArray | None,
) -> Lowered:
    """`y = conv(x)` by one of `ALGORITHMS`."""
    if conv.connect:
        weight = np.where(connection_mask(conv.connect, weight.shape), weight, np.float32(0))
    if algorithm == "dense":
        # The filters in the order of the image's cells.
        rows = np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).reshape(len(weight), -1)
        return lower_dense(x, y, epilogue, rows, bias)
    return _LOWERINGS[algorithm](conv_shape(conv, x.image), x, y, epilogue, weight, bias)


def conv_shape(conv: Conv, x: tuple[int, int, int]) -> ConvShape:
    """What a convolution of images of height, width and maps `x` computes."""
    image: Pair = (x[0], x[1])
    (top, _), (left, _) = conv.window.sides(image)
    return ConvShape(
        size=conv.window.output(image),
        in_maps=x[2],
        out_maps=conv.maps,
        kernel=conv.kernel,
        stride=conv.stride,
        padding=(top, left),
        dilation=conv.dilation,
        groups=conv.groups,
    )
