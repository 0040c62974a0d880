"""Cells taken from other places: the fields of the kernels in kernels/gather.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, source, target
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.plan.plan import Buffer

PIXELS = Kernel("gather", "gather_pixels")
MAPS = Kernel("gather", "gather_maps")
CELLS = Kernel("gather", "gather_cells")
OUTSIDE = -1
"""The place of a row or a column that the input has not."""


class GatherFields(NamedTuple):
    """
    The row of the kernels. A work unit is a row of output pixels of one image.

    `row_places` and `column_places` say, int64, for each row and column of the output which one of
    the input it is, or `OUTSIDE`. `outside` holds the maps of a pixel that the input has not. Maps
    are a run from map `first_map` on; of `gather_maps` they are those that `map_places` names. Of
    `gather_cells`, `map_places` names for each cell of an output image the offset of its input.
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
    column_places: Any
    first_map: Any
    map_places: Any
    outside: Any
    low: Any
    high: Any
    activation: Any


def lower_gather(
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    places: tuple[Sequence[int], Sequence[int], Sequence[int]],
    outside: float | NDArray[np.float32] = 0.0,
) -> Lowered:
    """
    `y[i, j, c] = x[rows[i], columns[j], maps[c]]`, the places being rows, columns and maps.

    A pixel whose row or column is `OUTSIDE` has the maps `outside`; then the maps are a run.
    """
    rows, columns, maps = (np.array(axis, np.int64) for axis in places)
    run = bool(np.all(np.diff(maps) == 1))
    numbers = {
        "row_places": rows,
        "column_places": columns,
        "first_map": int(maps[0]),
        "map_places": maps,
        "outside": np.full(len(maps), outside, np.float32),
    }
    return _lower(PIXELS if run else MAPS, x, y, epilogue, numbers)


def lower_gather_cells(
    x: Buffer, y: Buffer, epilogue: Epilogue, offsets: NDArray[np.int64]
) -> Lowered:
    """`y[i, j, c] = x[offsets[i, j, c]]`, in floats from x's first cell."""
    numbers = {"map_places": np.ascontiguousarray(offsets, np.int64)}
    unused = {"row_places": 0, "column_places": 0, "first_map": 0, "outside": 0}
    return _lower(CELLS, x, y, epilogue, {**numbers, **unused})


def _lower(
    kernel: Kernel, x: Buffer, y: Buffer, epilogue: Epilogue, numbers: dict[str, Any]
) -> Lowered:
    rows, columns, maps = y.image
    floats = 2 if kernel is PIXELS else 8

    def call(batch: int) -> Call:
        fields = GatherFields(
            **source(x, batch),
            **target(y, batch),
            rows=rows,
            columns=columns,
            maps=maps,
            **numbers,
            **epilogue.fields,
        )
        return Call(kernel, fields, batch * rows, floats * columns * maps)

    return call
