"""Powers with a constant exponent; the common ones are roots and products."""

import math
from collections.abc import Callable

from numba import float32

from cnndsl.backends.cuda.kernels.device_code import inlined

Function = Callable[[float], float]


def power_of(exponent: float) -> Function:
    """The helper `|x| ^ exponent`."""

    @inlined
    def absolute(x: float) -> float:
        return abs(x)

    @inlined
    def square(x: float) -> float:
        return x * x

    @inlined
    def power(x: float) -> float:
        return math.pow(abs(x), float32(exponent))

    return {1.0: absolute, 2.0: square}.get(exponent, power)


def root_of(exponent: float) -> Function:
    """The helper `x ^ (1 / exponent)` of x from 0 on."""

    @inlined
    def same(x: float) -> float:
        return x

    @inlined
    def square_root(x: float) -> float:
        return math.sqrt(x)

    @inlined
    def root(x: float) -> float:
        return math.pow(x, float32(1 / exponent))

    return {1.0: same, 2.0: square_root}.get(exponent, root)


def inverse_power_of(exponent: float) -> Function:
    """The helper `x ^ -exponent` of x above 0."""

    @inlined
    def inverse(x: float) -> float:
        return float32(1) / x

    @inlined
    def inverse_root(x: float) -> float:
        return float32(1) / math.sqrt(x)

    @inlined
    def inverse_of_three_quarters(x: float) -> float:
        root = math.sqrt(x)
        return float32(1) / (root * math.sqrt(root))

    @inlined
    def power(x: float) -> float:
        return math.pow(x, float32(-exponent))

    known = {1.0: inverse, 0.75: inverse_of_three_quarters, 0.5: inverse_root}
    return known.get(exponent, power)
