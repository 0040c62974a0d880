"""
The activation functions.

Where frameworks take different numbers by default, a function's numbers have no default here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnndsl.ops.base import Array


@dataclass(frozen=True, slots=True)
class Constant:
    """One number of a function. Without a `default` it must be written."""

    name: str
    default: float | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """
    An activation function, or all those of one name that differ in numbers.

    `formula` has a placeholder for each constant, and `evaluate(x, *numbers)` takes them in order.
    `elementwise` functions look at one cell at a time and can be applied as cells are produced.
    `increasing` numbers are a range. `differ` says what frameworks take by default.
    """

    formula: str
    evaluate: Callable[..., Array]
    elementwise: bool = True
    constants: tuple[Constant, ...] = ()
    increasing: bool = False
    differ: str = ""

    @property
    def required(self) -> tuple[Constant, ...]:
        """The constants that must be written."""
        return tuple(constant for constant in self.constants if constant.default is None)


def _linear(x: Array) -> Array:
    return x


def _relu(x: Array) -> Array:
    return np.maximum(x, 0.0)


def _clip(x: Array, low: float, high: float) -> Array:
    return np.clip(x, low, high)


def _relu6(x: Array) -> Array:
    return np.clip(x, 0.0, 6.0)


def _leaky_relu(x: Array, alpha: float) -> Array:
    return np.maximum(x, 0.0) + alpha * np.minimum(x, 0.0)


def _elu(x: Array, alpha: float) -> Array:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _selu(x: Array) -> Array:
    return 1.0507009873554805 * _elu(x, 1.6732632423543772)


def _scaled_tanh(x: Array) -> Array:
    return 1.7159 * np.tanh(x * (2 / 3))


def _sigmoid(x: Array) -> Array:
    # log(1 + exp(-x)) first: it overflows nowhere and keeps the digits of small results.
    return np.exp(-np.logaddexp(0.0, -x))


def _hard_sigmoid(x: Array, alpha: float, beta: float) -> Array:
    return np.clip(alpha * x + beta, 0.0, 1.0)


def _silu(x: Array) -> Array:
    return x * _sigmoid(x)


def _hard_swish(x: Array) -> Array:
    return x * np.clip(x + 3.0, 0.0, 6.0) / 6.0


def _gelu_erf(x: Array) -> Array:
    # 1 + erf(z) loses the digits of small results; erfc(-z) is the same and keeps them.
    erfc: Callable[[Array], Array] = np.vectorize(math.erfc, otypes=[np.float64])
    return 0.5 * x * erfc(-x / math.sqrt(2))


def _gelu_tanh(x: Array) -> Array:
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def _softplus(x: Array) -> Array:
    return np.logaddexp(0.0, x)


def _mish(x: Array) -> Array:
    return x * np.tanh(_softplus(x))


def _power(x: Array, exponent: float) -> Array:
    # Infinity and NaN are results, as everywhere in float arithmetic.
    with np.errstate(all="ignore"):
        return np.sqrt(x) if exponent == 0.5 else np.power(x, exponent)


def _exp(x: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.exp(x)


def _softmax(x: Array) -> Array:
    powers = np.exp(x - np.max(x, -1, keepdims=True))
    return powers / np.sum(powers, -1, keepdims=True)


def _log_softmax(x: Array) -> Array:
    less = x - np.max(x, -1, keepdims=True)
    return less - np.log(np.sum(np.exp(less), -1, keepdims=True))


FUNCTIONS: dict[str, Function] = {
    "relu": Function("max(x, 0)", _relu),
    "tanh": Function("tanh(x)", np.tanh),
    # LeCun et al. 1998, appendix A: f(1) = 1, f(-1) = -1, the largest curvature there.
    "scaled_tanh": Function("1.7159 * tanh(2x/3)", _scaled_tanh),
    "sigmoid": Function("1 / (1 + exp(-x))", _sigmoid),
    "softmax": Function("exp(x[c]) / sum(exp(x[m]) for all m)", _softmax, elementwise=False),
    "linear": Function("x", _linear),
    "relu6": Function("min(max(x, 0), 6)", _relu6),
    "clip": Function(
        "min(max(x, {low}), {high})",
        _clip,
        constants=(Constant("low"), Constant("high")),
        increasing=True,
    ),
    # Maas et al. 2013, "Rectifier nonlinearities improve neural network acoustic models".
    "leaky_relu": Function(
        "max(x, 0) + {alpha} * min(x, 0)",
        _leaky_relu,
        constants=(Constant("alpha"),),
        differ="alpha is 0.01 in PyTorch and ONNX, 0.1 in Darknet, 0.2 in tf.nn, 0.3 in Keras",
    ),
    # Clevert et al. 2015, arXiv:1511.07289.
    "elu": Function(
        "max(x, 0) + {alpha} * (exp(min(x, 0)) - 1)", _elu, constants=(Constant("alpha", 1.0),)
    ),
    # Klambauer et al. 2017, arXiv:1706.02515, equation 14.
    "selu": Function(
        "1.0507009873554805 * (max(x, 0) + 1.6732632423543772 * (exp(min(x, 0)) - 1))",
        _selu,
    ),
    # Elfwing et al. 2017, arXiv:1702.03118; Ramachandran et al. 2017, arXiv:1710.05941 (swish).
    "silu": Function("x / (1 + exp(-x))", _silu),
    # Hendrycks and Gimpel 2016, arXiv:1606.08415: the function, and its approximation by tanh.
    "gelu_erf": Function("x / 2 * (1 + erf(x / sqrt(2)))", _gelu_erf),
    "gelu_tanh": Function("x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))", _gelu_tanh),
    "hard_sigmoid": Function(
        "min(max({alpha} * x + {beta}, 0), 1)",
        _hard_sigmoid,
        constants=(Constant("alpha"), Constant("beta")),
        differ="alpha,beta are 1/6,0.5 in PyTorch and Keras 3, 0.2,0.5 in ONNX and Keras 2",
    ),
    # Howard et al. 2019, arXiv:1905.02244, section 5.2.
    "hard_swish": Function("x * min(max(x + 3, 0), 6) / 6", _hard_swish),
    "softplus": Function("log(1 + exp(x))", _softplus),
    # Misra 2019, arXiv:1908.08681.
    "mish": Function("x * tanh(log(1 + exp(x)))", _mish),
    "abs": Function("abs(x)", np.abs),
    "exp": Function("exp(x)", _exp),
    # power(-1) is the reciprocal, power(0.5) the square root; of x below 0 whole powers only.
    "power": Function("x ^ {exponent}", _power, constants=(Constant("exponent"),)),
    "log_softmax": Function(
        "x[c] - log(sum(exp(x[m]) for all m))", _log_softmax, elementwise=False
    ),
}
"""Each function by its name."""
