"""
The points at which Winograd's algorithm evaluates polynomials, and the matrices that follow.

m outputs of a filter of r taps in one direction read m + r - 1 inputs. Inputs and filter, taken as
polynomials, are evaluated at as many points, and multiplied there: for m x m outputs of a filter in
two directions, that is (m + r - 1)^2 products for the m^2 r^2 of the definition. The outputs follow
by Lagrange's interpolation, transposed. Lavin and Gray, Fast Algorithms for Convolutional Neural
Networks (arXiv:1509.09308).

Any points will do in exact arithmetic; in floating point they decide how exact the outputs are. So
these were searched for, among the multiples of 1/16: they make the error of `winograd_error` least
or nearly so, and for 6 points a quarter of what 0, 1, -1, 2, -2 and infinity make it.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]

PAIRS: dict[int, tuple[float, ...]] = {
    4: (1.0,),
    5: (0.4375, 1.25),
    6: (0.6875, 1.5),
    7: (0.3125, 0.875, 1.625),
    8: (0.5625, 1.0, 1.75),
    9: (0.25, 0.6875, 1.125, 2.0625),
}
"""
By their number, the points: p and -p of each pair, 0 if the number is even, and infinity.

Pairs, since then half of the sums at p are those at -p.
"""


def roots(side: int) -> list[float]:
    """The finite points of `side`, in the order that all matrices have them; infinity is last."""
    zero = [] if side % 2 else [0.0]
    return zero + [sign * p for p in PAIRS[side] for sign in (1.0, -1.0)]


def weight_matrix(side: int, r: int) -> Matrix:
    """
    The matrix that evaluates a filter of r taps at the points, [side, r].

    Row j is the powers of root j over the product of its distances to the other roots: the
    denominators of Lagrange's interpolation, which so are spared on the way back. For a single
    output the points are the taps, here and below: that is the definition.
    """
    if side == r:
        return np.eye(r)
    matrix = np.zeros((side, r))
    for row, root in zip(matrix, roots(side), strict=False):
        row[:] = np.power(root, np.arange(r))
        row /= np.prod([root - other for other in roots(side) if other != root])
    matrix[-1, -1] = 1.0
    return matrix


def input_matrix(side: int, r: int) -> Matrix:
    """
    The matrix that takes inputs to the points, [side, side].

    Row j has the coefficients of the polynomial that is 0 at all other roots: what Lagrange's
    interpolation multiplies with the value at root j, the constant first.
    """
    if side == r:
        return np.eye(r)
    matrix = np.zeros((side, side))
    for row, root in zip(matrix, roots(side), strict=False):
        row[:-1] = np.poly([other for other in roots(side) if other != root])[::-1]
    matrix[-1] = np.poly(roots(side))[::-1]
    return matrix


def output_matrix(side: int, r: int) -> Matrix:
    """The matrix that takes the products at the points to outputs, [outputs, side]."""
    outputs = side + 1 - r
    if outputs == 1:
        return np.ones((1, r))
    matrix = np.zeros((outputs, side))
    matrix[:, :-1] = np.power(np.array(roots(side)), np.arange(outputs)[:, None])
    matrix[-1, -1] = 1.0
    return matrix


class HalfPoint(NamedTuple):
    """
    A point of a filter whose taps are scaled by `tap_scales`.

    `number` counts through the points, `root` is in units of the first pair's, None for infinity,
    and `scale` is what the value of the taps there has to be multiplied by.
    """

    number: int
    root: float | None
    scale: float


def tap_scales(side: int, r: int) -> Matrix:
    """
    What the taps of a filter are scaled by if the way to the points ends beside the products, [r].

    The powers of the first pair's point: so its values are but sums and differences.
    """
    return np.power(PAIRS[side][0], np.arange(r, dtype=np.float64))


@cache
def half_points(side: int, r: int, most: int) -> tuple[tuple[HalfPoint, ...], ...]:
    """The points in groups of at most so many, both of a pair in one group if there is room."""
    unit = PAIRS[side][0]
    scales = weight_matrix(side, r)[:, 0]  # one over the product of a root's distances
    points = [HalfPoint(i, p / unit, float(scales[i])) for i, p in enumerate(roots(side))]
    singles = [p for p in points if not p.root] + [HalfPoint(side - 1, None, unit ** (1.0 - r))]
    pairs = [p for p in points if p.root]
    size = max(1, most - most % 2)
    groups = [pairs[i : i + size] for i in range(0, len(pairs), size)]
    for point in singles:
        room = next((group for group in groups if len(group) < most), None)
        if room is None:
            groups.append([point])
        else:
            room.append(point)
    return tuple(map(tuple, groups))
