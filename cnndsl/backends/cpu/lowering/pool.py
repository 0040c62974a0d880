"""Max and average pooling and subsampling: the fields of the kernels in kernels/pool.py."""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, source, target
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target
from cnndsl.ops.padding import Padding
from cnndsl.ops.window import Window
from cnndsl.plan.plan import Buffer

# Windows that have kernels of their own, in which no loop runs over their cells.
COMMON_WINDOWS = ((2, 2), (3, 3))
ANY_WINDOW = (0, 0)


class PoolFields(NamedTuple):
    """
    The row of the pooling kernels. A work unit is one row of output pixels of one image.

    `rows`, `columns` and `maps` are those of the output. `row_windows` and `column_windows` are
    tables of `AxisWindow`; `row_step` and `column_step` lead from one cell of a window to the next,
    in floats. The first `whole` pixels of a row are pooled a vector each, their maps and what lies
    behind them. `weight` and `bias`, one a map, are subsampling's.
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
    whole: Any
    row_windows: Any
    column_windows: Any
    row_step: Any
    column_step: Any
    weight: Any
    bias: Any
    low: Any
    high: Any
    activation: Any


class AxisWindow(NamedTuple):
    """
    One window along one axis: its first cell inside the image, and how many cells are inside.

    `divisor` is how many of its cells count in an average.
    """

    first: Any
    cells: Any
    divisor: Any


def whole_image(image: tuple[int, int]) -> Window:
    """The one window of global pooling."""
    return Window(image, (1, 1), Padding("valid"))


def axis_windows(
    window: Window, image: tuple[int, int], axis: int, *, padded: bool = False
) -> NDArray[np.int64]:
    """
    The windows along an axis, as `AxisWindow`s: int64 [windows, 3].

    Windows of which no cell is inside the image have no cells. `padded` makes cells of the padding
    count in the divisor.

    >>> pool = Window((3, 3), (2, 2), Padding("explicit", ((1, 1), (1, 1))))
    >>> axis_windows(pool, (4, 4), 0).tolist()
    [[0, 2, 2], [1, 3, 3]]
    """
    starts = np.arange(window.output(image)[axis]) * window.stride[axis]
    starts -= window.sides(image)[axis][0]
    cells = starts[:, None] + np.arange(window.kernel[axis]) * window.dilation[axis]
    inside = (cells >= 0) & (cells < image[axis])
    first = cells[np.arange(len(cells)), inside.argmax(axis=1)]
    divisors = window.cells_counted(image, axis, padded=padded)
    columns = np.where(inside.any(axis=1), first, 0), inside.sum(axis=1), divisors
    return np.stack(columns, axis=1).astype(np.int64)


def whole_vectors(windows: NDArray[np.int64], dilation: int, x: Buffer, y: Buffer) -> int:
    """
    How many pixels of a row, from the left, may be read and written as a vector of few maps.

    What lies in the vector behind the maps is in the same row, and is written after them.
    `windows` are those along the row.
    """
    (_, width, maps), lanes = x.image, Target.host().lanes
    if maps >= lanes or not x.pixel_stride == y.pixel_stride == maps:
        return 0
    needed = ceil(lanes / maps)  # pixels that a vector takes
    first, cells, _ = windows.T
    readable = first + (cells - 1) * dilation + needed <= width
    writable = np.arange(len(windows)) + needed <= len(windows)
    return int(np.logical_and.accumulate(readable & writable).sum())


def lower_max_pool(window: Window, x: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """`y[i, j, c] = max(window)`; cells outside the image never win."""
    return _lower("max_pool", window, x, y, epilogue, {"weight": 0, "bias": 0}, padded=False)


def lower_avg_pool(
    window: Window, x: Buffer, y: Buffer, epilogue: Epilogue, *, padded: bool
) -> Lowered:
    """`y[i, j, c] = sum(window) / cells`; with `padded`, the padding's cells are counted."""
    return _lower("avg_pool", window, x, y, epilogue, {"weight": 0, "bias": 0}, padded=padded)


def lower_lp_pool(window: Window, p: float, x: Buffer, y: Buffer, epilogue: Epilogue) -> Lowered:
    """`y[i, j, c] = sum(|window|^p) ^ (1 / p)`."""
    numbers = {"weight": 0, "bias": 0}
    return _lower("lp_pool", window, x, y, epilogue, numbers, padded=False, of=(p,))


def lower_subsample(
    window: Window,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32],
) -> Lowered:
    """`y[i, j, c] = bias[c] + weight[c] * sum(window)`."""
    numbers = {"weight": weight, "bias": bias}
    return _lower("subsample", window, x, y, epilogue, numbers, padded=False)


def _lower(
    function: str,
    window: Window,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    numbers: dict[str, Any],
    *,
    padded: bool,
    of: tuple[float, ...] = (),
) -> Lowered:
    height, width, maps = x.image
    rows, columns = window.output((height, width))
    tables = [axis_windows(window, (height, width), axis, padded=padded) for axis in (0, 1)]
    common = window.kernel in COMMON_WINDOWS and not window.overhangs((height, width))
    kernel = Kernel("pool", function, (*(window.kernel if common else ANY_WINDOW), *of))
    whole = 0 if function == "subsample" else whole_vectors(tables[1], window.dilation[1], x, y)
    unit_floats = columns * maps * (1 + window.kernel[0] * window.kernel[1])

    def call(batch: int) -> Call:
        fields = PoolFields(
            **source(x, batch),
            **target(y, batch),
            rows=rows,
            columns=columns,
            maps=maps,
            whole=whole,
            row_windows=tables[0],
            column_windows=tables[1],
            row_step=window.dilation[0] * x.row_stride,
            column_step=window.dilation[1] * x.pixel_stride,
            **numbers,
            **epilogue.fields,
        )
        return Call(kernel, fields, batch * rows, unit_floats)

    return call
