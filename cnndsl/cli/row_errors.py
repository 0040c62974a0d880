"""How far a compiled network is from what is expected of it, row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.protocol import Backend, Request
from cnndsl.cli.expectations import Expectation, Inputs, channels_last, compilation_of
from cnndsl.errors import TargetError
from cnndsl.ir.graph import Graph
from cnndsl.ir.node import Node
from cnndsl.model import Model
from cnndsl.ops.activation import Activation
from cnndsl.ops.base import Op
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.input import Input
from cnndsl.passes.drop_dead import DropDead
from cnndsl.plan.build import make_plan
from cnndsl.plan.plan import COPY, ZERO_HALO, Plan

# Rows that are read from one network: each keeps its memory till the end, and each network takes
# as long to be compiled as the whole one.
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class RowError:
    """
    What a row, with all that is computed together with it, is off by.

    `error` is the largest difference from the reference over the reference's largest absolute
    value, `largest`; it includes what the rows before brought. `computes` names the operators in
    order, `kernels` the algorithms that ran them. `counterpart` is the row of another model that
    computes the same, where that is what it is compared with.
    """

    row: str
    computes: tuple[str, ...]
    kernels: tuple[str, ...]
    error: float
    largest: float
    counterpart: str | None = None


def output_errors(model: Model, inputs: Inputs, expected: Expectation) -> dict[str, float]:
    """The model's own outputs against those that are expected, by name."""
    layout = model.signature.layout
    found = [channels_last(y, layout) for y in model.outputs_of(*inputs)]
    return {
        name: relative_error(y, want.reshape(y.shape))
        for name, y, want in zip(model.outputs, found, expected.outputs, strict=True)
    }


def row_errors(
    model: Model,
    inputs: Inputs,
    expected: Expectation,
    advance: Callable[[int], None] = lambda count: None,
) -> Iterator[RowError]:
    """
    Each row of a model against what is expected of it, in order; rows without that are left out.

    The values of some rows at a time are read from a network whose outputs they are, compiled like
    the whole one: the same rewritten graph, and for each node of it the same kernel, so the same
    bits. `advance` is told of the rows that are done. Raises `TargetError` for a target that makes
    no plans.
    """
    compilation = compilation_of(model)
    backend, graph = compilation.backend, compilation.graph
    if not isinstance(backend, Backend):
        raise TargetError(
            f"the target {model.target} is what others are verified against",
            code="E702",
            fixes=["the target cpu"],
        )
    compared = [
        node
        for node in graph.nodes
        if node.name in expected.values and not isinstance(node.op, Input | Flatten)
    ]
    advance(len(graph.nodes) - len(compared))
    for start in range(0, len(compared), _AT_ONCE):
        nodes = compared[start : start + _AT_ONCE]
        needed = DropDead().run(Graph(graph.nodes, tuple(node.name for node in nodes)))
        plan = make_plan(needed, backend.choose)
        values = backend.load(Request(plan, model.weights, model.threads))(inputs)
        for node, y in zip(nodes, values, strict=True):
            found = channels_last(y, graph.layout)
            want = expected.values[node.name].reshape(found.shape)
            yield RowError(
                row=node.row,
                computes=_operators(node),
                kernels=_kernels(plan, node),
                error=relative_error(found, want),
                largest=largest_of(want),
                counterpart=expected.counterparts.get(node.name),
            )
            advance(1)


def relative_error(y: NDArray[np.floating], want: NDArray[np.floating]) -> float:
    """
    The largest difference over the largest absolute value that is wanted.

    Infinite where one of the two has a NaN or an infinity and the other has not the same.

    >>> relative_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    0.5
    """
    same = (y == want) | (np.isnan(y) & np.isnan(want))
    if not (same | (np.isfinite(y) & np.isfinite(want))).all():
        return float("inf")
    difference = np.subtract(y, want, where=~same, out=np.zeros(want.shape))
    error = float(np.abs(difference).max())
    return error / largest_of(want) if error else 0.0


def largest_of(want: NDArray[np.floating]) -> float:
    """The largest finite absolute value, at least the smallest normal number of float32."""
    finite = np.abs(want[np.isfinite(want)])
    return max(float(finite.max(initial=0.0)), float(np.finfo(np.float32).tiny))


def _operators(node: Node) -> tuple[str, ...]:
    """The operators of a node in order, those that passes have drawn into it included."""
    ops = (node.op, *(folded.op for folded in node.folded), *node.epilogue)
    return tuple(map(_operator, ops))


def _operator(op: Op) -> str:
    return op.activation if isinstance(op, Activation) else op.row_type


def _kernels(plan: Plan, node: Node) -> tuple[str, ...]:
    """The algorithms that compute a node; what only moves its operands is no part of it."""
    moves = (COPY, ZERO_HALO)
    return tuple(s.kernel for s in plan.steps if s.node == node.name and s.kernel not in moves)
