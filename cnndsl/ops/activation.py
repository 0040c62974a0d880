"""Activation functions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from cnndsl.ops.attributes import Choice, attribute
from cnndsl.ops.base import Array, Op
from cnndsl.types import TensorType


@dataclass(frozen=True, slots=True)
class Function:
    """
    One activation function.

    `elementwise` functions look at one cell at a time and can be applied as cells are produced.
    """

    formula: str
    evaluate: Callable[[Array], Array]
    elementwise: bool = True


def _softmax(x: Array) -> Array:
    powers = np.exp(x - np.max(x, -1, keepdims=True))
    return powers / np.sum(powers, -1, keepdims=True)


FUNCTIONS: dict[str, Function] = {
    "relu": Function("max(x, 0)", lambda x: np.maximum(x, 0.0)),
    "tanh": Function("tanh(x)", np.tanh),
    # LeCun et al. 1998, appendix A: f(1) = 1, f(-1) = -1, the largest curvature there.
    "scaled_tanh": Function("1.7159 * tanh(2x/3)", lambda x: 1.7159 * np.tanh(x * (2 / 3))),
    # log(1 + exp(-x)) first: it overflows nowhere and keeps the digits of small results.
    "sigmoid": Function("1 / (1 + exp(-x))", lambda x: np.exp(-np.logaddexp(0.0, -x))),
    "softmax": Function("exp(x[c]) / sum(exp(x[m]) for all m)", _softmax, elementwise=False),
    "linear": Function("x", lambda x: x),
}


@dataclass(frozen=True)
class Activation(Op):
    """
    A function of each cell or, softmax, of each pixel's maps.

    It stands as a row of its own or in another row's `activation` cell.
    """

    row_type = "activation"
    summary = "a function of each cell"
    reads = "any"

    activation: str = attribute(
        Choice(tuple(FUNCTIONS), (("none", "linear"), ("identity", "linear"))),
        "the function's name",
    )

    @property
    def function(self) -> Function:
        """The function itself."""
        return FUNCTIONS[self.activation]

    def infer(self, x: TensorType) -> TensorType:
        return x

    def evaluate(self, x: Array) -> Array:
        return self.function.evaluate(x)

    def formula(self, x: TensorType) -> str:
        return f"y = {self.function.formula}"
