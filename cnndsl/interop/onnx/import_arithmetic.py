"""ONNX's sums and products, broadcast as ONNX does, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from cnndsl.interop.onnx.joining import joined
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step, per_place
from cnndsl.interop.onnx.values import View
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.mul import Mul


def import_add(step: Step) -> View:
    """An `add` row; a constant goes into the row before, or is a `batchnorm` that shifts."""
    return _sum(step, 1.0)


def import_sub(step: Step) -> View:
    """As `import_add`, what is subtracted times -1."""
    return _sum(step, -1.0)


def import_sum(step: Step) -> View:
    """An `add` row of all inputs."""
    if len(step.inputs) == 1:
        return step.view()
    return added(step, [step.view(i) for i in range(len(step.inputs))])


def import_mul(step: Step) -> View:
    """
    A `mul` row; a constant goes into the row before, or is a `batchnorm` that scales.

    One that differs from pixel to pixel is a row of its own.
    """
    view, constant, _ = _operands(step)
    if constant is not None:
        return times(step, view, constant)
    other = step.view(1)
    gated = _gated(step, view, other) or _gated(step, other, view)
    if gated is not None:
        return gated
    return product(step, view, other)


def import_div(step: Step) -> View:
    """As `import_mul`, by the reciprocal."""
    view, constant, swapped = _operands(step)
    if constant is not None and not swapped:
        return times(step, view, 1.0 / constant.astype(np.float64))
    share = inverse(step, view if swapped else step.view(1))
    if constant is None:
        return product(step, view, share)
    return share if bool(np.all(constant == 1)) else times(step, share, constant)


def import_neg(step: Step) -> View:
    """The tensor times -1."""
    view = step.view()
    return step.builder.scaled(view, np.full(view.shape[0], -1.0), None, step.facts, 0)


def added(step: Step, views: Sequence[View]) -> View:
    """An `add` row of views: of their nodes as they stand, if all cells stand alike."""
    first = views[0]
    if all(_alike(view, first) for view in views):
        name = step.add(Add(), *(view.node for view in views))
        return replace(first, node=name, shared=False)
    views = expanded_alike(step, views)
    name = step.add(Add(), *map(step.builder.tensor, views))
    return step.builder.view(name, views[0].shape)


def expanded_alike(step: Step, views: Sequence[View]) -> list[View]:
    """The views, broadcast to the shape that they have together."""
    shape = _broadcast(step, views)
    return [view.expanded(shape) for view in views]


def inverse(step: Step, view: View) -> View:
    """1 divided by each cell."""
    return step.builder.elementwise(Activation("power(-1)"), view, step.facts)


def _sum(step: Step, sign: float) -> View:
    view, constant, swapped = _operands(step)
    if constant is None:
        other = step.view(1)
        return added(step, [view, negative(step, other) if sign < 0 else other])
    return plus(step, view, constant if swapped else sign * constant, swapped and sign < 0)


def plus(step: Step, view: View, shift: Array, minus: bool = False) -> View:
    """The view, or the view times -1, plus a constant."""
    line = per_place(shift, view.shape)
    if line is None:
        view = negative(step, view) if minus else view
        return added(step, [view, step.held(shift, len(view.shape))])
    vector, axis = line
    scale = np.full(len(vector), -1.0) if minus else None
    return step.builder.scaled(view, scale, vector, step.facts, axis)


def negative(step: Step, view: View) -> View:
    """The view times -1, and not its node's own parameters: that may be read as it is, too."""
    minus = np.full(view.shape[0] if view.shape else 1, -1.0)
    return step.builder.scaled(replace(view, shared=True), minus, None, step.facts, 0)


def times(step: Step, view: View, factor: Array) -> View:
    """The view times a constant."""
    line = per_place(factor, view.shape)
    if line is None:
        return product(step, view, step.held(factor, len(view.shape)))
    return step.builder.scaled(view, line[0], None, step.facts, line[1])


def _operands(step: Step) -> tuple[View, Array | None, bool]:
    """The computed operand, the constant one if there is one, and whether that stands first."""
    first, second = step.given(0), step.given(1)
    if isinstance(first, View):
        return first, None if isinstance(second, View) else step.constant(1, "operand"), False
    return step.view(1), step.constant(0, "operand"), True


def product(step: Step, a: View, b: View) -> View:
    """A `mul` row of two tensors."""
    if _alike(a, b):
        return replace(a, node=step.add(Mul(), a.node, b.node), shared=False)
    shape = _broadcast(step, [a, b])
    factors = [view.expanded(shape).narrowed() for view in (a, b)]
    shapes = joined([shape, *(view.shape for view in factors)])[1:]
    names = [
        step.builder.tensor(view.reshaped(sides))
        for view, sides in zip(factors, shapes, strict=True)
    ]
    # A row makes the smallest tensor that both go with, and what was expanded may be larger.
    made = step.builder.view(step.add(Mul(), *names), np.broadcast_shapes(*shapes))
    sides = np.broadcast_shapes(*(view.shape for view in factors))
    return made.reshaped(sides).expanded(shape)


def _broadcast(step: Step, views: Sequence[View]) -> tuple[int, ...]:
    """The shape that they have together."""
    shapes = [view.shape for view in views]
    if step.lead and len({len(shape) for shape in shapes}) > 1:
        raise Unsupported("tensors with different numbers of axes go together in no row")
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        shown = " and ".join(str(list(shape)) for shape in shapes)
        raise Unsupported(f"tensors of the shapes {shown} go together in no row") from None


def _alike(a: View, b: View) -> bool:
    if a.type != b.type or a.shape != b.shape:
        return False
    return (a.places is None and b.places is None) or np.array_equal(a.flat, b.flat)


def _gated(step: Step, x: View, gate: View) -> View | None:
    """`x * sigmoid(x)` is silu, `x * hard_sigmoid(x)` hard swish."""
    node = step.builder[gate.node]
    if not isinstance(node.op, Activation) or node.inputs != (x.node,) or gate.shared:
        return None
    names = {"sigmoid": "silu", "hard_sigmoid(1/6,0.5)": "hard_swish"}
    if node.op.activation not in names or not _alike(replace(gate, type=x.type), x):
        return None
    return step.builder.elementwise(Activation(names[node.op.activation]), x, step.facts)
