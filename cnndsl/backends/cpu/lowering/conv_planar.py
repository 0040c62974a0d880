"""
Convolution of few maps in planes to few maps: its fields, its packed weights and work units.

Where the pixels of an input map lie side by side, vectors go over pixels, as they cannot where a
pixel's maps lie between: every lane is used, however few the output maps are. A tile computes all
output maps of some vectors of pixels in registers. At its end it turns each vector's pixels into
rows of maps, channels last.
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

MOST_VECTORS = 4  # of pixels in a tile: enough sums for the multiply-adds to follow each other


class ConvPlanarFields(NamedTuple):
    """
    The row of the kernel. Addresses are bytes, all else counts floats.

    `rows`, `columns` and `maps` are those of the output, and a work unit is `block` of the rows of
    one image. `starts`, int64 [starts_count, 2], says for each vector of pixels of a block where it
    is read and where it is written, from the block's first pixel on; they are whole tiles. `x` is
    the address of the first float that the first output pixel reads, halo included, and
    `x_down` leads to what the pixel below reads. `weights` is [reduction, maps] and `bias` [maps].
    `runs` is a table of int64: where each run of neighbouring floats begins that a pixel reads.
    """

    rows: Any
    columns: Any
    maps: Any
    block: Any
    starts: Any
    starts_count: Any
    x: Any
    x_image: Any
    x_down: Any
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


def fits_planar(shape: ConvShape, machine: Target) -> bool:
    """Whether a convolution can be computed this way: of one map, step by step, to few maps."""
    wide = shape.size[1] >= machine.lanes
    return wide and shape.in_maps == shape.stride[1] == 1 and shape.out_maps <= most_maps(machine)


def most_maps(machine: Target) -> int:
    """
    The most output maps of a tile of two vectors.

    There are two sums a map, and two inputs, a weight and a register to spare. More maps than a
    vector holds are better off where vectors are of maps.
    """
    return min(machine.lanes, (machine.registers - 4) // 2)


def planar_lanes(width: int, machine: Target) -> int:
    """
    The lanes of vectors of pixels, for rows of `width`.

    A processor that computes its vectors in halves loses nothing with half a vector, which may
    leave less over at the end of a row.

    >>> for cpu in ("znver1", "znver3"):
    ...     [planar_lanes(width, Target(cpu, (), 8, 16)) for width in (28, 32)]
    [4, 8]
    [8, 8]
    """
    most = machine.lanes
    choice = (most, most // 2) if machine.vectors_a_cycle == 1 else (most,)
    return min(choice, key=lambda lanes: ceil(width / lanes) * lanes)


def _rows_of_a_block(height: int, across: int, vectors: int) -> int:
    """Rows whose vectors, `across` each, fill whole tiles of `vectors`; 1 where none do."""
    rows = (n for n in range(1, vectors + 1) if height % n == 0 == n * across % vectors)
    return next(rows, 1)


def lower_conv_planar(
    shape: ConvShape,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    lanes: int | None = None,
) -> Lowered:
    """`y = conv(x)` with `weight` [out, 1, kh, kw], for what fits."""
    machine, maps, (height, width) = Target.host(), shape.out_maps, shape.size
    lanes = lanes or planar_lanes(width, machine)
    across = ceil(width / lanes)
    most = max(1, min(MOST_VECTORS, (machine.registers - 1) // (maps + 1)))
    vectors = ceil(across / ceil(across / most))
    block = _rows_of_a_block(height, across, vectors)
    starts = [(row, min(i * lanes, width - lanes)) for row in range(block) for i in range(across)]
    starts += starts[-1:] * (-len(starts) % vectors)
    run = shape.kernel[1] if shape.dilation[1] == 1 else 1
    numbers = {
        "rows": height,
        "columns": width,
        "maps": maps,
        "block": block,
        "starts": np.array(
            [
                (
                    row * shape.stride[0] * x.row_stride + at,
                    row * y.row_stride + at * y.pixel_stride,
                )
                for row, at in starts
            ],
            np.int64,
        ),
        "starts_count": len(starts),
        "x_image": x.image_stride,
        "x_down": shape.stride[0] * x.row_stride,
        "weights": np.ascontiguousarray(weight.reshape(maps, -1).T),
        "bias": np.zeros(maps, np.float32) if bias is None else bias,
        "runs": offsets(shape, x)[::run].copy(),
        "run_count": shape.reduction // run,
        **epilogue.fields,
    }
    before = shape.padding[0] * x.row_stride + shape.padding[1] * x.pixel_stride
    touching = int(y.pixel_stride == maps)
    kernel = Kernel("conv_planar", "conv_planar", (maps, vectors, lanes, run, touching))

    def call(batch: int) -> Call:
        first = start_of(x, batch).moved(-before)
        fields = ConvPlanarFields(x=first, **target(y, batch), **numbers)
        unit_floats = block * width * maps * shape.reduction // MACS_OF_FLOAT
        return Call(kernel, fields, batch * height // block, unit_floats)

    return call
