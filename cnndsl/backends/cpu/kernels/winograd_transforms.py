"""Winograd's transforms in one direction, of vectors. See lowering/winograd_points.py."""

from collections.abc import Sequence

import numpy as np

from cnndsl.backends.cpu.lowering.winograd_points import PAIRS, HalfPoint
from cnndsl.backends.cpu.vectors import Vector


def inputs_at_points(inputs: Sequence[Vector], outputs: int) -> list[Vector]:
    """
    Neighbouring inputs at as many points, for `outputs` of them: the rows of `input_matrix`.

    The polynomial that is 0 at all roots but p is x + p, times x if 0 is a root, times an even
    one. So what p and -p make of the even and of the odd inputs differs in sign alone.
    """
    if outputs == 1:
        return list(inputs)
    pairs = PAIRS[len(inputs)]
    first = 1 - len(inputs) % 2  # 0 is a root
    points = [_even(inputs, pairs)] * first
    for p in pairs:
        others = [other for other in pairs if other != p]
        low, high = (_even(inputs[first + shift :], others) for shift in (0, 1))
        if p == 1.0:
            points += [high + low, high - low]
        else:
            points += [low.fma(p, high), low.fma(-p, high)]
    return [*points, _even(inputs[first:], pairs)]


def outputs_of_points(products: Sequence[Vector], outputs: int) -> list[Vector]:
    """Neighbouring outputs of the products at the points: the rows of `output_matrix`."""
    if outputs == 1:
        first, *others = products
        return [sum(others, start=first)]
    pairs = PAIRS[len(products)]
    *finite, last = products
    zero = finite[: 1 - len(products) % 2]
    sums: list[Vector] = []
    differences: list[Vector] = []
    for plus, minus in zip(*[iter(finite[len(zero) :])] * 2, strict=True):
        sums.append(plus + minus)
        differences.append(plus - minus)
    found = [
        _weighted(differences if i % 2 else sums, [p**i for p in pairs]) for i in range(outputs)
    ]
    for point in zero:
        found[0] += point
    found[-1] += last
    return found


def weights_at_points(taps: Sequence[Vector], points: Sequence[HalfPoint]) -> list[Vector]:
    """
    Taps of a filter, scaled by `tap_scales`, at some points: what the scale of each leaves to do.

    What p and -p make of the even and of the odd taps differs in sign alone.
    """
    halves: dict[float, tuple[Vector, Vector]] = {}
    values: list[Vector] = []
    for root in (point.root for point in points):
        if root is None or root == 0.0:
            values.append(taps[-1] if root is None else taps[0])
            continue
        size = abs(root)
        if size not in halves:
            even, odd = (
                _weighted(part, [size ** (2 * i) for i in range(len(part))])
                for part in (taps[::2], taps[1::2])
            )
            halves[size] = even, odd
        even, odd = halves[size]
        if size == 1.0:
            values.append(even + odd if root > 0 else even - odd)
        else:
            values.append(odd.fma(root, even))
    return values


def _even(inputs: Sequence[Vector], pairs: Sequence[float]) -> Vector:
    """The polynomial that is 0 at all `pairs`, applied to every second input."""
    coefficients = np.atleast_1d(np.poly(np.square(pairs)))[::-1].tolist()
    return _weighted(inputs[::2], coefficients)


def _weighted(vectors: Sequence[Vector], weights: Sequence[float]) -> Vector:
    """The sum of vectors times weights, as many as there are weights."""
    terms = sorted(zip(weights, vectors, strict=False), key=lambda term: term[0] != 1.0)
    (weight, vector), *others = terms
    total = vector if weight == 1.0 else vector * weight
    for weight, vector in others:
        total = total + vector if weight == 1.0 else vector.fma(weight, total)
    return total
