"""Evaluate a graph by its operators' own meaning, in float64."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.ir.bind import bound_params, declared_params
from cnndsl.ir.graph import Graph
from cnndsl.ir.infer import infer_types, operand_types
from cnndsl.ops.base import Array
from cnndsl.ops.input import Input


def evaluate(
    graph: Graph, weights: Mapping[str, NDArray[Any]], inputs: Sequence[NDArray[Any]]
) -> tuple[Array, ...]:
    """
    The outputs of `graph` for images `[n, h, w, c]` of each input, both in the graph's order.

    `weights` maps `C1.weight` and so on to arrays of any float type.
    """
    values = evaluate_all(graph, weights, inputs)
    return tuple(values[name] for name in graph.outputs)


def evaluate_all(
    graph: Graph, weights: Mapping[str, NDArray[Any]], inputs: Sequence[NDArray[Any]]
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
            value = node.op.evaluate(*(values[name] for name in node.own_inputs), **params)
        extras = iter(node.inputs[len(node.own_inputs) :])
        for op in node.epilogue:
            value = op.evaluate(value, *(values[next(extras)] for _ in range(op.operands - 1)))
        values[node.name] = value
    return values
