"""
Operators with windows, as ONNX nodes.

Padding is written out as cells, with the overhang of rounding up in it, so that nothing depends on
how a runtime reads `auto_pad` and `ceil_mode`.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from cnndsl.interop.onnx.emitting import Array, Call
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.conv import Conv
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.depthwise import Depthwise
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.max_pool import MaxPool
from cnndsl.ops.padding import Sides
from cnndsl.ops.separable import PARTS, Separable
from cnndsl.ops.subsample import Subsample
from cnndsl.ops.window import Window
from cnndsl.types import TensorType


def export_conv(call: Call, op: Conv) -> str:
    """A Conv. A connection table's absent links are zeros of the weight."""
    bias = [call.param("bias")] if op.bias else []
    window = _attributes(op.window, call.operand)
    return call.result_of("Conv", [call.x, call.param("weight"), *bias], group=op.groups, **window)


def export_depthwise(call: Call, op: Depthwise) -> str:
    """A Conv with a group for each map."""
    bias = [call.param("bias")] if op.bias else []
    window = _attributes(op.window, call.operand)
    inputs = [call.x, call.param("weight"), *bias]
    return call.result_of("Conv", inputs, group=call.operand.maps, **window)


def export_separable(call: Call, op: Separable) -> str:
    """Two Convs."""
    depthwise, pointwise = PARTS
    window = _attributes(op.depthwise.window, call.operand)
    filters = call.param(f"{depthwise}.weight")
    middle = call.step(depthwise, "Conv", [call.x, filters], group=call.operand.maps, **window)
    bias = [call.param(f"{pointwise}.bias")] if op.bias else []
    return call.result_of("Conv", [middle, call.param(f"{pointwise}.weight"), *bias])


def export_conv_transpose(call: Call, op: ConvTranspose) -> str:
    """A ConvTranspose that cuts off what ours does."""
    (top, bottom), (left, right) = op.cuts()
    more = [max(-bottom, 0), max(-right, 0)]
    filters = [call.x, call.param("weight")]
    window: dict[str, Any] = {
        "kernel_shape": op.kernel,
        "strides": op.stride,
        "dilations": op.dilation,
        "group": op.groups,
        "pads": _pads(((top, max(bottom, 0)), (left, max(right, 0)))),
    }
    if all(cells < stride for cells, stride in zip(more, op.stride, strict=True)):
        bias = [call.param("bias")] if op.bias else []
        window["output_padding"] = more
        return call.result_of("ConvTranspose", [*filters, *bias], **window)
    # Runtimes refuse an output padding of the stride or more, though a dilation allows it here.
    y = call.step("filters", "ConvTranspose", filters, **window)
    pads = call.integers("pads", 0, 0, 0, 0, 0, 0, *more)
    if not op.bias:
        return call.result_of("Pad", [y, pads])
    bias = call.param("bias", call.params["bias"].reshape(-1, 1, 1))
    return call.result_of("Add", [call.step("padded", "Pad", [y, pads]), bias])


def export_max_pool(call: Call, op: MaxPool) -> str:
    """A MaxPool, behind a Pad where it pads by its kernel or more."""
    x, window = _pooled(call, op.window, float(np.finfo(np.float32).min))
    return call.result_of("MaxPool", [x], **window)


def export_avg_pool(call: Call, op: AvgPool) -> str:
    """An AveragePool, corrected where its divisor is not ours."""
    image, cells = call.operand.height_width, prod(op.kernel)
    divisors = op.divisors(image)
    x, window = _pooled(call, op.window, 0.0, dilated=19)
    inside = np.outer(*(op.window.cells_counted(image, axis, padded=False) for axis in (0, 1)))
    if x == call.x and np.array_equal(divisors, inside):
        return call.result_of("AveragePool", [x], count_include_pad=0, **window)
    if np.all(divisors == cells):
        return call.result_of("AveragePool", [x], count_include_pad=1, **window)
    mean = call.step("mean", "AveragePool", [x], count_include_pad=1, **window)
    share = call.constant("share", (cells / divisors)[None, None])
    return call.result_of("Mul", [mean, share])


def export_lp_pool(call: Call, op: LpPool) -> str:
    """A LpPool, or the powers, the sum and the root one by one."""
    if op.p == int(op.p):
        x, window = _pooled(call, op.window, 0.0, dilated=18)
        return call.result_of("LpPool", [x], p=int(op.p), **window)
    absolute = call.step("absolute", "Abs", [call.x])
    powers = call.step("powers", "Pow", [absolute, call.constant("p", op.p)])
    total = _windows_sum(call, op.window, powers)
    return call.result_of("Pow", [total, call.constant("root", 1.0 / op.p)])


def export_subsample(call: Call, op: Subsample) -> str:
    """A convolution of each map by itself, whose filter repeats the map's one weight."""
    weight = call.params["weight"].reshape(-1, 1, 1, 1)
    filters = call.param("weight", np.ascontiguousarray(_repeated(weight, op.kernel)))
    inputs = [call.x, filters, call.param("bias")]
    window = _attributes(op.window, call.operand)
    return call.result_of("Conv", inputs, group=call.operand.maps, **window)


def _pooled(
    call: Call, window: Window, outside: float, dilated: int = 0
) -> tuple[str, dict[str, Any]]:
    """
    What a pool reads, and its attributes.

    Runtimes want less padding than kernel: where there is more, a Pad with cells `outside` makes
    it. `dilated` is the opset with which the pool's dilation came.
    """
    attributes, x = _attributes(window, call.operand), call.x
    pads = attributes["pads"]
    if any(pad >= kernel for pad, kernel in zip(pads, window.kernel * 2, strict=True)):
        cells = call.integers("pads", 0, 0, *pads[:2], 0, 0, *pads[2:])
        x = call.step("padded", "Pad", [x, cells, call.constant("outside", outside)])
        attributes["pads"] = [0, 0, 0, 0]
    if window.dilation == (1, 1):
        del attributes["dilations"]
    else:
        call.needs(dilated)
    return x, attributes


def _windows_sum(call: Call, window: Window, x: str) -> str:
    """Each window's sum: a convolution of each map by itself with ones."""
    ones = np.ones((call.operand.maps, 1, *window.kernel), np.float32)
    attributes = _attributes(window, call.operand)
    inputs = [x, call.constant("ones", ones)]
    return call.step("sum", "Conv", inputs, group=call.operand.maps, **attributes)


def _repeated(weight: Array, kernel: tuple[int, int]) -> Array:
    return np.broadcast_to(weight, (len(weight), 1, *kernel))


def _attributes(window: Window, x: TensorType) -> dict[str, Any]:
    return {
        "kernel_shape": list(window.kernel),
        "strides": list(window.stride),
        "dilations": list(window.dilation),
        "pads": _pads(window.grown_sides(x.height_width)),
    }


def _pads(sides: Sides) -> list[int]:
    """The order of ONNX: all beginnings, then all ends."""
    (top, bottom), (left, right) = sides
    return [top, left, bottom, right]
