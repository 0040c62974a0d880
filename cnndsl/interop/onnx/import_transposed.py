"""
ONNX's transposed convolution, along one, two or three axes, as rows.

Along three, `[n, c, d, h, w]`, the planes of a volume stand one below the other. One row makes of
each plane what all of a filter's planes make of it, as maps of its own, and a second one adds up
across the planes what falls on the same place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cnndsl.interop.onnx.import_places import cut
from cnndsl.interop.onnx.import_volumes import padded_volume
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step
from cnndsl.interop.onnx.values import View
from cnndsl.interop.onnx.window_attributes import WindowAttributes, window_attributes
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.kinds import Pair
from cnndsl.ops.padding import Padding


def import_conv_transpose(step: Step) -> View:
    """A `convtranspose` row, or several along three axes."""
    step.require_batch()
    weight, bias = step.constant(1, "filters"), step.optional(2, "bias")
    sides = step.view().shape[1:]
    if not 1 <= len(sides) <= 3:
        raise Unsupported(f"it slides along {len(sides)} axes, and rows have one or two")
    window = window_attributes(step, weight.shape[2:])
    extra = [int(cells) for cells in step.get("output_padding") or [0] * len(sides)]
    wanted = step.get("output_shape")
    if wanted is None and window.auto.startswith("SAME") and len(sides) == 3:
        # ONNX, ConvTranspose: the output is as many times as large as the stride says.
        wanted = [size * stride for size, stride in zip(sides, window.stride, strict=True)]
    cuts = list(window.sides)
    if wanted is not None:
        upper = step.get("auto_pad", "NOTSET") == "SAME_UPPER"
        for axis, size in enumerate(sides):
            full = (size - 1) * window.stride[axis] + window.reach(axis) + extra[axis]
            total = full - int(wanted[axis])
            extra[axis] += max(0, -total)
            cuts[axis] = _shared_out(max(0, total), upper=upper)
    if len(sides) == 3:
        return _volume(step, window, cuts, extra, weight, bias)
    fields = window.image
    line = len(sides) == 1
    if wanted is not None:
        fields["padding"] = Padding("explicit", ((0, 0), cuts[0]) if line else (cuts[0], cuts[1]))
    filters = weight[:, :, None] if line else weight
    fields["output_padding"] = (0, extra[0]) if line else (extra[0], extra[1])
    groups = int(step.get("group", 1))
    made = _transposed(step, step.view(), filters, bias, groups=groups, **fields)
    maps, height, width = made.shape
    return made.reshaped((maps, width) if line else (maps, height, width))


def _shared_out(total: int, *, upper: bool) -> Pair:
    """The cells that are cut before and behind: ONNX, ConvTranspose, has the odd one in front."""
    begin = total // 2 if upper else total - total // 2
    return begin, total - begin


def _volume(
    step: Step,
    window: WindowAttributes,
    cuts: Sequence[Pair],
    extra: Sequence[int],
    weight: Array,
    bias: Array | None,
) -> View:
    """A row for what each plane makes, and one that adds it up across the planes."""
    maps, depth, height, width = step.view().shape
    planes, each = window.kernel[0], weight.shape[1]
    stride, reach = window.stride[1], window.reach(1)
    # Below each plane so many rows of zeros that what it makes ends where the next one's begins.
    full = (height - 1) * stride + reach
    top, rows = cuts[1][0], full - sum(cuts[1]) + extra[1]
    below = -(-max(full, top + rows) // stride) - height
    volume = padded_volume(step, step.view(), (0, 0), (0, below))
    flat = planes == window.stride[0] == 1 and not (any(cuts[0]) or extra[0])
    made = _transposed(
        step,
        volume.reshaped((maps, depth * (height + below), width)),
        weight.reshape(maps, each * planes, *weight.shape[3:]),
        bias if flat else None,
        kernel=window.kernel[1:],
        stride=window.stride[1:],
        dilation=window.dilation[1:],
        padding=Padding("explicit", ((0, max(0, reach - stride)), cuts[2])),
        output_padding=(max(0, stride - reach), extra[2]),
        groups=int(step.get("group", 1)),
    )
    outputs, tall, columns = made.shape
    made = made.reshaped((outputs, depth, tall // depth, columns))
    kept = [range(side) for side in made.shape]
    kept[2] = range(top, top + rows)
    made = cut(step, made, kept)
    if flat:
        return made
    result = _transposed(
        step,
        made.reshaped((outputs, depth, rows * columns)),
        np.tile(np.eye(planes, dtype=np.float32), (outputs // planes, 1))[:, None, :, None],
        bias,
        kernel=(planes, 1),
        stride=(window.stride[0], 1),
        dilation=(window.dilation[0], 1),
        padding=Padding("explicit", (cuts[0], (0, 0))),
        output_padding=(extra[0], 0),
        groups=outputs // planes,
    )
    return result.reshaped((outputs // planes, result.shape[1], rows, columns))


def _transposed(
    step: Step, view: View, filters: Array, bias: Array | None, *, groups: int, **fields: Any
) -> View:
    """A `convtranspose` row of a view that is an image."""
    op = ConvTranspose(filters.shape[1] * groups, **fields, groups=groups, bias=bias is not None)
    params = {"weight": filters} | ({} if bias is None else {"bias": bias})
    return step.builder.view(step.add(op, step.builder.image(view), params=params))
