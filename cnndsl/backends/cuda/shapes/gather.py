"""What the kernels of kernels/gather.py are told."""

from __future__ import annotations

from typing import NamedTuple

OUTSIDE = -1
"""The place of a row or a column that the input has not."""


class RunsShape(NamedTuple):
    """
    `cells` of the whole batch of x: runs of `run` cells that touch.

    In y a run starts `begin` cells into `y_run` ones.
    """

    cells: int
    run: int
    y_run: int
    begin: int


class GatherShape(NamedTuple):
    """
    `cells` of the whole batch of y, whose images have `height`, `width` and `maps`.

    `x_image` and `x_row` lead from one image or row of x to the next, `x_pixel` to the next pixel,
    in floats. `outside` is what cells are whose row or column x has not.
    """

    cells: int
    height: int
    width: int
    maps: int
    x_image: int
    x_row: int
    x_pixel: int
    outside: float
    alpha: float
    beta: float


class ReorderShape(NamedTuple):
    """`cells` of the whole batch, `image` of them an image, the same number in x and y."""

    cells: int
    image: int


class TransposeShape(NamedTuple):
    """
    Each image of x is `rows` times `columns` cells, and of y `columns` times `rows`.

    `squares` are turned side by side in a line of them.
    """

    rows: int
    columns: int
    squares: int
