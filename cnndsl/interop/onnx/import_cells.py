"""ONNX's operators that weigh or normalize cells, as rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from cnndsl.interop.onnx.import_functions import fraction
from cnndsl.interop.onnx.import_places import MOST_PARTS, followed, parts_along
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step, along, epsilon, number
from cnndsl.interop.onnx.values import View
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.ops.conv import Conv
from cnndsl.ops.dense import Dense
from cnndsl.ops.dropout import Dropout
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.group_norm import GroupNorm
from cnndsl.ops.instance_norm import InstanceNorm
from cnndsl.ops.layer_norm import LayerNorm
from cnndsl.ops.lrn import Lrn

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
        made = multiplied(step, view, params["weight"].T, 1)
        bias = params.get("bias")
        return made if bias is None else step.builder.scaled(made, None, bias, step.facts, 1)
    return step.builder.view(_dense(step, view, params))


def import_matmul(step: Step) -> View:
    """
    A `dense` row, or along the last of several axes a `conv` of 1x1.

    A constant may stand first: then the axis before is multiplied, by the transposed matrix.
    """
    if not isinstance(step.given(0), View):
        view, matrix = step.view(1), step.constant(0, "matrix")
        if len(view.shape) < 2 or matrix.ndim < 2:
            raise Unsupported("it multiplies along the batch")
        return _by_stack(step, view, np.swapaxes(matrix, -1, -2), len(view.shape) - 2)
    view, matrix = step.view(), step.constant(1, "matrix")
    if not view.shape:
        raise Unsupported("it multiplies along the batch")
    last = len(view.shape) - 1
    if matrix.ndim == 1:
        made = multiplied(step, view, matrix[:, None], last)
        return made.reshaped(made.shape[:-1])
    return _by_stack(step, view, matrix, last)


def _by_stack(step: Step, view: View, matrix: Array, axis: int) -> View:
    """The view's axis times a matrix, or parts of the view each times one of a few matrices."""
    while matrix.ndim > 2 and matrix.shape[0] == 1:
        matrix = matrix[0]
    if matrix.ndim == 2:
        return multiplied(step, view, matrix, axis)
    stack = len(view.shape) - matrix.ndim
    if stack < 0 or len(matrix) > MOST_PARTS:
        raise Unsupported("a stack of matrices has no row")
    view = view.expanded((*view.shape[:stack], len(matrix), *view.shape[stack + 1 :]))
    parts = zip(parts_along(step, view, stack), matrix, strict=True)
    return followed(step, [_by_stack(step, part, one, axis) for part, one in parts], stack)


def multiplied(step: Step, view: View, matrix: Array, axis: int) -> View:
    """The view's axis times a matrix."""
    rank = len(view.shape)
    if rank == 1:
        return step.builder.view(_dense(step, view, {"weight": matrix.T}))
    # Turned round: rows can do that, and cannot exchange two axes.
    order = [(axis + i) % rank for i in range(rank)]
    front = view.transposed(tuple(order))
    op = Conv(matrix.shape[1], (1, 1), bias=False)
    params = {"weight": matrix.T[:, :, None, None]}
    name = step.add(op, step.builder.image(front), params=params)
    made = step.builder.view(name, (matrix.shape[1], *front.shape[1:]))
    return made.transposed(tuple((i - axis) % rank for i in range(rank)))


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
