"""
Depthwise convolution, each map by itself, and that of small groups: the fields and the tiles.

Vectors go over maps, which lie side by side. A tile computes some maps of neighbouring pixels of a
row: what it reads of a row of the window is loaded once for all pixels that need it, and so are the
weights. Where a group has several maps, each is spread over the lanes of its group.
"""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, start_of, target
from cnndsl.backends.cpu.lowering.conv_direct import MACS_OF_FLOAT, offsets
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer

MOST_GROUP = 4  # maps of a group: more lie in several quarters of a register, far from each other
CACHE_LINE = 16  # floats
MOST_VECTORS = 2  # of a tile: two are a cache line where vectors are halves of one
# Fitted to the tiles of sixteen convolutions, measured on Zen 3:
TURN_COST = 0.5  # multiply-adds that take as long as to begin a run of taps, a vector of maps
CHAINS = 6  # sums that a tile needs: of fewer, each waits for itself
FLOATS_NEAR = 1 << 18  # of an image: a cache of 512 KiB has most of what was read of less
HALF_LINES = 1.1  # times as long for vectors that are halves of cache lines: they share banks


class ConvDepthwiseFields(NamedTuple):
    """
    The row of the kernel. Addresses are bytes, all else counts floats.

    `rows`, `columns` and `maps` are those of the output, and a work unit is one row of one image.
    `x` is the address of the first float that the first output pixel reads, halo included;
    `x_down` leads to what the pixel below reads, `x_pixel` to the next pixel, `x_row` to the row
    below and `x_ahead` to the first row that only the pixel below reads. `weights` is [taps,
    maps of a group, maps] and `bias` [maps]; `runs` is a table of int64, of where each run of a
    window's taps begins that lie in a row.
    """

    rows: Any
    columns: Any
    maps: Any
    x: Any
    x_image: Any
    x_down: Any
    x_pixel: Any
    x_row: Any
    x_ahead: Any
    weights: Any
    bias: Any
    runs: Any
    run_count: Any
    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    low: Any
    high: Any
    activation: Any


class DepthwiseTile(NamedTuple):
    """
    The parameters of the kernel.

    A tile is of `pixels` of a row times `vectors` of `lanes` maps. `run` neighbouring taps of a
    window's row are taken at a time, `dilation` pixels apart, and the tile's pixels `stride`. Each
    map reads the `group` maps of its group. Of the rows that only the tile below reads, `ahead` are
    asked for.
    """

    pixels: int
    vectors: int
    lanes: int
    run: int
    stride: int
    dilation: int
    group: int
    ahead: int = 0


def fits_depthwise(shape: ConvShape) -> bool:
    """Whether groups write as many maps as they read, and few enough."""
    return shape.group_in == shape.group_out and shape.group_in in (1, 2, MOST_GROUP)


def depthwise_tile(shape: ConvShape, machine: Target, lanes: int | None = None) -> DepthwiseTile:
    """
    The tile that takes least time for a convolution.

    It is no larger than an image, so that the last one of a row or of a pixel can be shifted back
    onto its neighbour.
    """
    maps, width, taps = shape.out_maps, shape.size[1], shape.kernel[1]
    group, room = shape.group_in, machine.registers
    lanes = min(lanes or machine.lanes, 1 << (maps.bit_length() - 1))

    def cost(tile: DepthwiseTile) -> float:
        tiles = ceil(width / tile.pixels) * ceil(maps / (tile.vectors * lanes))
        taken = max(tile.pixels, CHAINS / tile.vectors) + TURN_COST / tile.run
        work = tiles * tile.vectors * taken
        return work if tile.vectors * lanes >= CACHE_LINE else work * HALF_LINES

    tiles = [
        DepthwiseTile(pixels, vectors, lanes, run, shape.stride[1], shape.dilation[1], group)
        for vectors in range(1, MOST_VECTORS + 1)
        for run in range(1, taps + 1)
        if taps % run == 0
        and vectors <= run  # more is only faster where inputs are reused
        and vectors * lanes <= maps
        for pixels in range(1, width + 1)
        # Sums and weights, and an input: as it was loaded, and as it is spread for each of a group;
        # and the next input, for processors for which LLVM loads it early.
        if (pixels + run * group) * vectors + group + (group > 1) < room
    ]
    return min(tiles, key=cost)


def _comes_from_afar(x: Buffer, tile: DepthwiseTile) -> bool:
    """
    Whether the rows that a tile reads have to be asked for.

    Those of a small image are in the second-level cache, and a few maps of a pixel after the other
    are read in the order that processors foresee.
    """
    width = tile.vectors * tile.lanes
    return x.image_stride > FLOATS_NEAR and width >= CACHE_LINE and x.pixel_stride > 2 * width


def lower_conv_depthwise(
    shape: ConvShape,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    lanes: int | None = None,
) -> Lowered:
    """`y = conv(x)` with `weight` [maps, maps of a group, kh, kw], of what `fits_depthwise`."""
    maps, (height, width) = shape.out_maps, shape.size
    tile = depthwise_tile(shape, Target.host(), lanes)
    span = (shape.kernel[0] - 1) * shape.dilation[0] + 1
    fresh = min(shape.stride[0], span)  # rows that a row of outputs reads and none above it
    if _comes_from_afar(x, tile):
        tile = tile._replace(ahead=fresh)
    runs = offsets(shape, x)[:: tile.run * tile.group].copy()
    numbers = {
        "rows": height,
        "columns": width,
        "maps": maps,
        "x_image": x.image_stride,
        "x_down": shape.stride[0] * x.row_stride,
        "x_pixel": x.pixel_stride,
        "x_row": x.row_stride,
        "x_ahead": (shape.stride[0] + span - fresh) * x.row_stride,
        "weights": np.ascontiguousarray(weight.transpose(2, 3, 1, 0)),
        "bias": np.zeros(maps, np.float32) if bias is None else bias,
        "runs": runs,
        "run_count": len(runs),
        **epilogue.fields,
    }
    before = shape.padding[0] * x.row_stride + shape.padding[1] * x.pixel_stride
    unit_floats = width * maps * (2 + shape.reduction // MACS_OF_FLOAT)
    kernel = Kernel("conv_depthwise", "conv_depthwise", tile)

    def call(batch: int) -> Call:
        first = start_of(x, batch).moved(-before)
        fields = ConvDepthwiseFields(x=first, **target(y, batch), **numbers)
        return Call(kernel, fields, batch * height, unit_floats)

    return call
