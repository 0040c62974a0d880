"""How far float32 results may be from the float64 reference."""

from math import prod
from typing import Any

import numpy as np

from cnndsl.ir.node import Node
from cnndsl.ops.activation import Activation
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.conv import Conv
from cnndsl.ops.dense import Dense
from cnndsl.ops.global_pool import GlobalAvgPool
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.rbf import Rbf
from cnndsl.ops.subsample import Subsample

EPSILON = 2.0**-23


def bound(terms: int, magnitude: np.ndarray) -> np.ndarray:
    """
    The error allowed in a sum of `terms` products: `terms * EPSILON * magnitude`.

    `magnitude` is the same sum of the absolute values. Any order of summation, with or without
    fused multiply-adds, stays within half of it (Higham, Accuracy and Stability, section 3.1).
    """
    return terms * EPSILON * magnitude


def local_bound(
    node: Node, operands: list[np.ndarray], params: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """What a node gives in float64 for these operands, and the error allowed in each cell."""
    y = node.op.evaluate(*operands, **params)
    allowed = _operator_bound(node.op, y, operands, params)
    for op in node.epilogue:
        before, y = y, op.evaluate(y)
        allowed = _slope(op) * allowed + _function_bound(op, before, y)
    return y, allowed


def _operator_bound(op: Any, y: np.ndarray, operands: list[np.ndarray], params: Any) -> Any:
    x = operands[0]
    match op:
        case Conv() | Dense():
            magnitude = op.evaluate(np.abs(x), **{n: np.abs(p) for n, p in params.items()})
            return bound(prod(params["weight"].shape[1:]) + 2, magnitude)
        case AvgPool() | GlobalAvgPool():
            cells = prod(op.kernel) if isinstance(op, AvgPool) else x.shape[1] * x.shape[2]
            return bound(cells + 2, op.evaluate(np.abs(x)))
        case Subsample():
            magnitude = op.evaluate(np.abs(x), **{n: np.abs(p) for n, p in params.items()})
            return bound(prod(op.kernel) + 3, magnitude)
        case Rbf():
            return bound(x.shape[1] + 3, np.abs(y))  # a sum of squares is its own magnitude
        case Lrn():
            # The sum of squares, and the power of it: each a few roundings, times beta.
            terms = x.shape[-1] + 4
            return (terms * max(1.0, op.beta) + 4) * EPSILON * np.abs(y)
        case Activation():
            return _function_bound(op, x, y)
        case _:
            return np.zeros_like(y)  # it picks cells, or moves them


def _function_bound(op: Any, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A few units in the last place of the result, for functions that round at all."""
    if op.activation in ("relu", "linear"):
        return np.zeros_like(y)
    if op.activation == "softmax":
        # exp(x - max): the difference is exact to its own rounding, which the power magnifies.
        spread = np.max(np.abs(x), -1, keepdims=True) * 2 + x.shape[-1] + 8
        return spread * EPSILON * np.abs(y) + 2.0**-140
    return 4 * EPSILON * np.abs(y) + 2.0**-140


def _slope(op: Any) -> float:
    """The steepest slope of a function."""
    return 1.7159 * 2 / 3 if op.activation == "scaled_tanh" else 1.0


def winograd_bound(magnitude: np.ndarray) -> float:
    """
    The error allowed in Winograd's convolution: 32 * EPSILON of the largest `magnitude`.

    `magnitude` is the convolution of the absolute values. It bounds the largest error, not each:
    the outputs of a square share the rounding errors of the largest of them.
    """
    return 32 * EPSILON * float(magnitude.max())
