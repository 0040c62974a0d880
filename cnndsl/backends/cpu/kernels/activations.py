"""
Activation functions in place: `function(pointer, rows, count, row_stride)`.

They rewrite `rows` rows of `count` floats, `row_stride` floats apart. Kernels call one on the rows
that they have just written, while those are in the nearest cache. What each function is, and whose,
says `cnndsl.ops.functions`.
"""

from collections.abc import Callable
from functools import partial
from math import pi, sqrt
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.spans import Span, over_row
from cnndsl.backends.cpu.kernels.vector_math import exp, expm1, log1p, normal_tail, sigmoid, tanh
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import Vector

_LANES = Target.host().lanes


def activation(name: str, *numbers: float) -> Any:
    """The kernel of one of `FUNCTIONS`, with the numbers that it takes."""
    function = FUNCTIONS[name]

    @emits(_LANES)
    def apply(code: Code, address: Value, rows: Value, count: Value, row_stride: Value) -> None:
        pointer = code.pointer(address)

        def turn(i: Value, _state: object) -> tuple[()]:
            row = code.at(pointer, code.integer(i) * code.integer(row_stride))

            def body(span: Span) -> None:
                span.store([function(x, *numbers) for x in span.load(row)], row)

            over_row(code, count, body, widths=(2, 1))
            return ()

        code.loop(0, rows, 1, (), turn)

    def kernel(address: int, rows: int, count: int, row_stride: int) -> None:
        apply(address, rows, count, row_stride)

    return kernel


def _leaky_relu(x: Vector, alpha: float) -> Vector:
    return x.at_most(0.0).fma(alpha, x.at_least(0.0))


def _elu(x: Vector, alpha: float, scale: float = 1.0) -> Vector:
    return expm1(x.at_most(0.0)).fma(alpha * scale, x.at_least(0.0) * scale)


def _selu(x: Vector) -> Vector:
    return _elu(x, 1.6732632423543772, 1.0507009873554805)


def _hard_sigmoid(x: Vector, alpha: float, beta: float) -> Vector:
    return x.fma(alpha, beta).at_least(0.0).at_most(1.0)


def _silu(x: Vector) -> Vector:
    return x * sigmoid(x)


def _hard_swish(x: Vector) -> Vector:
    return x * ((x + 3.0).at_least(0.0).at_most(6.0) * (1 / 6))


def _gelu_erf(x: Vector) -> Vector:
    tail = normal_tail(x)
    return x * 0.5 * (x < 0.0).select(tail, 2.0 - tail)


def _gelu_tanh(x: Vector) -> Vector:
    # 1 + tanh(z) = 2 sigmoid(2z), which keeps the digits of small results.
    cubic = (x * x).fma(0.044715, 1.0) * x
    return x * sigmoid(cubic * (2 * sqrt(2 / pi)))


def _softplus(x: Vector) -> Vector:
    return x.at_least(0.0) + log1p(exp(-x.abs()))


def _mish(x: Vector) -> Vector:
    # tanh(log(1 + e^x)) = (e^2x + 2e^x) / (e^2x + 2e^x + 2), for x > 0 in terms of e^-x.
    power = exp(-x.abs())
    negative = x < 0.0
    above = negative.select(power, 1.0) * negative.select(power + 2.0, power.fma(2.0, 1.0))
    return x * (above / (above + negative.select(2.0, power * power * 2.0)))


def _power(x: Vector, exponent: float) -> Vector:
    match exponent:
        case -1.0:
            return 1.0 / x
        case 0.5:
            return x.sqrt()
        case 2.0:
            return x * x
        case 3.0:
            return x * x * x
        case 4.0:
            return (x * x) * (x * x)
        case _:
            return x.code.call("llvm.pow", x, exponent)


FUNCTIONS: dict[str, Callable[..., Vector]] = {
    "tanh": tanh,
    "scaled_tanh": partial(tanh, inner=2 / 3, outer=1.7159),
    "sigmoid": sigmoid,
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "silu": _silu,
    "gelu_erf": _gelu_erf,
    "gelu_tanh": _gelu_tanh,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "softplus": _softplus,
    "mish": _mish,
    "abs": Vector.abs,
    "exp": exp,
    "power": _power,
}
