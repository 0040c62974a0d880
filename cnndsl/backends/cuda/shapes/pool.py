"""What the kernels of kernels/pool.py are told."""

from __future__ import annotations

from typing import NamedTuple


class PoolShape(NamedTuple):
    """
    `cells` of the whole batch of y, whose images have `height`, `width` and `maps`.

    `padding_top` and `padding_left` are the cells around x's image before its first row and column.
    """

    cells: int
    height: int
    width: int
    maps: int
    x_height: int
    x_width: int
    kernel_height: int
    kernel_width: int
    stride_down: int
    stride_across: int
    dilation_down: int
    dilation_across: int
    padding_top: int
    padding_left: int
    alpha: float
    beta: float


class WholeShape(NamedTuple):
    """An image has `pixels` pixels of `maps` maps."""

    pixels: int
    maps: int
    alpha: float
    beta: float
