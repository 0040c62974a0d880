"""
Depthwise convolution, each map by itself: the fields and the work units of its kernel.

Vectors go over maps, which lie side by side. A tile computes some pixels of a cache line of maps: a
tap's weights are loaded once for all of them, and what is read of a pixel is read at once.
"""

from __future__ import annotations

from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Address, Call, Lowered, start_of, target
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer

CACHE_LINE = 16  # floats
UNIT_FLOATS = 1 << 14  # about the outputs of a unit


class ConvDepthwiseFields(NamedTuple):
    """
    The row of the kernel. Addresses are bytes, all else counts floats.

    `x`, `x_image`, `x_down` and `x_right` are those of `ConvDirectFields`. `weights` is [taps,
    padded] and `bias` [padded], `padded` being `maps` rounded up to whole tiles; `taps` are the
    offsets, int64, from the first tap that a pixel reads.
    """

    batch: Any
    height: Any
    width: Any
    x: Any
    x_image: Any
    x_down: Any
    x_right: Any
    weights: Any
    bias: Any
    maps: Any
    padded: Any
    taps: Any
    tap_count: Any
    unit_pixels: Any
    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    low: Any
    high: Any
    activation: Any


def lower_conv_depthwise(
    shape: ConvShape,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    lanes: int | None = None,
) -> Lowered:
    """`y = conv(x)` with `weight` [maps, 1, kh, kw], each output map reading its input map."""
    lanes = lanes or Target.host().lanes
    vectors = max(1, min(CACHE_LINE // lanes, 2))
    pixels = 6 if vectors > 1 else 8
    maps, (height, width), (kh, kw) = shape.out_maps, shape.size, shape.kernel
    padded = ceil(maps / (vectors * lanes)) * vectors * lanes
    weights = np.zeros((kh * kw, padded), np.float32)
    weights[:, :maps] = weight.reshape(maps, kh * kw).T
    padded_bias = np.zeros(padded, np.float32)
    if bias is not None:
        padded_bias[:maps] = bias
    down, right = (step * stride for step, stride in zip(shape.dilation, _strides(x), strict=True))
    taps = np.array([u * down + v * right for u in range(kh) for v in range(kw)], np.int64)
    unit_pixels = min(ceil(UNIT_FLOATS / maps / pixels), 64) * pixels
    numbers = {
        "height": height,
        "width": width,
        "x_image": x.image_stride,
        "x_down": shape.stride[0] * x.row_stride,
        "x_right": shape.stride[1] * x.pixel_stride,
        "weights": weights,
        "bias": padded_bias,
        "maps": maps,
        "padded": padded,
        "taps": taps,
        "tap_count": len(taps),
        "unit_pixels": unit_pixels,
        **epilogue.fields,
    }
    before = shape.padding[0] * x.row_stride + shape.padding[1] * x.pixel_stride
    kernel = Kernel("conv_depthwise", "conv_depthwise", (pixels, vectors, lanes))

    def call(batch: int) -> Call:
        place, start = start_of(x, batch)
        first = Address(place, start - before)
        fields = ConvDepthwiseFields(batch=batch, x=first, **target(y, batch), **numbers)
        units = ceil(batch * shape.pixels / unit_pixels)
        scratch = 4 * (unit_pixels + pixels)
        return Call(kernel, fields, units, 2 * unit_pixels * maps, scratch)

    return call


def _strides(x: Buffer) -> tuple[int, int]:
    return x.row_stride, x.pixel_stride
