"""What the kernel of kernels/multiply.py is told."""

from __future__ import annotations

from typing import NamedTuple


class MultiplyShape(NamedTuple):
    """
    `cells` of the whole batch of y, whose images have `height`, `width` and `maps`.

    Strides of the operands a and b count floats; along an axis of one cell, which goes with all of
    y's, a stride is 0.
    """

    cells: int
    height: int
    width: int
    maps: int
    a_image: int
    a_row: int
    a_pixel: int
    a_map: int
    b_image: int
    b_row: int
    b_pixel: int
    b_map: int
    alpha: float
    beta: float
