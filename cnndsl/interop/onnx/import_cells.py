"""ONNX's operators that compute cell by cell or weigh all cells, as rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np

from cnndsl.interop.onnx.building import Unsupported
from cnndsl.interop.onnx.reading import Array, round_float
from cnndsl.interop.onnx.step import Step, per_place
from cnndsl.interop.onnx.values import View
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.conv import Conv
from cnndsl.ops.dense import Dense
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.function_kind import format_call
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.instance_norm import InstanceNorm
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.mul import Mul
from cnndsl.ops.prelu import Prelu

_LOWEST, _HIGHEST = -3.4028235e38, 3.4028235e38

# ---- functions


def plain_function(name: str, **defaults: float) -> Callable[[Step], View]:
    """The import of a function whose attributes, in this order, are its numbers."""

    def import_function(step: Step) -> View:
        numbers = [fraction(float(step.get(key, value))) for key, value in defaults.items()]
        return _function(step, format_call(name, numbers))

    return import_function


def fraction(value: float) -> float:
    """The number that a float32 was probably made of: 1/6, or the decimal that it is."""
    near = Fraction(value).limit_denominator(12)
    return float(near) if np.float32(float(near)) == np.float32(value) else value


def import_clip(step: Step) -> View:
    """`relu`, `relu6` or `clip`."""
    low, high = (
        step.get(name) if step.opset < 11 else _number(step.optional(place, name))
        for place, name in ((1, "min"), (2, "max"))
    )
    low, high = _LOWEST if low is None else low, _HIGHEST if high is None else high
    if low == 0 and high >= _HIGHEST:
        return _function(step, "relu")
    if (low, high) == (0, 6):
        return _function(step, "relu6")
    if low > high:
        raise Unsupported(f"its limits {low:g} and {high:g} are in the wrong order")
    return _function(step, format_call("clip", [low, high]))


def import_selu(step: Step) -> View:
    """`selu`, whose two numbers are fixed."""
    for name, value in (("alpha", 1.67326319), ("gamma", 1.05070102)):
        given = step.get(name, value)
        if abs(given - value) > 1e-6:
            raise Unsupported(f"selu has {name}={value}, and {name}={given} is given")
    return _function(step, "selu")


def import_celu(step: Step) -> View:
    """`elu`, which it is where alpha is 1."""
    step.require("alpha", 1.0)
    return _function(step, "elu")


def import_gelu(step: Step) -> View:
    """`gelu_erf` or `gelu_tanh`."""
    return _function(step, "gelu_tanh" if step.get("approximate") == "tanh" else "gelu_erf")


def import_swish(step: Step) -> View:
    """`silu`, which it is where alpha is 1."""
    step.require("alpha", 1.0)
    return _function(step, "silu")


def import_softmax(step: Step) -> View:
    """`softmax` or `log_softmax` over the axis, or in older opsets over all from the axis on."""
    name = "softmax" if step.facts.op_type == "Softmax" else "log_softmax"
    view, op = step.view(), Activation(name)
    rank = len(view.shape)
    if step.opset >= 13:
        return _along(step, view, step.axis(int(step.get("axis", -1)), rank), op)
    place = step.axis(int(step.get("axis", 1)), rank)
    axes = [axis for axis in range(place, rank) if view.shape[axis] > 1]
    if len(axes) <= 1:
        return _along(step, view, axes[0] if axes else place, op)
    if place:
        raise Unsupported("it normalizes several axes together, but not all", "opset 13 or newer")
    return step.builder.view(step.add(op, step.builder.vector(view)), view.shape)


def import_prelu(step: Step) -> View:
    """A `prelu` row."""
    view, slopes = step.view(), step.constant(1, "slopes")
    if slopes.size == 1:
        op, weight = Prelu("one"), slopes.reshape(1)
        name = step.add(op, view.node, params={"weight": weight})
        return replace(view, node=name, shared=False)
    if slopes.size == prod(view.shape) and len(view.shape) == 3 and prod(view.shape[1:]) > 1:
        cells = slopes.reshape(view.shape).transpose(1, 2, 0)
        name = step.add(Prelu("cell"), step.builder.image(view), params={"weight": cells})
        return step.builder.view(name, view.shape)
    weight, axis = per_place(slopes, view.shape)
    return _along(step, view, axis, Prelu("map"), weight=weight)


# ---- sums and products


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
    views = [step.view(i) for i in range(len(step.inputs))]
    return _together(step, Add(), views)


def import_mul(step: Step) -> View:
    """A `mul` row; a constant goes into the row before, or is a `batchnorm` that scales."""
    view, constant, _ = _operands(step)
    if constant is not None:
        scale, axis = per_place(constant, view.shape)
        return step.builder.scaled(view, scale, None, step.facts, axis)
    other = step.view(1)
    gated = _gated(step, view, other) or _gated(step, other, view)
    if gated is not None:
        return gated
    return _product(step, view, other)


def import_div(step: Step) -> View:
    """As `import_mul`, by a constant's reciprocal."""
    view, constant, swapped = _operands(step)
    if constant is None or swapped:
        raise Unsupported("division by a computed tensor has no row")
    scale, axis = per_place(1.0 / constant.astype(np.float64), view.shape)
    return step.builder.scaled(view, scale, None, step.facts, axis)


def import_neg(step: Step) -> View:
    """The tensor times -1."""
    view = step.view()
    return step.builder.scaled(view, np.full(view.shape[0], -1.0), None, step.facts, 0)


def _sum(step: Step, sign: float) -> View:
    view, constant, swapped = _operands(step)
    if constant is None:
        other = step.view(1)
        if sign < 0:
            minus = np.full(other.shape[0], -1.0)
            other = step.builder.scaled(replace(other, shared=True), minus, None, step.facts, 0)
        return _together(step, Add(), [view, other])
    shift, axis = per_place(constant, view.shape)
    scale = np.full(len(shift), sign) if swapped and sign < 0 else None
    return step.builder.scaled(view, scale, shift if swapped else sign * shift, step.facts, axis)


def _operands(step: Step) -> tuple[View, Array | None, bool]:
    """The computed operand, the constant one if there is one, and whether that stands first."""
    first, second = step.given(0), step.given(1)
    if isinstance(first, View):
        return first, None if isinstance(second, View) else step.constant(1, "operand"), False
    return step.view(1), step.constant(0, "operand"), True


def _together(step: Step, op: Add, views: list[View]) -> View:
    """A sum of views of one shape: as they stand, if their cells stand alike."""
    first = views[0]
    if any(view.shape != first.shape for view in views):
        shapes = " and ".join(str(list(view.shape)) for view in views)
        raise Unsupported(f"a sum of tensors of different shapes has no row: {shapes}")
    if all(_alike(view, first) for view in views):
        name = step.add(op, *(view.node for view in views))
        return replace(first, node=name, shared=False)
    name = step.add(op, *(step.builder.tensor(view) for view in views))
    return step.builder.view(name, first.shape)


def _product(step: Step, a: View, b: View) -> View:
    if _alike(a, b):
        return replace(a, node=step.add(Mul(), a.node, b.node), shared=False)
    rank = max(len(a.shape), len(b.shape))
    if len(a.shape) != len(b.shape):
        raise Unsupported("a product of tensors with different numbers of axes has no row")
    shape = tuple(max(sides) for sides in zip(a.shape, b.shape, strict=True))
    if any(
        side not in (1, most) for v in (a, b) for side, most in zip(v.shape, shape, strict=True)
    ):
        raise Unsupported(f"a product of {list(a.shape)} and {list(b.shape)} has no row")
    if rank > 3 and a.shape != b.shape:
        raise Unsupported("a product of tensors with more than three axes has no row")
    name = step.add(Mul(), step.builder.tensor(a), step.builder.tensor(b))
    return step.builder.view(name, shape)


def _alike(a: View, b: View) -> bool:
    if a.type != b.type or a.shape != b.shape:
        return False
    return (a.places is None and b.places is None) or np.array_equal(a.flat, b.flat)


def _gated(step: Step, x: View, gate: View) -> View | None:
    """`x * sigmoid(x)` is silu, `x * hard_sigmoid(x)` hard swish."""
    node = next(n for n in step.builder.nodes if n.name == gate.node)
    if not isinstance(node.op, Activation) or node.inputs != (x.node,) or gate.shared:
        return None
    names = {"sigmoid": "silu", "hard_sigmoid(1/6,0.5)": "hard_swish"}
    if node.op.activation not in names or not _alike(replace(gate, type=x.type), x):
        return None
    return step.builder.elementwise(Activation(names[node.op.activation]), x, step.facts)


# ---- weights of all cells


def import_gemm(step: Step) -> View:
    """A `dense` row."""
    view = step.view()
    if step.get("transA", 0):
        raise Unsupported("transA=1 works along the batch")
    weight = step.constant(1, "matrix")
    weight = weight if step.get("transB", 0) else weight.T
    params = {"weight": weight * np.float32(step.get("alpha", 1.0))}
    bias = step.optional(2, "bias")
    if bias is not None:
        if bias.size not in (1, weight.shape[0]) or (bias.ndim == 2 and bias.shape[0] != 1):
            raise Unsupported("a bias that differs from image to image has no row")
        wide = np.broadcast_to(bias.reshape(-1), (weight.shape[0],))
        params["bias"] = wide * np.float32(step.get("beta", 1.0))
    return step.builder.view(_dense(step, view, params))


def import_matmul(step: Step) -> View:
    """A `dense` row, or along the last of several axes a `conv` of 1x1."""
    view, matrix = step.view(), step.constant(1, "matrix")
    if matrix.ndim != 2:
        raise Unsupported("a stack of matrices has no row")
    if len(view.shape) == 1:
        return step.builder.view(_dense(step, view, {"weight": matrix.T}))
    front, _ = step.builder.along(view, len(view.shape) - 1)
    op = Conv(matrix.shape[1], (1, 1), bias=False)
    params = {"weight": matrix.T[:, :, None, None]}
    name = step.add(op, step.builder.image(front), params=params)
    made = step.builder.view(name, (matrix.shape[1], *front.shape[1:]))
    return made.transposed((*range(1, len(view.shape)), 0))


def _dense(step: Step, view: View, params: dict[str, Array]) -> str:
    if len(view.shape) != 1:
        raise Unsupported(f"it reads {list(view.shape)}, and a dense row reads a vector", "Flatten")
    vector = step.builder.vector(view)
    before = next(node for node in step.builder.nodes if node.name == vector)
    order = before.op.order if isinstance(before.op, Flatten) else "hwc"
    op = Dense(params["weight"].shape[0], bias="bias" in params, flatten=order)
    return step.add(op, vector, params=params)


# ---- normalizations


def import_batch_norm(step: Step) -> View:
    """A `batchnorm` row."""
    step.only_first_output()
    step.require("training_mode", 0)
    step.require("spatial", 1)
    names = ("weight", "bias", "mean", "variance")
    params = {name: step.constant(i, name) for i, name in enumerate(names, 1)}
    return _along(step, step.view(), 0, BatchNorm(float(step.get("epsilon", 1e-5))), **params)


def import_instance_norm(step: Step) -> View:
    """An `instancenorm` row."""
    params = {"weight": step.constant(1, "weight"), "bias": step.constant(2, "bias")}
    op = InstanceNorm(float(step.get("epsilon", 1e-5)), True)
    return _along(step, step.view(), 0, op, **params)


def import_group_norm(step: Step) -> View:
    """A `groupnorm` row."""
    view, groups = step.view(), int(step.get("num_groups"))
    arrays = {"weight": step.constant(1, "weight"), "bias": step.constant(2, "bias")}
    # Up to opset 20 a group shares its weight and bias.
    params = {name: np.repeat(a, view.shape[0] // len(a)) for name, a in arrays.items()}
    return _along(step, view, 0, GroupNorm(groups, float(step.get("epsilon", 1e-5))), **params)


def import_layer_norm(step: Step) -> View:
    """A `layernorm` row over the last axis, or over all of an image."""
    step.only_first_output()
    view, rank = step.view(), len(step.view().shape)
    axis = step.axis(int(step.get("axis", -1)), rank)
    weight, bias = step.constant(1, "weight"), step.optional(2, "bias")
    epsilon = float(step.get("epsilon", 1e-5))
    params = {"weight": weight} | ({} if bias is None else {"bias": bias})
    if axis == rank - 1:
        over = None if rank == 1 else "maps"
        return _along(step, view, axis, LayerNorm(epsilon, over, bias=bias is not None), **params)
    if axis or rank != 3:
        raise Unsupported("it normalizes several axes together, but not all")
    cells = {name: a.reshape(view.shape).transpose(1, 2, 0) for name, a in params.items()}
    op = LayerNorm(epsilon, "image", bias=bias is not None)
    return step.builder.view(step.add(op, step.builder.image(view), params=cells))


def import_lrn(step: Step) -> View:
    """An `lrn` row."""
    view, size = step.view(), int(step.get("size"))
    alpha, beta, k = step.get("alpha", 1e-4), step.get("beta", 0.75), step.get("bias", 1.0)
    op = Lrn(alpha, beta, k, size=size, align=None if size % 2 else "onnx")
    return step.builder.view(step.add(op, step.builder.image(view)), view.shape)


def import_dropout(step: Step) -> View:
    """A `dropout` row, which at inference passes all cells on."""
    step.only_first_output()
    mode = step.optional(2, "training_mode")
    if mode is not None and bool(mode.reshape(-1)[0]):
        raise Unsupported("it drops cells at inference as well")
    rate = step.get("ratio", 0.5) if step.opset < 12 else _number(step.optional(1, "ratio"))
    rate = fraction(0.5 if rate is None else rate)
    view = step.view()
    return view if not 0 < rate < 1 else step.builder.elementwise(Dropout(rate), view, step.facts)


def _along(step: Step, view: View, axis: int, op: object, **params: Array) -> View:
    """An operator on the view whose maps are the axis."""
    assert isinstance(op, Activation | Prelu | BatchNorm | InstanceNorm | GroupNorm | LayerNorm)
    front, back = step.builder.along(view, axis)
    made = step.builder.view(step.add(op, step.builder.tensor(front), params=params), front.shape)
    return made if front is view else made.transposed(back)


def _function(step: Step, text: str) -> View:
    return step.builder.elementwise(Activation(text), step.view(), step.facts)


def _number(array: Array | None) -> float | None:
    return None if array is None else round_float(float(array.reshape(-1)[0]))
