"""Convolutions, dense layers and transposed convolutions, as tiles of a matrix product."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.launch import (
    SCRATCH,
    UNUSED,
    Address,
    Argument,
    Constant,
    Launch,
    Lowered,
    over_cells,
    start_of,
)
from cnndsl.backends.cuda.lowering.shared import Lowering, Params, epilogue_of, precision_of
from cnndsl.backends.cuda.packing import pack_panels
from cnndsl.backends.cuda.shapes.epilogue import Epilogue
from cnndsl.backends.cuda.tiles import TileLaunch, choose_tile
from cnndsl.backends.filters import as_conv, conv_params, output_classes, transposed_filters
from cnndsl.ops.connections import connection_mask
from cnndsl.ops.conv_transpose import ConvTranspose
from cnndsl.ops.dense import Dense
from cnndsl.plan.plan import Buffer, Step
from cnndsl.types import Precision

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Filtering:
    """
    One convolution of a step: what it computes for one image, and where it reads and writes.

    `weight` is `[out, in/groups, kh, kw]`. `addend` is a shortcut with the places of y.
    """

    convolution: Convolution
    x: Buffer
    y: Buffer
    weight: FloatArray
    bias: FloatArray | None
    addend: Buffer | None
    epilogue: Epilogue
    precision: Precision

    def lowered(self, gpu: Gpu) -> Lowered:
        """By tiles; where there are few of them, their sums are split and added up afterwards."""
        first = choose_tile(self.convolution, gpu, self.precision)
        weight = Constant(pack_panels(self.weight, self.convolution.groups, first.tile).ravel())
        zeros = np.zeros(self.convolution.out_maps, np.float32)
        bias = Constant(zeros if self.bias is None else np.ascontiguousarray(self.bias))
        no_bias = Constant(zeros)
        adds, epilogue = self.addend is not None, self.epilogue
        numbers = adds, epilogue.alpha, epilogue.beta

        def launches(batch: int) -> list[Launch]:
            images = replace(self.convolution, images=batch)
            tiled = choose_tile(images, gpu, self.precision)
            x, y = start_of(self.x, batch), self._first(self.y, batch)
            addend = UNUSED if self.addend is None else self._first(self.addend, batch)
            shape = tiled.fields(*numbers)
            if tiled.splits == 1:
                kernel = _tile_kernel(tiled, epilogue.activation)
                arguments = x, weight, bias, addend, y
                return [Launch(kernel, tiled.grid, (tiled.tile.threads, 1, 1), arguments, shape)]
            sums = Address(SCRATCH, 0)
            arguments: tuple[Argument, ...] = x, weight, no_bias, UNUSED, sums
            kernel, block = _tile_kernel(tiled, "linear"), (tiled.tile.threads, 1, 1)
            first = Launch(kernel, tiled.grid, block, arguments, shape, tiled.workspace)
            kernel = Kernel("split_sum", "split_sum_kernel", (epilogue.activation,))
            extents = over_cells(images.rows * images.out_maps, gpu)
            arguments = sums, bias, addend, y
            return [first, Launch(kernel, *extents, arguments, tiled.split_sum_fields(*numbers))]

        return launches

    def _first(self, buffer: Buffer, batch: int) -> Address:
        region, offset = start_of(buffer, batch)
        return Address(region, offset + self.convolution.y.start)


def _tile_kernel(tiled: TileLaunch, activation: str) -> Kernel:
    return Kernel("conv_tile", "conv_tile_kernel", (tuple(tiled.tile), activation))


def _read(step: Step) -> tuple[Buffer, Buffer | None]:
    """What a step reads, and the shortcut that it adds."""
    x, *more = step.x
    assert len(more) <= 1
    return x, more[0] if more else None


def _strides(buffer: Buffer) -> Strides:
    return Strides(buffer.image_stride, buffer.row_stride, buffer.pixel_stride)


def _conv(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    x, addend = _read(step)
    conv = as_conv(step.op, x.image[2])
    assert conv is not None
    weight, bias = conv_params(step.op, params)
    if conv.connect:
        weight = np.where(connection_mask(conv.connect, weight.shape), weight, np.float32(0))
    image = x.image[:2]
    (top, _), (left, _) = conv.window.sides(image)
    convolution = Convolution(
        1,
        image,
        step.y.image[:2],
        x.image[2],
        conv.maps,
        _strides(x),
        _strides(step.y),
        conv.kernel,
        conv.stride,
        (top, left),
        conv.dilation,
        conv.groups,
    )
    last = addend, epilogue_of(step), precision_of(step.kernel)
    return [Filtering(convolution, x, step.y, weight, bias, *last).lowered(gpu)]


def _dense(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    assert isinstance(step.op, Dense)
    x, addend = _read(step)
    inputs, outputs = prod(x.shape), step.op.maps
    one = 1, 1
    strides = Strides.dense(one, inputs), Strides.dense(one, outputs)
    dense = Convolution(1, one, one, inputs, outputs, *strides)
    weight = params["weight"].reshape(outputs, inputs, 1, 1)
    last = addend, epilogue_of(step), precision_of(step.kernel)
    return [Filtering(dense, x, step.y, weight, params.get("bias"), *last).lowered(gpu)]


def _conv_transpose(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    """A convolution for each class of the output's cells, which lie a stride apart."""
    op, y = step.op, step.y
    assert isinstance(op, ConvTranspose)
    x, addend = _read(step)
    height, width, in_maps = x.image
    filters, epilogue = transposed_filters(op, params["weight"]), epilogue_of(step)
    lowered: list[Lowered] = []
    for down, across in output_classes(op, (height, width)):
        strides = Strides(
            y.image_stride,
            op.stride[0] * y.row_stride,
            op.stride[1] * y.pixel_stride,
            down.first * y.row_stride + across.first * y.pixel_stride,
        )
        taps: FloatArray = filters[:, :, list(down.taps)][..., list(across.taps)]
        if not (down.taps and across.taps):  # none reaches these cells: one of zeros does
            taps = np.zeros((*filters.shape[:2], 1, 1), np.float32)
        _, _, *kernel = taps.shape
        convolution = Convolution(
            1,
            (height, width),
            (down.count, across.count),
            in_maps,
            op.maps,
            _strides(x),
            strides,
            (kernel[0], kernel[1]),
            padding=(-down.start, -across.start),
            dilation=(down.dilation, across.dilation),
            groups=op.groups,
        )
        last = params.get("bias"), addend, epilogue, precision_of(step.kernel)
        lowered.append(Filtering(convolution, x, y, taps, *last).lowered(gpu))
    return lowered


LOWERINGS: dict[str, Lowering] = {
    "conv": _conv,
    "conv_depthwise": _conv,
    "dense": _dense,
    "conv_transpose": _conv_transpose,
}
