"""Bilinear interpolation."""

from collections.abc import Callable

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.device_code import Floats, Ints, coordinates
from cnndsl.backends.cuda.kernels.epilogue import activation_function
from cnndsl.backends.cuda.shapes.resample import ResampleShape


def resample_kernel(activation: str) -> Callable[..., None]:
    """
    Each cell of y from four of x.

    Row i of y lies between row `rows[i]` of x and the one behind it, whose share is
    `row_shares[i]`; columns are alike.
    """
    activated = activation_function(activation)

    def resample(
        x: Floats,
        rows: Ints,
        row_shares: Floats,
        columns: Ints,
        column_shares: Floats,
        y: Floats,
        shape: ResampleShape,
    ) -> None:
        i = cuda.grid(1)
        while i < shape.cells:
            image, row, column, c = coordinates(i, shape.height, shape.width, shape.maps)
            above, left = rows[row], columns[column]
            # The last row has none behind it, and then no share either.
            below = min(above + 1, shape.x_height - 1)
            right = min(left + 1, shape.x_width - 1)
            down, across = row_shares[row], column_shares[column]
            first = image * shape.x_height
            upper = (first + above) * shape.x_width
            lower = (first + below) * shape.x_width
            before = x[(upper + left) * shape.maps + c] * (float32(1) - down)
            before += x[(lower + left) * shape.maps + c] * down
            behind = x[(upper + right) * shape.maps + c] * (float32(1) - down)
            behind += x[(lower + right) * shape.maps + c] * down
            cell = before * (float32(1) - across) + behind * across
            y[i] = activated(cell, shape.alpha, shape.beta)
            i += cuda.gridsize(1)

    return resample
