"""
Activation functions of one cell, each of the cell and two numbers that it may have no use for.

What each is, and whose, says `cnndsl.ops.functions`.
"""

import math
from collections.abc import Callable

from numba import float32

from cnndsl.backends.cuda.kernels.device_code import inlined

Function = Callable[[float, float, float], float]


def activation_function(name: str) -> Function:
    """The helper `function(x, alpha, beta)` of an `Epilogue`'s `activation`."""
    return _FUNCTIONS[name]


@inlined
def _linear(x: float, alpha: float, beta: float) -> float:
    return x


@inlined
def _relu(x: float, alpha: float, beta: float) -> float:
    # What is not a number stays so.
    return float32(0) if x < float32(0) else x


@inlined
def _clip(x: float, alpha: float, beta: float) -> float:
    above = alpha if x < alpha else x
    return beta if above > beta else above


@inlined
def _tanh(x: float, alpha: float, beta: float) -> float:
    return math.tanh(x)


@inlined
def _scaled_tanh(x: float, alpha: float, beta: float) -> float:
    return float32(1.7159) * math.tanh(x * float32(2 / 3))


@inlined
def _sigmoid(x: float, alpha: float, beta: float) -> float:
    # By the power that does not overflow, which keeps the digits of small results.
    power = math.exp(-abs(x))
    return (power if x < float32(0) else float32(1)) / (float32(1) + power)


@inlined
def _leaky_relu(x: float, alpha: float, beta: float) -> float:
    return alpha * x if x < float32(0) else x


@inlined
def _elu(x: float, alpha: float, beta: float) -> float:
    return alpha * math.expm1(x) if x < float32(0) else x


@inlined
def _selu(x: float, alpha: float, beta: float) -> float:
    return float32(1.0507009873554805) * _elu(x, float32(1.6732632423543772), beta)


@inlined
def _silu(x: float, alpha: float, beta: float) -> float:
    return x * _sigmoid(x, alpha, beta)


@inlined
def _gelu_erf(x: float, alpha: float, beta: float) -> float:
    return float32(0.5) * x * math.erfc(-x * float32(math.sqrt(0.5)))


@inlined
def _gelu_tanh(x: float, alpha: float, beta: float) -> float:
    # 1 + tanh(z) = 2 sigmoid(2z), which keeps the digits of small results.
    cubic = x + float32(0.044715) * x * x * x
    return x * _sigmoid(float32(2 * math.sqrt(2 / math.pi)) * cubic, alpha, beta)


@inlined
def _hard_sigmoid(x: float, alpha: float, beta: float) -> float:
    return _clip(alpha * x + beta, float32(0), float32(1))


@inlined
def _hard_swish(x: float, alpha: float, beta: float) -> float:
    return x * (_clip(x + float32(3), float32(0), float32(6)) * float32(1 / 6))


@inlined
def _softplus(x: float, alpha: float, beta: float) -> float:
    return _relu(x, alpha, beta) + math.log1p(math.exp(-abs(x)))


@inlined
def _mish(x: float, alpha: float, beta: float) -> float:
    # tanh(log(1 + p)) = (p^2 + 2p) / (p^2 + 2p + 2), for x > 0 in terms of 1 / p.
    power = math.exp(-abs(x))
    if x < float32(0):
        above = power * (power + float32(2))
        below = above + float32(2)
    else:
        above = float32(1) + float32(2) * power
        below = above + float32(2) * power * power
    return x * (above / below)


@inlined
def _abs(x: float, alpha: float, beta: float) -> float:
    return abs(x)


@inlined
def _exp(x: float, alpha: float, beta: float) -> float:
    return math.exp(x)


@inlined
def _power(x: float, alpha: float, beta: float) -> float:
    return math.sqrt(x) if alpha == float32(0.5) else math.pow(x, alpha)


_FUNCTIONS: dict[str, Function] = {
    "linear": _linear,
    "relu": _relu,
    "clip": _clip,
    "tanh": _tanh,
    "scaled_tanh": _scaled_tanh,
    "sigmoid": _sigmoid,
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
    "abs": _abs,
    "exp": _exp,
    "power": _power,
}
