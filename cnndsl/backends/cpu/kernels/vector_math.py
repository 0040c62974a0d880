"""
Elementary functions of float32 vectors.

All are accurate to a few units in the last place, give the limits at infinities, and keep NaN. The
coefficients are weighted minimax fits of the relative error, made with iterated least squares in
float64; their own error is below one unit in the last place.
"""

from collections.abc import Sequence

from cnndsl.backends.cpu.vectors import Vector

_LOG2_E = 1.4426950408889634
# ln 2 in two parts; the first has so few bits that a whole number times it is exact.
_LN2_HIGH = 0.693359375
_LN2_LOW = -2.12194440054690583e-4
# Beyond these exp(x) rounds to 0 and to infinity.
_EXP_LOWEST, _EXP_HIGHEST = -104.0, 89.0
# (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2.
_EXP = (
    0.4999999403953552,
    0.1666651964187622,
    0.041668400168418884,
    0.00836885441094637,
    0.001381432288326323,
)
# (log((1 + s) / (1 - s)) - 2s) / s^3 in powers of s^2, for s <= 1/3.
_LOG = (0.666664183139801, 0.4002152979373932, 0.2800176441669464, 0.2801220417022705)
# tanh(x) = x * P(x^2) / Q(x^2) for |x| <= 8.8, where tanh is 1 in float32; Q's last is 1.
_TANH_HIGHEST = 8.8
_TANH_P = (
    1257775.5,
    168502.25,
    4420.24267578125,
    26.308059692382812,
    0.017331499606370926,
)
_TANH_Q = (1257775.5, 587760.625, 32637.267578125, 417.107421875)
# erfc(a) * exp(a^2) / t in powers of t = 1 / (1 + a / 2), for a <= 10.2.
_ERFC = (
    0.282086044549942,
    0.28238192200660706,
    0.2430557757616043,
    0.2028760462999344,
    -0.02707127295434475,
    0.27871203422546387,
    -0.4877620041370392,
    0.2848457396030426,
    -0.05912432819604874,
)


def exp(x: Vector) -> Vector:
    """e to the power of x; subnormal results too."""
    exponent, rest = _reduced(x.at_least(_EXP_LOWEST).at_most(_EXP_HIGHEST))
    power = _exp_near_0(rest, 1.0)
    # In two steps, since 2^exponent alone may be too large or too small for a float.
    half = x.code.call("llvm.floor", exponent * 0.5)
    return power * half.power_of_two() * (exponent - half).power_of_two()


def expm1(x: Vector) -> Vector:
    """e to the power of x, minus 1, for x <= 0: near 0 nothing cancels."""
    exponent, rest = _reduced(x.at_least(-30.0))
    power = _exp_near_0(rest, 0.0)
    scale = exponent.power_of_two()
    return power.fma(scale, scale - 1.0)


def log1p(x: Vector) -> Vector:
    """The natural logarithm of 1 + x, for x of 0 to 1."""
    s = x / (x + 2.0)
    square = s * s
    return (s * square).fma(_polynomial(square, _LOG), s + s)


def tanh(x: Vector, inner: float = 1.0, outer: float = 1.0) -> Vector:
    """outer * tanh(inner * x); both factors, positive, are part of the coefficients."""
    # Beyond the highest square the quotient grows with x, up to the bound.
    square = (x * x).at_most((_TANH_HIGHEST / inner) ** 2)
    powers = [inner ** (2 * (i - len(_TANH_Q))) for i in range(len(_TANH_P))]
    above = [inner * outer * a * power for a, power in zip(_TANH_P, powers, strict=True)]
    below = [a * power for a, power in zip(_TANH_Q, powers, strict=False)]
    # The first step down has the factor 1: a sum, which processors may do beside products.
    denominator = (square + below[-1]).fma(square, below[-2])
    denominator = denominator.fma(square, below[-3]).fma(square, below[-4])
    quotient = x * _polynomial(square, above) / denominator
    return quotient.at_least(-outer).at_most(outer)


def sigmoid(x: Vector) -> Vector:
    """
    1 / (1 + exp(-x)), subnormal results too.

    Both sides of the fraction are taken times 2^-30: then exp(104) is a float, and what of exp(-x)
    is not, is nothing beside 1.
    """
    whole, rest = _reduced(x.at_least(-104.0).at_most(66.0), -1)
    power = _exp_near_0(rest, 1.0)
    return 2.0**-30 / power.fma(whole.power_of_two(-30), 2.0**-30)


def normal_tail(x: Vector) -> Vector:
    """erfc(|x| / sqrt(2)) = exp(-x^2 / 2) * t * P(t)."""
    size = x.abs().at_most(15.0)  # beyond, it is 0 in float32
    square = size * size
    # What rounding the square lost would be magnified by the exponential.
    lost = size.fma(size, -square)
    t = 1.0 / size.fma(0.5 / 2**0.5, 1.0)
    rest = t * _polynomial(t, _ERFC)
    return exp(square * -0.5) * rest * lost.fma(-0.5, 1.0)


def _exp_near_0(x: Vector, one: float) -> Vector:
    """exp(x) - 1 + `one`, for x of at most ln(2) / 2."""
    square = x * x
    a, b, c, d, e = _EXP
    # Two short sums side by side: of one long one, each step waits for the one before.
    series = square.fma(square.fma(e, x.fma(d, c)), x.fma(b, a))
    return square.fma(series, x + one)


def _reduced(x: Vector, sign: int = 1) -> tuple[Vector, Vector]:
    """A whole number n and a rest of at most ln(2) / 2 with `sign` * x = n * ln(2) + rest."""
    whole = (x * (sign * _LOG2_E)).rounded()
    return whole, whole.fma(-_LN2_LOW, whole.fma(-_LN2_HIGH, x * sign))


def _polynomial(x: Vector, coefficients: Sequence[float]) -> Vector:
    """coefficients[0] + coefficients[1] * x + ..., by Horner's rule."""
    value = x.code.vector(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value.fma(x, coefficient)
    return value
