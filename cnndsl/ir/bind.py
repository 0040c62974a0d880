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

from cnndsl.ir.node import Folded, Node
from cnndsl.ops.base import Array, Op, Param
from cnndsl.ops.rescalable import Rescalable
from cnndsl.types import TensorType, f32


class Parametrised(Protocol):
    """What has parameters: a node of a graph, or a step of a plan."""

    @property
    def op(self) -> Op: ...

    @property
    def prefix(self) -> str: ...

    @property
    def folded(self) -> tuple[Folded, ...]: ...

    @property
    def made_of(self) -> tuple[Node, ...]: ...


def declared_params(node: Parametrised, operands: Sequence[TensorType]) -> dict[str, Param]:
    """A node's parameters by the full names that users see, those of folded rows included."""
    if node.made_of:
        return _declared_parts(node.made_of)
    declared = _full(node.prefix, node.op.params(*operands))
    if node.folded:
        result = node.op.infer(*operands)
        for folded in node.folded:
            own = () if folded.made_of else folded.op.params(result)
            declared |= _full(folded.prefix, own) | _declared_parts(folded.made_of)
    return declared


def bound_params(
    node: Parametrised, operands: Sequence[TensorType], weights: Mapping[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """
    The arrays that a node computes with, by short name: `weight`, `bias`.

    `weights` holds arrays by full name, `C1.weight`. What is folded is computed in float64 and
    returned in the weights' own type; where nothing is folded, the arrays are the given ones.
    """
    if node.made_of:
        dtype = np.result_type(*(weights[name] for name in _declared_parts(node.made_of)))
        # What was turned round lies otherwise in memory, and kernels read cells as they lie.
        return {"value": np.ascontiguousarray(_value_of(node.made_of, weights), dtype)}
    params = _named(weights, node.prefix, node.op.params(*operands))
    if not node.folded:
        return params
    assert isinstance(node.op, Rescalable)
    result = node.op.infer(*operands)
    scale: NDArray[Any] = np.ones(())
    shift: NDArray[Any] = np.zeros(())
    for folded in node.folded:
        factor, summand = _scale_and_shift(folded, result, weights)
        scale, shift = scale * factor, shift * factor + summand
    rescaled = node.op.rescaled(params, scale, shift)
    dtype = params["weight"].dtype
    return {name: array.astype(dtype, copy=False) for name, array in rescaled.items()}


def _scale_and_shift(
    folded: Folded, result: TensorType, weights: Mapping[str, NDArray[Any]]
) -> tuple[Array, Array]:
    """By what a folded row multiplies each map of `result`, and what it then adds."""
    # Imported here: only a network that has such rows waits for them.
    from cnndsl.ops.batch_norm import BatchNorm
    from cnndsl.ops.mul import Mul

    if isinstance(folded.op, BatchNorm):
        return folded.op.scale_and_shift(**_wide(folded.prefix, folded.op, [result], weights))
    numbers = np.broadcast_to(_value_of(folded.made_of, weights).reshape(-1), (result.maps,))
    if isinstance(folded.op, Mul):
        return numbers, np.zeros(result.maps)
    return np.ones(result.maps), numbers


def _declared_parts(parts: Sequence[Node]) -> dict[str, Param]:
    """The parameters of nodes that read none but each other, by full name."""
    types: dict[str, TensorType] = {}
    declared: dict[str, Param] = {}
    for node in parts:
        operands = [types[name] for name in node.inputs]
        types[node.name] = node.op.infer(*operands)
        declared |= _full(node.prefix, node.op.params(*operands))
    return declared


def _value_of(parts: Sequence[Node], weights: Mapping[str, NDArray[Any]]) -> Array:
    """The value of the last of nodes that read none but each other, in float64."""
    values: dict[str, Array] = {}
    for node in parts:
        operands = [values[name] for name in node.inputs]
        params = _wide(node.prefix, node.op, [f32(*x.shape[1:]) for x in operands], weights)
        values[node.name] = node.op.evaluate(*operands, **params)
    return values[parts[-1].name][0]


def _wide(
    prefix: str, op: Op, operands: Sequence[TensorType], weights: Mapping[str, NDArray[Any]]
) -> dict[str, Array]:
    """An operator's parameters in float64, by short name."""
    named = _named(weights, prefix, op.params(*operands))
    return {name: array.astype(np.float64) for name, array in named.items()}


def _full(prefix: str, params: Sequence[Param]) -> dict[str, Param]:
    return {f"{prefix}.{param.name}": param for param in params}


def _named(
    weights: Mapping[str, NDArray[Any]], prefix: str, params: Sequence[Param]
) -> dict[str, NDArray[Any]]:
    return {param.name: weights[f"{prefix}.{param.name}"] for param in params}
