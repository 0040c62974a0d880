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
in two directions, it is squared. A sum of n terms is rounded n times, each time as large as it has
grown: n^2 / 2 roundings of one term. Winograd's sums have a term a map, those of the definition r^2
a map, and the transforms add T roundings a map. So the standard errors, of Winograd's worst output
over the plain sum's, of n maps, are as

    sqrt(amplification^2 (n^2 / 2 + T n) / (r^2 n^2 / 2)) = amplification / r * sqrt(1 + 2 T / n)

which is 10 for 3x3 and 4 for 5x5 filters of many maps, and more of few, whose plain sums are short.
"""

from __future__ import annotations

from functools import cache
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.conv_winograd import ROOTS, SIDE, weight_matrix

TRANSFORM_ROUNDINGS = 8  # of inputs and weights on their way to the points: T, as measured
MARGIN = 1.25  # for inputs whose mean is not 0, as behind a relu: measured, at most 1.22


def error_ratio(kernel: int, maps: int) -> float:
    """
    A bound on the standard error of Winograd's worst output, over that of a plain sum.

    `kernel` is the filter's side, `maps` those of the input.

    >>> round(error_ratio(3, 512), 1), round(error_ratio(5, 512), 1)
    (13.3, 5.0)
    """
    return MARGIN * amplification(kernel) / kernel * sqrt(1 + 2 * TRANSFORM_ROUNDINGS / maps)


@cache
def amplification(kernel: int) -> float:
    """The variance of the terms at the points over that of the output, in one direction."""
    filters, inputs = (np.square(m).sum(1) for m in (weight_matrix(kernel), input_matrix()))
    return float((np.square(output_matrix(kernel)) @ (filters * inputs)).max() / kernel)


def input_matrix() -> NDArray[np.float64]:
    """
    The matrix that takes six inputs to the six points, [SIDE, SIDE].

    Row j has the coefficients of the polynomial that is 0 at all other roots: what Lagrange's
    interpolation multiplies with the value at root j, the constant first.
    """
    matrix = np.zeros((SIDE, SIDE))
    for row, root in zip(matrix, ROOTS, strict=False):
        row[:-1] = np.poly([other for other in ROOTS if other != root])[::-1]
    matrix[-1] = np.poly(ROOTS)[::-1]
    return matrix


def output_matrix(kernel: int) -> NDArray[np.float64]:
    """The matrix that takes the products at the points to outputs, [outputs, SIDE]."""
    outputs = SIDE + 1 - kernel
    matrix = np.zeros((outputs, SIDE))
    matrix[:, :-1] = np.power(np.array(ROOTS), np.arange(outputs)[:, None])
    matrix[-1, -1] = 1.0
    return matrix
