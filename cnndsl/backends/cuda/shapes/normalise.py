"""What the kernels of kernels/lrn.py, kernels/normalise.py and kernels/softmax.py are told."""

from __future__ import annotations

from typing import NamedTuple


class LrnShape(NamedTuple):
    """
    `cells` of the whole batch in pixels of `maps`.

    The squares of maps c - `lower` to c + `upper` are summed; the sum counts `scale` and is added
    to `k`.
    """

    cells: int
    maps: int
    lower: int
    upper: int
    scale: float
    k: float
    alpha: float
    beta: float


class LinesShape(NamedTuple):
    """`lines` of the whole batch, each of `length` cells that touch: the maps of a pixel."""

    lines: int
    length: int
    epsilon: float
    alpha: float
    beta: float


class GroupsShape(NamedTuple):
    """
    An image has `pixels` pixels of `groups` groups of `group_maps` maps.

    The factors of map c of pixel p are number `p * factor_pixel + c`: `factor_pixel` is 0 where
    each map has one, and the number of maps where each cell has.
    """

    pixels: int
    groups: int
    group_maps: int
    factor_pixel: int
    epsilon: float
    alpha: float
    beta: float
