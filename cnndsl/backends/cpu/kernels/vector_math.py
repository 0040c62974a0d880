"""
Elementary functions of float32 vectors.

All are accurate to a few units in the last place over the whole range, give the limits at
infinities, and keep NaN. The coefficients are weighted minimax fits of the relative error, made
with iterated least squares in float64; their own error is below half a unit in the last place.
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
# tanh(x) = x * (1 + P(x^2)) / (1 + Q(x^2)) for |x| <= 8.8, where tanh is 1 in float32.
_TANH_HIGHEST = 8.8
_TANH_P = (
    0.13396838307380676,
    0.0035143212880939245,
    2.091611531795934e-05,
    1.3779433594152124e-08,
)
_TANH_Q = (
    0.4673016369342804,
    0.025948364287614822,
    0.00033162080217152834,
    7.950452527438756e-07,
)


def exp(x: Vector) -> Vector:
    """e to the power of x; subnormal results too."""
    x = x.at_least(_EXP_LOWEST).at_most(_EXP_HIGHEST)
    exponent = (x * _LOG2_E).rounded()
    # A NaN has no exponent: 0 will do, since x itself carries the NaN into the result.
    exponent = (exponent < 1000.0).select(exponent, 0.0)
    rest = exponent.fma(-_LN2_LOW, exponent.fma(-_LN2_HIGH, x))
    power = (rest * rest).fma(_polynomial(rest, _EXP), rest + 1.0)
    # In two steps, since 2^exponent alone may be too large or too small for a float.
    half = x.code.call("llvm.floor", exponent * 0.5)
    return power * half.power_of_two() * (exponent - half).power_of_two()


def tanh(x: Vector) -> Vector:
    """The hyperbolic tangent of x."""
    return _tanh(x, inner=1.0, outer=1.0)


def scaled_tanh(x: Vector) -> Vector:
    """1.7159 tanh(2x/3), as in LeCun et al. 1998, appendix A."""
    return _tanh(x, inner=2 / 3, outer=1.7159)


def _tanh(x: Vector, *, inner: float, outer: float) -> Vector:
    """outer * tanh(inner * x), a quotient of polynomials; the factors are in its coefficients."""
    highest = _TANH_HIGHEST / inner
    x = x.at_least(-highest).at_most(highest)
    square = x * x
    over_terms, under_terms = (
        [a * inner ** (2 * i) for i, a in enumerate(terms)]
        for terms in ((1.0, *_TANH_P), (1.0, *_TANH_Q))
    )
    over = x * _polynomial(square, [inner * outer * a for a in over_terms])
    return (over / _polynomial(square, under_terms)).at_least(-outer).at_most(outer)


def sigmoid(x: Vector) -> Vector:
    """1 / (1 + exp(-x)), from exp(-|x|) alone: nothing cancels, nothing overflows."""
    power = exp(-x.abs())
    return (x < 0.0).select(power, 1.0) / (power + 1.0)


def _polynomial(x: Vector, coefficients: Sequence[float]) -> Vector:
    """coefficients[0] + coefficients[1] * x + ..., by Horner's rule."""
    value = x.code.vector(coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value.fma(x, coefficient)
    return value
