"""
Windows that slide along three axes, `[n, c, d, h, w]`, as rows of images.

A pool is one along the planes and then one across them: what it does to a window's cells, it does
to the planes' results. A convolution is a sum of convolutions, one for each of its filters' planes:
the planes of an image stand one below the other, and what a window sees of two is cut off again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnndsl.interop.onnx.import_arithmetic import added
from cnndsl.interop.onnx.import_places import cut
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.step import Step
from cnndsl.interop.onnx.values import View
from cnndsl.interop.onnx.window_attributes import WindowAttributes
from cnndsl.ops.base import Op
from cnndsl.ops.kinds import Pair
from cnndsl.ops.pad import Pad
from cnndsl.ops.padding import Padding

MakePool = Callable[[dict[str, Any], Pair], Op]
"""A pool with a window, of images of a size."""

MakeConv = Callable[[Array, bool, dict[str, Any], int], Op]
"""A convolution with filters, with or without a bias, with a window, of that many maps."""


def pooled_volume(step: Step, window: WindowAttributes, make: MakePool) -> View:
    """A pool of each plane, and one across the planes."""
    maps, depth, height, width = step.view().shape
    planes = step.view().reshaped((maps * depth, height, width))
    op = make(window.fields(1, 2), (height, width))
    flat = step.builder.view(step.add(op, step.builder.image(planes)))
    _, rows, columns = flat.shape
    lines = flat.reshaped((maps, depth, rows * columns))
    op = make(window.fields(0, None), (depth, rows * columns))
    made = step.builder.view(step.add(op, step.builder.image(lines)))
    return made.reshaped((maps, made.shape[1], rows, columns))


def convolved_volume(
    step: Step, window: WindowAttributes, weight: Array, bias: Array | None, make: MakeConv
) -> View:
    """A sum of convolutions, or where the filters are lines across the planes, one."""
    maps, depth, height, width = step.view().shape
    around = [window.cells_around(axis, side) for axis, side in enumerate((depth, height, width))]
    if window.kernel[1:] == window.stride[1:] == (1, 1) and not any(around[1] + around[2]):
        lines = step.view().reshaped((maps, depth, height * width))
        filters = weight.reshape(*weight.shape[:3], 1)
        made = _convolved(step, lines, window.fields(0, None), filters, bias, make)
        return made.reshaped((made.shape[0], made.shape[1], height, width))
    stride, reach = window.stride[1], window.reach(1)
    rows = (height + sum(around[1]) - reach) // stride + 1
    # Windows of all planes start in step where planes are a whole number of strides apart.
    below = around[1][1] + -(height + sum(around[1])) % stride
    volume = padded_volume(step, step.view(), around[0], (around[1][0], below))
    planes = (volume.shape[1] - window.reach(0)) // window.stride[0] + 1
    fields = window.fields(1, 2)
    # The last plane has as many windows as the others.
    fields["padding"] = Padding("explicit", ((0, max(0, reach - stride)), around[2]))
    parts: list[View] = []
    for place in range(window.kernel[0]):
        begin = place * window.dilation[0]
        ranges = [range(side) for side in volume.shape]
        ranges[1] = range(begin, begin + (planes - 1) * window.stride[0] + 1, window.stride[0])
        part = cut(step, volume, ranges)
        tall = part.reshaped((maps, planes * part.shape[2], width))
        first = bias if place == 0 else None
        parts.append(_convolved(step, tall, fields, weight[:, :, place], first, make))
    total = parts[0] if len(parts) == 1 else added(step, parts)
    tall_rows, columns = total.shape[1:]
    made = total.reshaped((total.shape[0], planes, tall_rows // planes, columns))
    kept = [range(side) for side in made.shape]
    kept[2] = range(rows)
    return cut(step, made, kept)


def padded_volume(step: Step, view: View, across: Pair, along: Pair) -> View:
    """A volume with planes of zeros before and behind, and with rows above and below each plane."""
    maps, depth, height, width = view.shape
    if any(along):
        flat = step.builder.image(view.reshaped((maps * depth, height, width)))
        height += sum(along)
        view = step.builder.view(step.add(Pad((along, (0, 0))), flat), (maps, depth, height, width))
    if any(across):
        tall = step.builder.image(view.reshaped((maps, depth * height, width)))
        before, behind = (planes * height for planes in across)
        depth += sum(across)
        made = step.add(Pad(((before, behind), (0, 0))), tall)
        view = step.builder.view(made, (maps, depth, height, width))
    return view


def _convolved(
    step: Step,
    view: View,
    window: dict[str, Any],
    filters: Array,
    bias: Array | None,
    make: MakeConv,
) -> View:
    params = {"weight": filters} | ({} if bias is None else {"bias": bias})
    op = make(filters, bias is not None, window, view.shape[0])
    return step.builder.view(step.add(op, step.builder.image(view), params=params))
