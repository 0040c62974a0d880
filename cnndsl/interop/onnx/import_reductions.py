"""ONNX's sums, means, maxima and norms along some axes, as rows."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from cnndsl.interop.onnx.import_arithmetic import added
from cnndsl.interop.onnx.import_places import MOST_PARTS, parts_along
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step
from cnndsl.interop.onnx.values import View, as_image
from cnndsl.ops.base import Op
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.padding import Padding
from cnndsl.types import TensorType


def import_reduce_max(step: Step) -> View:
    """A `globalmaxpool` row."""
    return _reduced(step, lambda image: GlobalMaxPool())


def import_reduce_mean(step: Step) -> View:
    """A `globalavgpool` row, or the sum of a few parts, divided."""
    return _reduced(step, lambda image: GlobalAvgPool(), mean=True)


def import_reduce_sum(step: Step) -> View:
    """A `globalavgpool` row times the number of cells, or the sum of a few parts."""
    return _reduced(step, lambda image: GlobalAvgPool(), mean=True, total=True)


def import_reduce_norm(step: Step) -> View:
    """An `lppool` row whose window is the image."""
    p = float(step.facts.op_type.removeprefix("ReduceL"))
    return _reduced(step, lambda image: _norm(image, p))


def _norm(image: TensorType, p: float) -> Op:
    return LpPool(image.height_width, (1, 1), Padding("valid"), p=p)


def _reduced(
    step: Step, pool: Callable[[TensorType], Op], *, mean: bool = False, total: bool = False
) -> View:
    """
    The pool of some axes. The cells of the other axes are its maps.

    Where no row brings them there, a `mean` is that of its parts. A `total` is a mean times the
    number of cells.
    """
    view, rank = step.view(), len(step.view().shape)
    axes = step.integers("axes", 1)
    if not axes:
        if step.get("noop_with_empty_axes", 0):
            return view
        axes = [*range(-rank - len(step.lead), 0)]
    gone = sorted(step.axis(axis, rank) for axis in axes)
    kept = [axis for axis in range(rank) if axis not in gone]
    count = prod(view.shape[axis] for axis in gone)
    moved = view if kept + gone == [*range(rank)] else view.transposed((*kept, *gone))
    image = moved.reshaped((prod(moved.shape[: len(kept)]), *moved.shape[len(kept) :]))
    try:
        name = step.builder.image(image)
    except Unsupported:
        if not mean or len(gone) > 1 or count > MOST_PARTS:
            raise
        made, divisor = added(step, parts_along(step, view, gone[0])), 1 if total else count
    else:
        made = step.builder.view(step.add(pool(as_image(image.shape)), name))
        divisor = 1 / count if total else 1
    keep = bool(step.get("keepdims", 1))
    one = [1 if axis in gone else side for axis, side in enumerate(view.shape)]
    made = made.reshaped(tuple(one if keep else (view.shape[axis] for axis in kept)))
    if divisor == 1:
        return made
    share = np.full(made.shape[0] if made.shape else 1, 1 / divisor)
    return step.builder.scaled(made, share, None, step.facts, 0)
