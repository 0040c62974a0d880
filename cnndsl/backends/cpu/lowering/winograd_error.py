"""
How much less exact Winograd's algorithm is than the plain sum, before anything is computed.

Let every rounding be an independent error of the size of what is rounded, as in the probabilistic
analysis of Higham and Mary (A New Approach to Probabilistic Rounding Error Analysis, SIAM J. Sci.
Comput. 41, 2019), and inputs and weights be independent with variance 1. In one direction, a
product at point j has the variance |G_j|^2 |B_j|^2, of the rows of the matrices that take the
filter and the inputs there, and counts A_ij^2 in output i. What the output is itself, r products,
has the variance r. So

    amplification = max_i sum_j A_ij^2 |G_j|^2 |B_j|^2 / r

is by how much the variance of the terms at the points exceeds that of the output they cancel to;
in two directions, those of both are multiplied. A sum of n terms is rounded n times, each time as
large as it has grown: n^2 / 2 roundings of one term. Winograd's sums have a term a map, those of
the definition r s a map for a filter of r x s, and the transforms add T roundings a map. So the
standard errors, of Winograd's worst output over the plain sum's, of n maps, are as

    sqrt(a_down a_across (n^2 / 2 + T n) / (r s n^2 / 2))
        = sqrt(a_down a_across / (r s)) * sqrt(1 + 2 T / n)

which is 15 for 6 x 6 and 2.5 for 4 x 4 outputs of 3x3 filters of many maps, and more of few, whose
plain sums are short. A single output in a direction is computed as defined, and amplifies by 1.
"""

from __future__ import annotations

from functools import cache
from math import prod, sqrt

import numpy as np

from cnndsl.backends.cpu.lowering.winograd_points import (
    input_matrix,
    output_matrix,
    weight_matrix,
)

TRANSFORM_ROUNDINGS = 6  # of inputs on their way to the points: T, as measured
HALF_WAY_ROUNDINGS = 3  # more where weights do half of theirs in float32: a product, two sums
MARGIN = 1.25  # behind a relu half of a plain sum's terms are 0, and not rounded: measured, 1.2


def error_ratio(
    taps: tuple[int, int], outputs: tuple[int, int], maps: int, *, half_way: bool = False
) -> float:
    """
    A bound on the standard error of Winograd's worst output, over that of a plain sum.

    `taps` are the filter's sides, `outputs` a square's, and `maps` those of the input. Weights may
    be kept `half_way` to the points.

    >>> squares = ((3, 3), (4, 4)), ((3, 3), (4, 2)), ((3, 3), (6, 6)), ((5, 5), (4, 4))
    >>> [round(error_ratio(*sides, 512), 1) for sides in squares]
    [3.2, 1.5, 18.8, 7.7]
    """
    terms = TRANSFORM_ROUNDINGS + (HALF_WAY_ROUNDINGS if half_way else 0)
    roundings = sqrt(1 + 2 * terms / maps)
    grown = prod(amplification(r, m) for r, m in zip(taps, outputs, strict=True))
    return MARGIN * sqrt(grown / prod(taps)) * roundings


@cache
def amplification(taps: int, outputs: int) -> float:
    """The variance of the terms at the points over that of the output, in one direction."""
    side = taps + outputs - 1
    both = weight_matrix(side, taps), input_matrix(side, taps)
    filters, inputs = (np.square(matrix).sum(1) for matrix in both)
    return float((np.square(output_matrix(side, taps)) @ (filters * inputs)).max() / taps)
