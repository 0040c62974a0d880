"""ONNX's operators that are formulas of others, as the rows of those."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from cnndsl.interop.onnx import import_cells as cells
from cnndsl.interop.onnx import import_reductions as reductions
from cnndsl.interop.onnx.import_arithmetic import (
    added,
    expanded_alike,
    inverse,
    negative,
    plus,
    product,
    times,
)
from cnndsl.interop.onnx.import_functions import clipped
from cnndsl.interop.onnx.import_places import MOST_PARTS, followed, parts_along
from cnndsl.interop.onnx.reading import Array, round_float
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step, epsilon, per_place
from cnndsl.interop.onnx.values import View, as_image
from cnndsl.ops.activation import Activation
from cnndsl.ops.concat import Concat
from cnndsl.ops.function_kind import format_call
from cnndsl.ops.max_pool import MaxPool

_SMALLEST = 1e-37
"""Less than a norm that is not 0, and its reciprocal is a float32."""

# ---- of several tensors


def import_mean(step: Step) -> View:
    """An `add` row of all inputs, divided."""
    views = [step.view(i) for i in range(len(step.inputs))]
    return _scaled(step, added(step, views), 1 / len(views)) if len(views) > 1 else views[0]


def import_max(step: Step) -> View:
    """The largest of several tensors; with one number, a `clip`."""
    return _largest(step, lambda view: view)


def import_min(step: Step) -> View:
    """The smallest is less the largest of what is less."""
    return _largest(step, lambda view: negative(step, view))


def _largest(step: Step, signed: Callable[[View], View]) -> View:
    """
    The largest of the tensors with a sign, and that sign again.

    A `maxpool` of the tensors one below the other takes it: its windows have a cell of each.
    """
    least = step.facts.op_type == "Min"
    bounds = [float(v.reshape(-1)[0]) for v in _constants(step) if v.size == 1]
    views = [
        step.view(i)
        for i, value in enumerate(step.inputs)
        if isinstance(value, View) or (value is not None and value.size != 1)
    ]
    found = views[0] if len(views) == 1 else signed(_stacked(step, [*map(signed, views)]))
    if not bounds:
        return found
    return clipped(step, found, *((None, min(bounds)) if least else (max(bounds), None)))


def _constants(step: Step) -> list[Array]:
    return [value for value in step.inputs if value is not None and not isinstance(value, View)]


def _stacked(step: Step, views: Sequence[View]) -> View:
    views = expanded_alike(step, views)
    shape = views[0].shape
    height = as_image(shape).height_width[0]
    names = [step.builder.image(view) for view in views]
    tall = step.add(Concat("height"), *names)
    op = MaxPool((len(views), 1), (1, 1), dilation=(height, 1))
    return step.builder.view(step.add(op, tall), shape)


# ---- of one


def import_pow(step: Step) -> View:
    """The function `power`; where exponents differ along an axis, one of each place of it."""
    view, exponents = step.view(), step.constant(1, "exponent")
    line = per_place(exponents, view.shape)
    if line is None or (np.ptp(line[0]) and len(line[0]) > MOST_PARTS):
        raise Unsupported("a power has a row where all cells have one exponent")
    vector, axis = line
    if not np.ptp(vector):
        return _power(step, view, vector[0])
    parts = zip(parts_along(step, view, axis), vector, strict=True)
    return followed(step, [_power(step, part, exponent) for part, exponent in parts], axis)


def _power(step: Step, view: View, exponent: float) -> View:
    if exponent == 1:
        return view
    op = Activation(format_call("power", [round_float(float(exponent))]))
    return step.builder.elementwise(op, view, step.facts)


def import_softsign(step: Step) -> View:
    """`x / (1 + abs(x))`."""
    x = replace(step.view(), shared=True)
    size = step.builder.elementwise(Activation("abs"), x, step.facts)
    more = step.builder.scaled(size, None, np.ones(_count(size)), step.facts, 0)
    return product(step, x, inverse(step, more))


def import_reduce_min(step: Step) -> View:
    """The smallest is less the largest of what is less."""
    less = replace(step, inputs=(negative(step, step.view()), *step.inputs[1:]))
    return negative(step, reductions.import_reduce_max(less))


def import_reduce_sum_square(step: Step) -> View:
    """The sum of the cells' squares."""
    squares = step.builder.elementwise(Activation("power(2)"), step.view(), step.facts)
    return reductions.import_reduce_sum(replace(step, inputs=(squares, *step.inputs[1:])))


def import_lp_normalization(step: Step) -> View:
    """Each cell divided by the norm of all along an axis; where all are 0 they stay so."""
    x = replace(step.view(), shared=True)
    p, axis = int(step.get("p", 2)), int(step.get("axis", -1))
    norm = clipped(step, _reduced(step, x, f"ReduceL{p}", [axis]), _SMALLEST, None)
    return product(step, x, inverse(step, norm))


def import_layer_norm(step: Step) -> list[View]:
    """
    A `layernorm` row; over several axes that are not all, its formula.

    The mean and the reciprocal deviation that some read beside it are rows of their own.
    """
    alone = replace(step, facts=replace(step.facts, outputs=step.facts.outputs[:1]))
    asked = any(name in step.read for name in step.facts.outputs[1:])
    try:
        found = [cells.import_layer_norm(alone)]
    except Unsupported:
        if not step.lead or "axes" in step.facts.attributes:
            raise
        found = []
    if found and not asked:
        return found
    x, rank = replace(step.view(), shared=True), len(step.view().shape)
    first = step.axis(int(step.get("axis", -1)), rank)
    axes = [axis + len(step.lead) for axis in range(first, rank)]
    mean = replace(_reduced(step, x, "ReduceMean", axes), shared=True)
    less = replace(added(step, [x, negative(step, mean)]), shared=True)
    squares = step.builder.elementwise(Activation("power(2)"), less, step.facts)
    variance = _reduced(step, squares, "ReduceMean", axes)
    shift = np.full(_count(variance), epsilon(step))
    variance = step.builder.scaled(variance, None, shift, step.facts, 0)
    share = step.builder.elementwise(Activation("power(-0.5)"), variance, step.facts)
    share = replace(share, shared=True)
    if not found:
        y, weight, bias = product(step, less, share), *_affine(step)
        y = y if weight is None else times(step, y, weight)
        found = [y if bias is None else plus(step, y, bias)]
    return [*found, mean, share]


def _affine(step: Step) -> tuple[Array | None, Array | None]:
    return step.optional(1, "weight"), step.optional(2, "bias")


def _reduced(step: Step, view: View, op_type: str, axes: list[int]) -> View:
    facts = replace(step.facts, op_type=op_type, attributes={"axes": axes, "keepdims": 1})
    reduce = {
        "ReduceMean": reductions.import_reduce_mean,
        "ReduceL1": reductions.import_reduce_norm,
        "ReduceL2": reductions.import_reduce_norm,
    }[op_type]
    return reduce(replace(step, facts=facts, inputs=(view,)))


def _scaled(step: Step, view: View, factor: float) -> View:
    return step.builder.scaled(view, np.full(_count(view), factor), None, step.facts, 0)


def _count(view: View) -> int:
    return view.shape[0] if view.shape else 1
