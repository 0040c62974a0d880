"""ONNX's operators with windows, as rows. One axis is read as an image of height 1."""

from __future__ import annotations

from math import prod
from typing import Any

from cnndsl.interop.onnx.building import Unsupported
from cnndsl.interop.onnx.cell_blocks import to_depth, to_space
from cnndsl.interop.onnx.reading import Array
from cnndsl.interop.onnx.step import Step
from cnndsl.interop.onnx.values import View, onnx_shape
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.window import Padding, Sides

_AUTO_PADDING = {"VALID": "valid", "SAME_UPPER": "same_upper", "SAME_LOWER": "same_lower"}


def import_conv(step: Step) -> View:
    """A `conv` row, or `depthwise` where each map is filtered by itself."""
    x, weight = _image(step), _filters(step, "filters")
    groups, bias = int(step.get("group", 1)), step.optional(2, "bias")
    window = _window(step, weight.shape[2:])
    params = {"weight": weight} | ({} if bias is None else {"bias": bias})
    maps = step.builder.types[x].maps
    if groups == maps > 1 and weight.shape[0] % maps == 0:
        multiplier = weight.shape[0] // maps
        op: Any = Depthwise(**window, multiplier=multiplier, bias=bias is not None)
    else:
        op = Conv(weight.shape[0], **window, groups=groups, bias=bias is not None)
    return _result(step, step.add(op, x, params=params))


def import_conv_transpose(step: Step) -> View:
    """A `convtranspose` row."""
    x, weight = _image(step), _filters(step, "filters")
    groups, bias = int(step.get("group", 1)), step.optional(2, "bias")
    window = _window(step, weight.shape[2:])
    extra = _pair(step.get("output_padding"), 0)
    wanted = step.get("output_shape")
    if wanted is not None:
        image = step.builder.types[x].height_width
        window["padding"], extra = _for_output(step, window, image, _pair(wanted, 1), extra)
    op = ConvTranspose(
        weight.shape[1] * groups,
        **window,
        output_padding=extra,
        groups=groups,
        bias=bias is not None,
    )
    params = {"weight": weight} | ({} if bias is None else {"bias": bias})
    return _result(step, step.add(op, x, params=params))


def import_max_pool(step: Step) -> View:
    """A `maxpool` row."""
    step.only_first_output()
    return _result(step, step.add(MaxPool(**_pool(step)), _image(step)))


def import_average_pool(step: Step) -> View:
    """An `avgpool` row; its divisor is named where windows overhang."""
    x, window = _image(step), _pool(step)
    op = AvgPool(**window)
    if op.window.overhangs(step.builder.types[x].height_width):
        op = AvgPool(**window, divisor="padded" if step.get("count_include_pad", 0) else "inside")
    return _result(step, step.add(op, x))


def import_lp_pool(step: Step) -> View:
    """An `lppool` row."""
    return _result(step, step.add(LpPool(**_pool(step), p=float(step.get("p", 2))), _image(step)))


def import_global_average_pool(step: Step) -> View:
    """A `globalavgpool` row."""
    return _global(step, GlobalAvgPool())


def import_global_max_pool(step: Step) -> View:
    """A `globalmaxpool` row."""
    return _global(step, GlobalMaxPool())


def import_reduce(step: Step) -> View:
    """
    The mean or the maximum along some axes: a `globalavgpool` or `globalmaxpool` row.

    The cells of the other axes are its maps.
    """
    view, rank = step.view(), len(step.view().shape)
    axes = step.integers("axes", 1)
    if not axes:
        if step.get("noop_with_empty_axes", 0):
            return view
        axes = [*range(-rank - len(step.lead), 0)]
    gone = sorted(step.axis(axis, rank) for axis in axes)
    kept = [axis for axis in range(rank) if axis not in gone]
    moved = view if kept + gone == [*range(rank)] else view.transposed((*kept, *gone))
    sides = moved.shape[len(kept) :]
    image = moved.reshaped((prod(moved.shape[: len(kept)]), *sides))
    op = GlobalAvgPool() if step.facts.op_type == "ReduceMean" else GlobalMaxPool()
    made = step.builder.view(step.add(op, step.builder.image(image)))
    keep = bool(step.get("keepdims", 1))
    one = [1 if axis in gone else side for axis, side in enumerate(view.shape)]
    return made.reshaped(tuple(one if keep else (view.shape[axis] for axis in kept)))


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


def _image(step: Step) -> str:
    step.require_batch()
    view = step.view()
    if not 2 <= len(view.shape) <= 3:
        raise Unsupported(f"it slides along {len(view.shape) - 1} axes, and rows have one or two")
    return step.builder.image(view)


def _result(step: Step, name: str) -> View:
    maps, height, width = onnx_shape(step.builder.types[name])
    one_axis = len(step.view().shape) == 2
    return step.builder.view(name, (maps, width) if one_axis else (maps, height, width))


def _filters(step: Step, what: str) -> Array:
    weight = step.constant(1, what)
    return weight[:, :, None] if weight.ndim == 3 else weight


def _pool(step: Step) -> dict[str, Any]:
    window = _window(step, step.get("kernel_shape"))
    return window | {"rounding": "ceil" if step.get("ceil_mode", 0) else "floor"}


def _window(step: Step, kernel: Any) -> dict[str, Any]:
    return {
        "kernel": _pair(step.get("kernel_shape", kernel), 1),
        "stride": _pair(step.get("strides"), 1),
        "padding": _padding(step),
        "dilation": _pair(step.get("dilations"), 1),
    }


def _padding(step: Step) -> Padding:
    auto = step.get("auto_pad", "NOTSET")
    if auto in _AUTO_PADDING:
        return Padding(_AUTO_PADDING[auto])  # pyright: ignore[reportArgumentType]
    pads = [int(pad) for pad in step.get("pads", ())]
    if not any(pads):
        return Padding("valid")
    if min(pads) < 0:
        raise Unsupported("negative padding has no row", "a Slice before it")
    return Padding("explicit", _sides(pads))


def _sides(pads: list[int]) -> Sides:
    if len(pads) == 2:
        return (0, 0), (pads[0], pads[1])
    return (pads[0], pads[2]), (pads[1], pads[3])


def _pair(values: Any, missing: int) -> tuple[int, int]:
    """Height and width; along one axis the height is that of doing nothing."""
    numbers = [int(v) for v in values] if values is not None else [missing, missing]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (missing, numbers[0])


def _for_output(
    step: Step,
    window: dict[str, Any],
    image: tuple[int, int],
    wanted: tuple[int, int],
    extra: tuple[int, int],
) -> tuple[Padding, tuple[int, int]]:
    """The padding that makes an output of the wanted size."""
    lower = step.get("auto_pad", "NOTSET") == "SAME_LOWER"
    sides: list[tuple[int, int]] = []
    more: list[int] = []
    for axis in (0, 1):
        reach = window["dilation"][axis] * (window["kernel"][axis] - 1) + 1
        full = (image[axis] - 1) * window["stride"][axis] + reach + extra[axis]
        total = full - wanted[axis]
        more.append(extra[axis] + max(0, -total))
        total = max(0, total)
        # ONNX, ConvTranspose: the odd cell is cut off the end in SAME_UPPER, else the beginning.
        upper = step.get("auto_pad", "NOTSET") == "SAME_UPPER"
        begin = total // 2 if upper and not lower else total - total // 2
        sides.append((begin, total - begin))
    return Padding("explicit", (sides[0], sides[1])), (more[0], more[1])
