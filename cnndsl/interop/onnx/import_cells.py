"""ONNX's operators that compute cell by cell or weigh all cells, as rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnndsl.interop.onnx.building import Unsupported
from cnndsl.interop.onnx.import_functions import fraction
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.step import Step, along, epsilon, number, per_place
from cnndsl.interop.onnx.values import View
from cnndsl.ops.activation import Activation
from cnndsl.ops.add import Add
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.conv import Conv
from cnndsl.ops.dense import Dense
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.instance_norm import InstanceNorm
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.lrn import Lrn
from cnndsl.ops.mul import Mul

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
    node = step.builder[gate.node]
    if not isinstance(node.op, Activation) or node.inputs != (x.node,) or gate.shared:
        return None
    names = {"sigmoid": "silu", "hard_sigmoid(1/6,0.5)": "hard_swish"}
    if node.op.activation not in names or not _alike(replace(gate, type=x.type), x):
        return None
    return step.builder.elementwise(Activation(names[node.op.activation]), x, step.facts)


# ---- weights of all cells


def import_gemm(step: Step) -> View:
    """A `dense` row, or where there is no batch, a `conv` of 1x1 along the columns."""
    view = step.view()
    if step.get("transA", 0):
        if step.lead:
            raise Unsupported("transA=1 works along the batch")
        view = view.transposed((1, 0))
    weight = step.constant(1, "matrix")
    weight = weight if step.get("transB", 0) else weight.T
    params = {"weight": weight * np.float32(step.get("alpha", 1.0))}
    bias = step.optional(2, "bias")
    if bias is not None:
        if bias.size not in (1, weight.shape[0]) or (bias.ndim == 2 and bias.shape[0] != 1):
            raise Unsupported("a bias that differs from image to image has no row")
        wide = np.broadcast_to(bias.reshape(-1), (weight.shape[0],))
        params["bias"] = wide * np.float32(step.get("beta", 1.0))
    if not step.lead:
        made = multiplied(step, view, params["weight"].T)
        bias = params.get("bias")
        return made if bias is None else step.builder.scaled(made, None, bias, step.facts, 1)
    return step.builder.view(_dense(step, view, params))


def import_matmul(step: Step) -> View:
    """A `dense` row, or along the last of several axes a `conv` of 1x1."""
    view, matrix = step.view(), step.constant(1, "matrix")
    if matrix.ndim == 1:
        made = multiplied(step, view, matrix[:, None])
        return made.reshaped(made.shape[:-1])
    return multiplied(step, view, matrix)


def multiplied(step: Step, view: View, matrix: Array) -> View:
    """The view's last axis times a matrix."""
    if matrix.ndim != 2:
        raise Unsupported("a stack of matrices has no row")
    if not view.shape:
        raise Unsupported("it multiplies along the batch")
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
    before = step.builder[vector]
    order = before.op.order if isinstance(before.op, Flatten) else "hwc"
    op = Dense(params["weight"].shape[0], bias="bias" in params, flatten=order)
    return step.add(op, vector, params=params)


# ---- normalizations


def import_batch_norm(step: Step) -> View:
    """A `batchnorm` row."""
    step.require_batch()
    step.only_first_output()
    step.require("training_mode", 0)
    step.require("spatial", 1)
    names = ("weight", "bias", "mean", "variance")
    params = {name: step.constant(i, name) for i, name in enumerate(names, 1)}
    return along(step, step.view(), 0, BatchNorm(epsilon(step)), **params)


def import_instance_norm(step: Step) -> View:
    """
    An `instancenorm` row.

    Of maps that were put together it is a `groupnorm` row, as exporters write that.
    """
    step.require_batch()
    view, count = step.view(), step.view().shape[0]
    weight, bias = step.constant(1, "weight"), step.constant(2, "bias")
    maps = view.type.maps
    if view.places is None and view.type.is_image and count < maps and maps % count == 0:
        op = GroupNorm(count, epsilon(step), bool(np.any(weight != 1)), bool(np.any(bias)))
        arrays = {"weight": weight} if op.scale else {}
        arrays |= {"bias": bias} if op.bias else {}
        params = {name: np.repeat(array, maps // count) for name, array in arrays.items()}
        return replace(view, node=step.add(op, view.node, params=params), shared=False)
    op = InstanceNorm(epsilon(step), True)
    return along(step, view, 0, op, weight=weight, bias=bias)


def import_group_norm(step: Step) -> View:
    """A `groupnorm` row."""
    step.require_batch()
    view, groups = step.view(), int(step.get("num_groups"))
    arrays = {"weight": step.constant(1, "weight"), "bias": step.constant(2, "bias")}
    # Up to opset 20 a group shares its weight and bias.
    params = {name: np.repeat(a, view.shape[0] // len(a)) for name, a in arrays.items()}
    return along(step, view, 0, GroupNorm(groups, epsilon(step)), **params)


def import_layer_norm(step: Step) -> View:
    """
    A `layernorm` row over one axis, or over all of an image.

    A formula that was read as this node has `axes`, and neither weight nor bias.
    """
    step.only_first_output()
    view, rank = step.view(), len(step.view().shape)
    axes = sorted(step.axis(int(axis), rank) for axis in step.get("axes", ())) or [
        *range(step.axis(int(step.get("axis", -1)), rank), rank)
    ]
    weight, bias = step.optional(1, "weight"), step.optional(2, "bias")
    params = {name: a for name, a in (("weight", weight), ("bias", bias)) if a is not None}
    affine = {"scale": weight is not None, "bias": bias is not None}
    if len(axes) == 1:
        op = LayerNorm(epsilon(step), None if rank == 1 else "maps", **affine)
        return along(step, view, axes[0], op, **params)
    if axes != [0, 1, 2] or rank != 3:
        raise Unsupported("it normalizes several axes together, but not all")
    cells = {name: a.reshape(view.shape).transpose(1, 2, 0) for name, a in params.items()}
    op = LayerNorm(epsilon(step), "image", **affine)
    return step.builder.view(step.add(op, step.builder.image(view), params=cells), view.shape)


def import_lrn(step: Step) -> View:
    """An `lrn` row."""
    step.require_batch()
    view, size = step.view(), int(step.get("size"))
    alpha, beta, k = step.get("alpha", 1e-4), step.get("beta", 0.75), step.get("bias", 1.0)
    op = Lrn(alpha, beta, k, size=size, align=None if size % 2 else "onnx")
    return step.builder.view(step.add(op, step.builder.image(view)), view.shape)


def import_dropout(step: Step) -> list[View | Array]:
    """A `dropout` row, which at inference passes all cells on: the mask is true everywhere."""
    mode = step.optional(2, "training_mode")
    rate = step.get("ratio", 0.5) if step.opset < 12 else number(step.optional(1, "ratio"))
    rate = fraction(0.5 if rate is None else rate)
    if rate and mode is not None and bool(mode.reshape(-1)[0]):
        raise Unsupported("it drops cells at inference as well", "export it in eval mode")
    view = step.view()
    kept = view if not 0 < rate < 1 else step.builder.elementwise(Dropout(rate), view, step.facts)
    mask = np.ones(step.whole(view), bool)
    return [kept, mask] if len(step.facts.outputs) > 1 else [kept]
