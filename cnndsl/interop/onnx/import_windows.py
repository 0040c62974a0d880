"""
ONNX's operators with windows, as rows.

One axis is read as an image of height 1; three axes are several rows.
"""

from __future__ import annotations

from typing import Any

from cnndsl.interop.onnx.cell_blocks import to_depth, to_space
from cnndsl.interop.onnx.import_volumes import MakePool, convolved_volume, pooled_volume
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.refusals import Unsupported
from cnndsl.interop.onnx.step import Step
from cnndsl.interop.onnx.values import View, onnx_shape
from cnndsl.interop.onnx.window_attributes import window_attributes
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.base import Op
from cnndsl.ops.conv import Conv
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.kinds import Pair
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.max_pool import MaxPool


def import_conv(step: Step) -> View:
    """A `conv` row, or `depthwise` where each map is filtered by itself."""
    weight, bias = step.constant(1, "filters"), step.optional(2, "bias")
    window, rank = window_attributes(step, weight.shape[2:]), _axes(step)
    groups = int(step.get("group", 1))

    def make(filters: Array, has_bias: bool, fields: dict[str, Any], maps: int) -> Op:
        if groups == maps > 1 and len(filters) % maps == 0:
            return Depthwise(**fields, multiplier=len(filters) // maps, bias=has_bias)
        return Conv(len(filters), **fields, groups=groups, bias=has_bias)

    if rank == 3:
        return convolved_volume(step, window, weight, bias, make)
    filters = weight[:, :, None] if rank == 1 else weight
    params = {"weight": filters} | ({} if bias is None else {"bias": bias})
    x = step.builder.image(step.view())
    op = make(filters, bias is not None, window.image, step.builder.types[x].maps)
    return _result(step, step.add(op, x, params=params))


def import_max_pool(step: Step) -> View:
    """A `maxpool` row."""
    step.only_first_output()
    return _pooled(step, lambda window, image: MaxPool(**window))


def import_average_pool(step: Step) -> View:
    """An `avgpool` row; its divisor is named where windows overhang."""
    divisor = "padded" if step.get("count_include_pad", 0) else "inside"

    def make(window: dict[str, Any], image: Pair) -> AvgPool:
        op = AvgPool(**window)
        return AvgPool(**window, divisor=divisor) if op.window.overhangs(image) else op

    return _pooled(step, make)


def import_lp_pool(step: Step) -> View:
    """An `lppool` row."""
    p = float(step.get("p", 2))
    return _pooled(step, lambda window, image: LpPool(**window, p=p))


def import_global_average_pool(step: Step) -> View:
    """A `globalavgpool` row."""
    return _global(step, GlobalAvgPool())


def import_global_max_pool(step: Step) -> View:
    """A `globalmaxpool` row."""
    return _global(step, GlobalMaxPool())


def import_depth_to_space(step: Step) -> View:
    """A `convtranspose` row whose weight is 1 where a map's cell goes and 0 elsewhere."""
    x, block = _image(step), int(step.get("blocksize", 1))
    maps = step.builder.types[x].maps // block**2
    op, weight = to_space(maps, block, maps_first=step.get("mode", "DCR") == "CRD")
    return _result(step, step.add(op, x, params={"weight": weight}))


def import_space_to_depth(step: Step) -> View:
    """A `conv` row whose weight is 1 where a cell comes from and 0 elsewhere."""
    x, block = _image(step), int(step.get("blocksize", 1))
    maps = step.builder.types[x].maps
    op, weight = to_depth(maps, block, maps_first=step.get("mode", "DCR") == "CRD")
    return _result(step, step.add(op, x, params={"weight": weight}))


def _global(step: Step, op: Any) -> View:
    step.require_batch()
    view = step.view()
    made = step.builder.view(step.add(op, step.builder.image(view)))
    return made.reshaped((view.shape[0], *[1] * (len(view.shape) - 1)))


def _axes(step: Step) -> int:
    """How many axes a window slides along."""
    step.require_batch()
    axes = len(step.view().shape) - 1
    if not 1 <= axes <= 3:
        raise Unsupported(f"it slides along {axes} axes, and rows have one or two")
    return axes


def _image(step: Step) -> str:
    axes = _axes(step)
    if axes == 3:
        raise Unsupported("it slides along 3 axes, and rows have one or two")
    return step.builder.image(step.view())


def _result(step: Step, name: str) -> View:
    maps, height, width = onnx_shape(step.builder.types[name])
    one_axis = len(step.view().shape) == 2
    return step.builder.view(name, (maps, width) if one_axis else (maps, height, width))


def _pooled(step: Step, make: MakePool) -> View:
    window, rounding = window_attributes(step), "ceil" if step.get("ceil_mode", 0) else "floor"

    def rounded(fields: dict[str, Any], image: Pair) -> Op:
        return make(fields | {"rounding": rounding}, image)

    if _axes(step) == 3:
        return pooled_volume(step, window, rounded)
    x = step.builder.image(step.view())
    op = rounded(window.image, step.builder.types[x].height_width)
    return _result(step, step.add(op, x))
