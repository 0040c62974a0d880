"""
What normalizations share: `(x - mean) / sqrt(variance + epsilon)`, then a weight and a bias.

The variance is that of the cells themselves (divided by their number). Epsilon has no default,
since frameworks' differ.
"""

from __future__ import annotations

import numpy as np

from cnndsl.ops.base import Array, Param
from cnndsl.ops.kinds import Number

EPSILON = Number(above=0.0)
EPSILON_DOC = "added to the variance: 1e-5 in PyTorch and ONNX, 1e-3 in Keras"


def affine_params(shape: tuple[int, ...], *, weight: bool, bias: bool) -> tuple[Param, ...]:
    """The weight and the bias behind a normalization, each if there is one."""
    weights = (Param("weight", shape, "ones"),) if weight else ()
    return (*weights, Param("bias", shape, "zeros")) if bias else weights


def standardised(x: Array, axes: tuple[int, ...], epsilon: float) -> Array:
    """`x` less its mean over the axes, divided by the root of its variance and epsilon."""
    mean, variance = np.mean(x, axes, keepdims=True), np.var(x, axes, keepdims=True)
    return (x - mean) / np.sqrt(variance + epsilon)


def affine(x: Array, weight: Array | None, bias: Array | None) -> Array:
    """`x * weight + bias`, each if there is one, along the last axes."""
    y = x if weight is None else x * weight
    return y if bias is None else y + bias


def affine_words(place: str, *, weight: bool, bias: bool) -> str:
    """The end of a formula: ` * weight[c] + bias[c]`."""
    return (f" * weight[{place}]" if weight else "") + (f" + bias[{place}]" if bias else "")
