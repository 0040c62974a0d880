"""
Random weights with which values neither vanish nor grow on their way.

Of He's weights alone, a deep residual network makes values so large that its softmax is certain of
one class, whatever errors there are. Here layers follow each other as in LSUV (Mishkin and Matas
2015, arXiv:1511.06422): each filter's weights are divided by the deviation of what it computes, and
each batch normalization has the means of the maps that it reads and the mean of their variances: a
map that is flat in this one image is not stretched. Its bias is random: without one each map would
have the mean 0, of which a squeeze makes nothing but rounding errors.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnndsl.interop.weights import seeded_weights
from cnndsl.ir.bind import bound_params
from cnndsl.ir.infer import operand_types
from cnndsl.ir.network import Network
from cnndsl.ops.base import Array
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.input import Input
from cnndsl.ops.rescalable import Rescalable
from cnndsl.ops.separable import Separable

Weights = dict[str, NDArray[np.float32]]


def unit_variance_weights(
    network: Network, seed: int, images: Sequence[NDArray[np.float32]]
) -> Weights:
    """
    Weights drawn from a seed, for a batch `[n, h, w, c]` of each input, by the definitions.

    Filters are divided by powers of two, which is exact: no value has to be computed again.
    """
    weights: Weights = {**seeded_weights(network.param_table, seed)}
    rng = np.random.default_rng(seed)
    given = iter(images)
    values: dict[str, Array] = {}
    last_reader = {name: node.name for node in network.ir.nodes for name in node.inputs}
    for node in network.ir.nodes:
        if isinstance(node.op, Input):
            values[node.name] = next(given).astype(np.float64)
            continue
        operands = [values[name] for name in node.inputs]
        if isinstance(node.op, BatchNorm):
            (x,) = operands
            axes = tuple(range(x.ndim - 1))
            weights[f"{node.prefix}.mean"] = x.mean(axes).astype(np.float32)
            variance = x.var(axes).mean(dtype=np.float32)
            weights[f"{node.prefix}.variance"] = np.full(x.shape[-1], variance, np.float32)
            if node.op.bias:
                bias = rng.standard_normal(x.shape[-1], np.float32) / 2
                weights[f"{node.prefix}.bias"] = bias
        params = bound_params(node, operand_types(node, network.types), weights)
        wide = {name: array.astype(np.float64) for name, array in params.items()}
        y = node.op.evaluate(*operands, **wide)
        if isinstance(node.op, Rescalable | Separable):
            last = "pointwise.weight" if isinstance(node.op, Separable) else "weight"
            factor = _power_of_two(float(y.std()))
            weights[f"{node.prefix}.{last}"] = weights[f"{node.prefix}.{last}"] / factor
            y /= factor
        values[node.name] = y
        for name in {*node.inputs}:
            if last_reader[name] == node.name:
                del values[name]
    return weights


def _power_of_two(deviation: float) -> np.float32:
    """The nearest one; 1 where all values are the same."""
    return np.float32(2.0 ** round(np.log2(deviation))) if deviation else np.float32(1.0)
