"""Bilinear interpolation: the fields of the kernel in kernels/resample.py."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, source, target
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.ops.sampling import Taps
from cnndsl.plan.plan import Buffer

RESAMPLE = Kernel("resample", "resample")


class ResampleFields(NamedTuple):
    """
    The row of the kernel. A work unit is a row of output pixels of one image.

    For each row and column of the output, the two of the input that it lies between, int64
    [rows, 2], and the shares of both, float32 [rows, 2].
    """

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
    row_places: Any
    row_shares: Any
    column_places: Any
    column_shares: Any
    low: Any
    high: Any
    activation: Any


def lower_resample(rows: Taps, columns: Taps, x: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """Each cell of y from four of x, weighted along the rows and along the columns."""
    row_places, row_shares = _tables(rows)
    column_places, column_shares = _tables(columns)
    _, width, maps = y.image

    def call(batch: int) -> Call:
        fields = ResampleFields(
            **source(x, batch),
            **target(y, batch),
            rows=len(row_places),
            columns=len(column_places),
            maps=maps,
            row_places=row_places,
            row_shares=row_shares,
            column_places=column_places,
            column_shares=column_shares,
            **epilogue.fields,
        )
        return Call(RESAMPLE, fields, batch * len(row_places), 5 * width * maps)

    return call


def _tables(taps: Taps) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    low, high, share = taps
    places = np.stack([low, high], axis=1).astype(np.int64)
    return places, np.stack([1.0 - share, share], axis=1).astype(np.float32)
