"""Cells taken from other places."""

from collections.abc import Callable

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.device_code import Floats, Ints, coordinates, quotient
from cnndsl.backends.cuda.kernels.epilogue import activation_function
from cnndsl.backends.cuda.shapes.gather import (
    OUTSIDE,
    GatherShape,
    ReorderShape,
    RunsShape,
    TransposeShape,
)


def runs(x: Floats, y: Floats, shape: RunsShape) -> None:
    """Runs of x's cells to their places between others in y."""
    i = cuda.grid(1)
    while i < shape.cells:
        number = quotient(i, shape.run)
        y[number * shape.y_run + shape.begin + i - number * shape.run] = x[i]
        i += cuda.gridsize(1)


def reorder(x: Floats, places: Ints, y: Floats, shape: ReorderShape) -> None:
    """`y[k] = x[places[k]]`, image by image."""
    i = cuda.grid(1)
    while i < shape.cells:
        first = quotient(i, shape.image) * shape.image
        y[i] = x[first + places[i - first]]
        i += cuda.gridsize(1)


def gather_kernel(activation: str) -> Callable[..., None]:
    """`y[i, j, c] = x[rows[i], columns[j], maps[c]]`; some rows and columns are `OUTSIDE`."""
    activated = activation_function(activation)

    def gather(
        x: Floats, rows: Ints, columns: Ints, maps: Ints, y: Floats, shape: GatherShape
    ) -> None:
        i = cuda.grid(1)
        while i < shape.cells:
            image, i_row, i_column, c = coordinates(i, shape.height, shape.width, shape.maps)
            row, column = rows[i_row], columns[i_column]
            cell = float32(shape.outside)
            if row != OUTSIDE and column != OUTSIDE:
                at = image * shape.x_image + row * shape.x_row + column * shape.x_pixel
                cell = x[at + maps[c]]
            y[i] = activated(cell, shape.alpha, shape.beta)
            i += cuda.gridsize(1)

    return gather


def transpose_kernel(side: int, step: int) -> Callable[..., None]:
    """
    Each image's rows as columns.

    A block of `side` x `step` threads turns a square of `side` x `side` cells in shared memory, so
    that it reads and writes runs.
    """
    # One column more than a square has: cells of a column then lie in different banks.
    pitch = side + 1
    cells = side * pitch

    def transpose(x: Floats, y: Floats, shape: TransposeShape) -> None:
        square = cuda.shared.array(cells, float32)
        across, down = cuda.threadIdx.x, cuda.threadIdx.y
        line = quotient(cuda.blockIdx.x, shape.squares)
        left, top = (cuda.blockIdx.x - line * shape.squares) * side, line * side
        image = cuda.blockIdx.y * shape.rows * shape.columns
        for row in range(down, side, step):
            if top + row < shape.rows and left + across < shape.columns:
                square[row * pitch + across] = x[
                    image + (top + row) * shape.columns + left + across
                ]
        cuda.syncthreads()
        for row in range(down, side, step):
            if left + row < shape.columns and top + across < shape.rows:
                y[image + (left + row) * shape.rows + top + across] = square[across * pitch + row]

    return transpose
