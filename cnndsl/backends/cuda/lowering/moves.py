"""What moves cells and computes little: concat, pad, slice, reshape, resize, constants, ..."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.launch import Launch, Lowered, start_of
from cnndsl.backends.cuda.lowering.cells import lower_cells
from cnndsl.backends.cuda.lowering.shared import CellKernel, Lowering, Params, epilogue_of, size_of
from cnndsl.backends.cuda.shapes.epilogue import Epilogue
from cnndsl.backends.cuda.shapes.gather import (
    OUTSIDE,
    GatherShape,
    ReorderShape,
    RunsShape,
    TransposeShape,
)
from cnndsl.backends.cuda.shapes.resample import ResampleShape
from cnndsl.ops.concat import Concat
from cnndsl.ops.pad import Pad
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.sampling import Taps
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Slice
from cnndsl.plan.plan import COPY, Buffer, Step
from cnndsl.types import f32

Places = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""For each row, column and map of y the one of x, or `OUTSIDE`."""

SQUARE = 32
"""The side of the squares that are turned at a time."""


def _concat(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    """Each operand to its own place in y."""
    assert isinstance(step.op, Concat)
    axis = {"height": 0, "width": 1, "maps": 2}[step.op.axis]
    y_run = int(np.prod(step.y.image[axis:]))
    lowered: list[Lowered] = []
    begin = 0
    for x in step.x:
        run = int(np.prod(x.image[axis:]))
        lowered.append(_lower_runs(x, step.y, gpu, run, y_run, begin))
        begin += run
    return lowered


def _lower_runs(x: Buffer, y: Buffer, gpu: Gpu, run: int, y_run: int, begin: int) -> Lowered:
    def shape(cells: int) -> RunsShape:
        return RunsShape(cells, run, y_run, begin)

    return CellKernel("gather", "runs", shape).lowered(gpu, (x,), y, None, size_of(x))


def _move(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    x, y, epilogue = step.x[0], step.y, epilogue_of(step)
    match step.op:
        case Pad() as op:
            return [_lower_gather(x, y, epilogue, gpu, _padded(op, x), op.value or 0.0)]
        case Slice() as op:
            *image, maps = op.places(f32(*x.shape))
            rows, columns = image or (range(1), range(1))
            return [_lower_gather(x, y, epilogue, gpu, (rows, columns, maps))]
        case Shuffle() as op:
            height, width, maps = x.image
            dealt = np.arange(maps).reshape(op.groups, -1).T.reshape(-1)
            places = range(height), range(width), dealt.tolist()
            return [_lower_gather(x, y, epilogue, gpu, places)]
        case Reshape() as op:
            # The operator itself says where each cell goes: it is shown where they are.
            cells = np.arange(size_of(x), dtype=np.float64).reshape(1, *x.shape)
            return [_lower_reorder(x, y, gpu, op.evaluate(cells).reshape(-1))]
        case op:
            assert isinstance(op, Resize)
            return [_lower_resize(op, x, y, epilogue, gpu)]


def _padded(op: Pad, x: Buffer) -> Places:
    height, width, maps = x.image
    (top, bottom), (left, right) = op.padding
    rows = [_inside(op.mode, i, height) for i in range(-top, height + bottom)]
    columns = [_inside(op.mode, i, width) for i in range(-left, width + right)]
    return rows, columns, range(maps)


def _inside(mode: str, place: int, size: int) -> int:
    """The place in the image that a place around it takes its cell from, or `OUTSIDE`."""
    if mode == "edge":
        return min(max(place, 0), size - 1)
    if mode == "reflect":
        return size - 1 - abs(size - 1 - abs(place))
    return place if 0 <= place < size else OUTSIDE


def _lower_gather(
    x: Buffer, y: Buffer, epilogue: Epilogue, gpu: Gpu, places: Places, outside: float = 0.0
) -> Lowered:
    tables = tuple(np.array(axis, np.int32) for axis in places)
    strides = x.image_stride, x.row_stride, x.pixel_stride

    def shape(cells: int) -> GatherShape:
        return GatherShape(cells, *y.image, *strides, outside, epilogue.alpha, epilogue.beta)

    return CellKernel("gather", "gather_kernel", shape).lowered(gpu, (x, *tables), y, epilogue)


def _lower_reorder(x: Buffer, y: Buffer, gpu: Gpu, places: NDArray[np.float64]) -> Lowered:
    table = places.astype(np.int32)

    def shape(cells: int) -> ReorderShape:
        return ReorderShape(cells, len(table))

    return CellKernel("gather", "reorder", shape).lowered(gpu, (x, table), y, None)


def _lower_resize(op: Resize, x: Buffer, y: Buffer, epilogue: Epilogue, gpu: Gpu) -> Lowered:
    (height, width, maps), sampling = x.image, op.sampling(f32(*x.shape))
    down, across = sampling.taps(height, y.image[0]), sampling.taps(width, y.image[1])
    if op.mode == "nearest":
        # A place that is rounded is a cell's: the one behind it has no share.
        places = down[0].tolist(), across[0].tolist(), range(maps)
        return _lower_gather(x, y, epilogue, gpu, places)

    def shape(cells: int) -> ResampleShape:
        numbers = epilogue.alpha, epilogue.beta
        return ResampleShape(cells, *y.image, height, width, *numbers)

    reads = (x, *_tables(down), *_tables(across))
    return CellKernel("resample", "resample_kernel", shape).lowered(gpu, reads, y, epilogue)


def _tables(taps: Taps) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    return taps[0].astype(np.int32), taps[2].astype(np.float32)


def _copy(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    """The planner's own step: the same cells, or maps and pixels exchanged."""
    (x,), y = step.x, step.y
    height, width, maps = x.image
    if x.layout == y.layout or maps == 1 or height * width == 1:
        return [lower_cells("elementwise_kernel", (x,), y, Epilogue(), gpu)]
    rows, columns = (height * width, maps) if x.layout == "nhwc" else (maps, height * width)
    return [_lower_transpose(x, y, gpu, rows, columns)]


def _lower_transpose(x: Buffer, y: Buffer, gpu: Gpu, rows: int, columns: int) -> Lowered:
    side = min(SQUARE, gpu.threads)
    step = max(1, gpu.threads // side)
    squares = -(-columns // side)
    sizes = rows, columns, squares
    kernel = Kernel("gather", "transpose_kernel", (side, step))

    def launches(batch: int) -> list[Launch]:
        # One axis has all squares: the others have no room for a large image's.
        grid = -(-rows // side) * squares, batch, 1
        arguments, shape = (start_of(x, batch), start_of(y, batch)), TransposeShape(*sizes)
        return [Launch(kernel, grid, (side, step, 1), arguments, shape)]

    return launches


def _constant(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    """The same cells for every image: from one to the next, the source stays in place."""
    y, epilogue = step.y, epilogue_of(step)
    _, width, maps = y.image
    tables = tuple(np.arange(side, dtype=np.int32) for side in y.image)

    def shape(cells: int) -> GatherShape:
        numbers = epilogue.alpha, epilogue.beta
        return GatherShape(cells, *y.image, 0, width * maps, maps, 0.0, *numbers)

    reads = params["value"], *tables
    return [CellKernel("gather", "gather_kernel", shape).lowered(gpu, reads, y, epilogue)]


LOWERINGS: dict[str, Lowering] = {
    "concat": _concat,
    "move": _move,
    COPY: _copy,
    "constant": _constant,
}
