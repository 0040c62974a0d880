"""
Which numbers a node computes with.

Weights are known by the names that users see. A pass that draws one row's operator into another's
parameters leaves those names as they are; here the weights become what the node really uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnndsl.ir.node import Folded
from cnndsl.ops.base import Op, Param
from cnndsl.ops.rescalable import Rescalable
from cnndsl.types import TensorType


class Parametrised(Protocol):
    """What has parameters: a node of a graph, or a step of a plan."""

    @property
    def op(self) -> Op: ...

    @property
    def prefix(self) -> str: ...

    @property
    def folded(self) -> tuple[Folded, ...]: ...


def declared_params(node: Parametrised, operands: Sequence[TensorType]) -> dict[str, Param]:
    """A node's parameters by the full names that users see, those of folded rows included."""
    owners = [(node.prefix, node.op.params(*operands))]
    if node.folded:
        result = node.op.infer(*operands)
        owners += [(folded.prefix, folded.op.params(result)) for folded in node.folded]
    return {f"{prefix}.{param.name}": param for prefix, params in owners for param in params}


def bound_params(
    node: Parametrised, operands: Sequence[TensorType], weights: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """
    The arrays that a node computes with, by short name: `weight`, `bias`.

    `weights` holds arrays by full name, `C1.weight`. What is folded is computed in float64 and
    returned in the weight's own type; where nothing is folded, the arrays are the given ones.
    """
    params = _named(weights, node.prefix, node.op.params(*operands))
    if not node.folded:
        return params
    assert isinstance(node.op, Rescalable)
    result = node.op.infer(*operands)
    dtype = params["weight"].dtype
    wide = {name: array.astype(np.float64) for name, array in params.items()}
    for folded in node.folded:
        own = _named(weights, folded.prefix, folded.op.params(result))
        scale, shift = folded.op.scale_and_shift(
            **{name: array.astype(np.float64) for name, array in own.items()}
        )
        wide = node.op.rescaled(wide, scale, shift)
    return {name: array.astype(dtype) for name, array in wide.items()}


def _named(
    weights: Mapping[str, NDArray[Any]], prefix: str, params: Sequence[Param]
) -> dict[str, NDArray[Any]]:
    return {param.name: weights[f"{prefix}.{param.name}"] for param in params}
