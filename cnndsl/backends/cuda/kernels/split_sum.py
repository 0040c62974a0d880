"""The second half of a product whose k is split: the sums of the splits, in their order."""

from __future__ import annotations

from collections.abc import Callable

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.device_code import Floats, quotient
from cnndsl.backends.cuda.kernels.finish import finishers
from cnndsl.backends.cuda.shapes.conv_tile import SplitSumShape


def split_sum_kernel(activation: str) -> Callable[..., None]:
    """The kernel that finishes `rows * maps` cells; threads walk over them."""
    finish_cell = finishers(activation).cell

    def split_sum(x: Floats, bias: Floats, addend: Floats, y: Floats, shape: SplitSumShape) -> None:
        cell = cuda.grid(1)
        while cell < shape.rows * shape.maps:
            row = quotient(cell, shape.maps)
            o = cell - row * shape.maps
            value = float32(0)
            for split in range(shape.splits):
                value += x[split * shape.x_split + cell]
            finish_cell(value, o, row * shape.y_pixel + o, bias, addend, y, shape)
            cell += cuda.gridsize(1)

    return split_sum
