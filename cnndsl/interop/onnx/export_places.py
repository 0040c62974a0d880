"""Operators that move cells, as ONNX nodes."""

from __future__ import annotations

import numpy as np

from cnndsl.interop.onnx.emitting import Call
from cnndsl.ops.concat import Concat
from cnndsl.ops.constant import Constant
from cnndsl.ops.flatten import Flatten
from cnndsl.ops.global_pool import GlobalAvgPool, GlobalMaxPool
from cnndsl.ops.pad import Pad
from cnndsl.ops.reshape import Reshape
from cnndsl.ops.resize import Resize
from cnndsl.ops.sampling import Sampling
from cnndsl.ops.shuffle import Shuffle
from cnndsl.ops.slice import Slice

TO_NHWC, TO_NCHW = [0, 2, 3, 1], [0, 3, 1, 2]
_AXES = {"maps": 1, "height": 2, "width": 3}
_ROUNDINGS = {"half_down": "round_prefer_floor", "half_up": "round_prefer_ceil"}


def export_global_avg_pool(call: Call, op: GlobalAvgPool) -> str:
    """A GlobalAveragePool."""
    return call.result_of("GlobalAveragePool", [call.x])


def export_global_max_pool(call: Call, op: GlobalMaxPool) -> str:
    """A GlobalMaxPool."""
    return call.result_of("GlobalMaxPool", [call.x])


def export_concat(call: Call, op: Concat) -> str:
    """A Concat."""
    return call.result_of("Concat", call.inputs, axis=_AXES[op.axis])


def export_constant(call: Call, op: Constant) -> str:
    """An Expand of the tensor to as many images as the first input has."""
    value = call.params["value"][None]
    if op.size is not None:
        value = value.transpose(TO_NCHW)
    tensor = call.param("value", np.ascontiguousarray(value))
    images = call.step("images", "Shape", [call.x], start=0, end=1)
    sides = call.integers("sides", *value.shape[1:])
    shape = call.step("shape", "Concat", [images, sides], axis=0)
    return call.result_of("Expand", [tensor, shape])


def export_flatten(call: Call, op: Flatten) -> str:
    """A Flatten, behind a transposition where a pixel's maps stay together."""
    x = call.x
    if call.operand.is_image and op.order == "hwc" and max(call.operand.height_width) > 1:
        x = call.step("pixels", "Transpose", [x], perm=TO_NHWC)
    return call.result_of("Flatten", [x], axis=1)


def export_reshape(call: Call, op: Reshape) -> str:
    """A Reshape, between transpositions where a pixel's maps stay together."""
    x, turned = call.x, op.order == "hwc"
    if turned and call.operand.is_image:
        x = call.step("pixels", "Transpose", [x], perm=TO_NHWC)
    if len(op.to) == 1:
        return call.result_of("Reshape", [x, call.integers("shape", 0, *op.to)])
    height, width, maps = op.to
    if not turned:
        return call.result_of("Reshape", [x, call.integers("shape", 0, maps, height, width)])
    image = call.step("image", "Reshape", [x, call.integers("shape", 0, *op.to)])
    return call.result_of("Transpose", [image], perm=TO_NCHW)


def export_shuffle(call: Call, op: Shuffle) -> str:
    """A Reshape into groups, a Transpose and a Reshape back."""
    height, width, maps = call.operand.shape
    split = call.integers("split", 0, op.groups, maps // op.groups, height, width)
    groups = call.step("groups", "Reshape", [call.x, split])
    dealt = call.step("dealt", "Transpose", [groups], perm=[0, 2, 1, 3, 4])
    return call.result_of("Reshape", [dealt, call.integers("shape", 0, maps, height, width)])


def export_pad(call: Call, op: Pad) -> str:
    """A Pad."""
    (top, bottom), (left, right) = op.padding
    pads = call.integers("pads", 0, 0, top, left, 0, 0, bottom, right)
    if op.mode in ("reflect", "edge"):
        return call.result_of("Pad", [call.x, pads], mode=op.mode)
    return call.result_of("Pad", [call.x, pads, call.constant("value", op.value or 0.0)])


def export_slice(call: Call, op: Slice) -> str:
    """A Slice."""
    places = op.places(call.operand)
    # A tensor's axes are h, w, c here and c, h, w in ONNX, behind the batch.
    ordered = [places[-1], *places[:-1]]
    bounds = [
        call.integers(name, *values)
        for name, values in (
            ("starts", [p.start for p in ordered]),
            ("ends", [p.stop for p in ordered]),
            ("axes", range(1, len(ordered) + 1)),
            ("steps", [p.step for p in ordered]),
        )
    ]
    return call.result_of("Slice", [call.x, *bounds])


def export_resize(call: Call, op: Resize) -> str:
    """A Resize, or a Gather an axis where its factors cannot say our places exactly."""
    sampling = op.sampling(call.operand)
    old, new = np.array(call.operand.height_width), np.array(call.result.height_width)
    factors = (new / old).astype(np.float32)
    options = {
        "mode": "nearest" if op.mode == "nearest" else "linear",
        "coordinate_transformation_mode": sampling.coordinates,
    }
    if sampling.rounding is not None:
        if not np.array_equal(factors, new / old):
            return _export_gathers(call, sampling)
        options["nearest_mode"] = _ROUNDINGS.get(sampling.rounding, sampling.rounding)
    # A factor that was rounded down would make the image a cell smaller.
    factors = np.where(factors < new / old, np.nextafter(factors, np.float32(np.inf)), factors)
    scales = call.constant("scales", [1.0, 1.0, *factors])
    return call.result_of("Resize", [call.x, "", scales], **options)


def _export_gathers(call: Call, sampling: Sampling) -> str:
    """The nearest cells by their exact places."""
    (old_rows, old_columns), (rows, columns) = call.operand.height_width, call.result.height_width
    across = call.integers("columns", *sampling.taps(old_columns, columns)[0])
    down = call.integers("rows", *sampling.taps(old_rows, rows)[0])
    image = call.step("across", "Gather", [call.x, across], axis=3)
    return call.result_of("Gather", [image, down], axis=2)
