"""Moving images between layouts, elementwise functions, constants, zeros around an image."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, source, target
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.plan.plan import Buffer

COPY = Kernel("copy", "copy")
PERMUTE = Kernel("copy", "permute")
ZERO_HALO = Kernel("copy", "zero_halo")


class CopyFields(NamedTuple):
    """The row of `copy`. A work unit is a row of pixels of one image."""

    x: Any
    x_image: Any
    x_row: Any
    x_pixel: Any
    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    rows: Any
    columns: Any
    maps: Any
    low: Any
    high: Any
    activation: Any


class PermuteFields(NamedTuple):
    """The row of `permute`, where the maps of a pixel need not touch. Work units as in `copy`."""

    x: Any
    x_image: Any
    x_row: Any
    x_pixel: Any
    x_map: Any
    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    y_map: Any
    rows: Any
    columns: Any
    maps: Any


class ZeroHaloFields(NamedTuple):
    """
    The row of `zero_halo`. `y` is the first cell that is no halo; the halo's sides are in cells.

    A work unit is a row of pixels of one image, those of the halo among them.
    """

    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    rows: Any
    columns: Any
    top: Any
    bottom: Any
    left: Any
    right: Any


def lower_copy(x: Buffer, y: Buffer, epilogue: Epilogue, at: int = 0) -> Lowered:
    """
    `y = epilogue(x)` cell by cell; x and y may be the same memory.

    `y` may be larger than x, which then lands `at` floats after its first cell.
    """
    rows, columns, maps = x.image
    if x.pixel_stride == maps == y.pixel_stride:
        # The pixels of a row touch in both: a row is one run of floats.
        columns, maps = 1, columns * maps

    def call(batch: int) -> Call:
        fields = CopyFields(
            **source(x, batch),
            **target(y, batch, at),
            rows=rows,
            columns=columns,
            maps=maps,
            **epilogue.fields,
        )
        return Call(COPY, fields, batch * rows, 2 * columns * maps)

    return call


def lower_constant(value: NDArray[np.float32], y: Buffer, epilogue: Epilogue) -> Lowered:
    """`y = epilogue(value)` for every image: from one to the next, the source stays in place."""
    rows, columns, maps = y.image

    def call(batch: int) -> Call:
        fields = CopyFields(
            x=value,
            x_image=0,
            x_row=columns * maps,
            x_pixel=maps,
            **target(y, batch),
            rows=rows,
            columns=columns,
            maps=maps,
            **epilogue.fields,
        )
        return Call(COPY, fields, batch * rows, 2 * columns * maps)

    return call


def lower_permute(x: Buffer, y: Buffer) -> Lowered:
    """`y = x`, one of them or both in the layout nchw."""
    rows, columns, maps = x.image

    def call(batch: int) -> Call:
        fields = PermuteFields(
            **source(x, batch),
            x_map=x.map_stride,
            **target(y, batch),
            y_map=y.map_stride,
            rows=rows,
            columns=columns,
            maps=maps,
        )
        return Call(PERMUTE, fields, batch * rows, 8 * columns * maps)

    return call


def lower_zero_halo(y: Buffer) -> Lowered:
    """Zeros around every image of `y`."""
    rows, columns, maps = y.image
    top, bottom, left, right = y.halo
    all_rows = top + rows + bottom

    def call(batch: int) -> Call:
        fields = ZeroHaloFields(
            **target(y, batch),
            rows=rows,
            columns=columns,
            top=top,
            bottom=bottom,
            left=left,
            right=right,
        )
        cells = all_rows * (left + right) + (top + bottom) * columns
        return Call(ZERO_HALO, fields, batch * all_rows, -(-cells * maps // all_rows))

    return call
