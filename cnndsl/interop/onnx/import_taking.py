"""ONNX's operators that take cells by their places along an axis."""

from __future__ import annotations

import numpy as np

from cnndsl.interop.onnx.import_cells import multiplied
from cnndsl.interop.onnx.import_places import cut
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step
from cnndsl.interop.onnx.values import View


def import_slice(step: Step) -> View:
    """A `slice` row; along an axis that it takes backwards, a 1x1 `conv`."""
    view = step.view()
    starts, ends = step.integers("starts", 1), step.integers("ends", 2)
    if starts is None or ends is None:
        raise Unsupported("its bounds are missing")
    axes = step.integers("axes", 3) or list(range(len(starts)))
    steps = step.integers("steps", 4) or [1] * len(starts)
    ranges = [range(side) for side in view.shape]
    for axis, start, end, stride in zip(axes, starts, ends, steps, strict=True):
        if step.lead and axis in (0, -len(view.shape) - 1):
            if range(step.lead[0])[start:end:stride] == range(step.lead[0]):
                continue
            raise Unsupported("it cuts the batch")
        place = step.axis(axis, len(view.shape))
        ranges[place] = range(view.shape[place])[start:end:stride]
    for axis, places in enumerate(ranges):
        if places.step < 0 and len(places) > 0:
            view = taken(step, view, axis, np.array(places))
            ranges[axis] = range(len(places))
    return cut(step, view, ranges)


def import_gather(step: Step) -> View:
    """A `slice` row where it takes places at even distances, in other orders a 1x1 `conv`."""
    view, wanted = step.view(), step.constant(1, "indices")
    axis = step.axis(int(step.get("axis", 0)), len(view.shape))
    if not np.issubdtype(wanted.dtype, np.integer) or not wanted.size:
        raise Unsupported("it takes no cells")
    found = taken(step, view, axis, wanted.reshape(-1) % view.shape[axis])
    return found.reshaped((*view.shape[:axis], *wanted.shape, *view.shape[axis + 1 :]))


def import_tile(step: Step) -> View:
    """Each axis as a `slice` or a `conv` that takes its places several times."""
    view, repeats = step.view(), step.integers("repeats", 1)
    start = len(step.lead)
    if repeats is None or any(count != 1 for count in repeats[:start]):
        raise Unsupported("it repeats images")
    for axis, count in enumerate(repeats[start:]):
        places = np.tile(np.arange(view.shape[axis]), count)
        view = view if count == 1 else taken(step, view, axis, places)
    return view


def taken(step: Step, view: View, axis: int, places: Array) -> View:
    """
    The cells at places along an axis, in their order.

    Where they do not go up evenly, a 1x1 `conv` with a 1 for each place picks them.
    """
    steps = set(np.diff(places).tolist()) or {1}
    if len(steps) == 1 and (stride := steps.pop()) > 0:
        ranges = [range(side) for side in view.shape]
        ranges[axis] = range(int(places[0]), int(places[-1]) + 1, stride)
        return cut(step, view, ranges)
    chosen = np.zeros((view.shape[axis], len(places)), np.float32)
    chosen[places, np.arange(len(places))] = 1
    return multiplied(step, view, chosen, axis)
