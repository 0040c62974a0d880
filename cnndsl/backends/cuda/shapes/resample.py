"""What the kernel of kernels/resample.py is told."""

from __future__ import annotations

from typing import NamedTuple


class ResampleShape(NamedTuple):
    """`cells` of the whole batch of y, and the sizes of y's and x's images."""

    cells: int
    height: int
    width: int
    maps: int
    x_height: int
    x_width: int
    alpha: float
    beta: float
