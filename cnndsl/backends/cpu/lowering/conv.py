"""Convolutions of a graph, and the call of each by the algorithm that was chosen."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.conv_depthwise import lower_conv_depthwise
from cnndsl.backends.cpu.lowering.conv_direct import lower_conv_direct
from cnndsl.backends.cpu.lowering.conv_planar import lower_conv_planar
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape, Pair
from cnndsl.backends.cpu.lowering.conv_winograd import lower_conv_winograd
from cnndsl.backends.cpu.lowering.dense import lower_dense
from cnndsl.backends.cpu.lowering.dense_images import lower_dense_images
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.winograd_ways import HALF_WINOGRAD, WINOGRAD, named_way
from cnndsl.backends.cpu.target import Target
from cnndsl.ops.connections import connection_mask
from cnndsl.ops.conv import Conv
from cnndsl.plan.plan import Buffer

FloatArray = NDArray[np.float32]

_LOWERINGS = {
    "conv_depthwise": lower_conv_depthwise,
    "conv_direct": lower_conv_direct,
    "conv_planar": lower_conv_planar,
}
DENSE = {"dense": lower_dense, "dense_images": lower_dense_images}
"""Those of a dense row, by names."""

ALGORITHMS = (*DENSE, WINOGRAD, HALF_WINOGRAD, *_LOWERINGS)
"""The names of the algorithms, without the squares that Winograd's compute."""


def lower_conv(
    algorithm: str,
    conv: Conv,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: FloatArray,
    bias: FloatArray | None,
) -> Lowered:
    """`y = conv(x)` by one of `ALGORITHMS`; by Winograd's under its `winograd_name`."""
    if conv.connect:
        weight = np.where(connection_mask(conv.connect, weight.shape), weight, np.float32(0))
    if algorithm in DENSE:
        # The filters in the order of the image's cells.
        rows = np.ascontiguousarray(weight.transpose(0, 2, 3, 1)).reshape(len(weight), -1)
        return DENSE[algorithm](x, y, epilogue, rows, bias)
    shape = conv_shape(conv, x.image)
    if algorithm.startswith(WINOGRAD):
        way = named_way(algorithm, shape, Target.host())
        return lower_conv_winograd(way, x, y, epilogue, weight, bias)
    return _LOWERINGS[algorithm](shape, x, y, epilogue, weight, bias)


def conv_shape(conv: Conv, x: tuple[int, int, int]) -> ConvShape:
    """What a convolution of images of height, width and maps `x` computes."""
    image: Pair = (x[0], x[1])
    (top, _), (left, _) = conv.window.sides(image)
    return ConvShape(
        size=conv.window.output(image),
        in_maps=x[2],
        out_maps=conv.maps,
        kernel=conv.kernel,
        stride=conv.stride,
        padding=(top, left),
        dilation=conv.dilation,
        groups=conv.groups,
    )
