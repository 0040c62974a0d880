"""Evaluate a graph by its operators' own meaning, in float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnndsl.ir.bind import bound_params, declared_params
from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types, operand_types
from cnndsl.ops.base import Array, Op
from cnndsl.ops.input import Input

Weights = Mapping[str, NDArray[Any]]
"""`C1.weight` and so on as arrays of any float type."""


class Evaluator(Protocol):
    """How an operator is evaluated: arrays in float64, as `Op.evaluate` has them."""

    def __call__(self, op: Op, *operands: Array, **params: Array) -> Array:
        """The operator's result."""
        ...


def by_definition(op: Op, *operands: Array, **params: Array) -> Array:
    """What the operator itself says."""
    return op.evaluate(*operands, **params)


def evaluate(
    graph: Graph,
    weights: Weights,
    inputs: Sequence[NDArray[Any]],
    evaluator: Evaluator = by_definition,
) -> tuple[Array, ...]:
    """The outputs of `graph` for images `[n, h, w, c]` of each input, both in the graph's order."""
    values = evaluate_all(graph, weights, inputs, evaluator)
    return tuple(values[name] for name in graph.outputs)


def evaluate_all(
    graph: Graph,
    weights: Weights,
    inputs: Sequence[NDArray[Any]],
    evaluator: Evaluator = by_definition,
) -> dict[str, Array]:
    """The value of every node for images `[n, h, w, c]` of each input, in the graph's order."""
    given = iter(inputs)
    types = infer_types(graph)
    values: dict[str, Array] = {}
    for node in graph.nodes:
        if isinstance(node.op, Input):
            value = next(given).astype(np.float64)
        else:
            operands = operand_types(node, types)
            names = declared_params(node, operands)
            wide = {name: weights[name].astype(np.float64) for name in names}
            params = bound_params(node, operands, wide)
            value = evaluator(node.op, *(values[name] for name in node.own_inputs), **params)
            if not node.inputs:  # a constant: the same for every image
                value = np.repeat(value, len(inputs[0]), axis=0)
        extras = iter(node.inputs[len(node.own_inputs) :])
        for op in node.epilogue:
            value = evaluator(op, value, *(values[next(extras)] for _ in range(op.operands - 1)))
        values[node.name] = value
    return values
