"""Convolutions, dense layers and transposed convolutions: the kernel of each, and its launches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.convolution import Convolution, Strides
from cnndsl.backends.cuda.depthwise import choose_depthwise, may_suit_depthwise, suits_depthwise
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
from cnndsl.backends.cuda.packing import pack_panels, pack_rows, pack_taps
from cnndsl.backends.cuda.shapes.dense_vector import Form
from cnndsl.backends.cuda.shapes.epilogue import Epilogue
from cnndsl.backends.cuda.tiles import choose_tile, tile_kernel
from cnndsl.backends.cuda.vectors import as_dense, choose_vectors, suits_vectors
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

    `weight` is `[out, in/groups, kh, kw]`. Where kernels read it in different orders, it is put in
    one when a batch first asks for it. `addend` is a shortcut with the places of y.
    """

    convolution: Convolution
    x: Buffer
    y: Buffer
    weight: FloatArray
    bias: Constant
    addend: Buffer | None
    epilogue: Epilogue
    precision: Precision

    def lowered(self, gpu: Gpu) -> Lowered:
        """By tiles, unless groups are too thin for them, outputs few, or a dense layer's images."""
        by_threads = self._by_threads(gpu)
        if suits_depthwise(self.convolution):
            return by_threads
        by_tiles, by_vectors = self._by_tiles(gpu), self._by_vectors(gpu)

        def launches(batch: int) -> list[Launch]:
            images = replace(self.convolution, images=batch)
            if suits_vectors(images):
                return by_vectors(batch)
            return by_threads(batch) if self._is_small(images, gpu) else by_tiles(batch)

        return launches

    def _is_small(self, images: Convolution, gpu: Gpu) -> bool:
        """Whether a batch has so few outputs that tiles would not be done sooner than threads."""
        if self.precision != "float32" or not may_suit_depthwise(images, gpu):
            return False
        return choose_depthwise(images, gpu).cycles(gpu) < choose_tile(images, gpu).cycles(gpu)

    def _by_tiles(self, gpu: Gpu) -> Lowered:
        """Where there are few tiles, their sums are split and added up afterwards."""
        activation, no_bias = self.epilogue.activation, _bias(None, self.convolution.out_maps)

        @cache
        def weight() -> Constant:
            tile = choose_tile(self.convolution, gpu, self.precision).tile
            return Constant(pack_panels(self.weight, self.convolution.groups, tile).ravel())

        def launches(batch: int) -> list[Launch]:
            images = replace(self.convolution, images=batch)
            tiled = choose_tile(images, gpu, self.precision)
            threads = tiled.tile.threads, 1, 1
            arguments = self._arguments(batch, weight())
            shape = tiled.fields(*self._numbers)
            kernel = tile_kernel(tiled.tile, activation)
            if tiled.splits == 1:
                return [Launch(kernel, tiled.grid, threads, arguments, shape)]
            x, panels, bias, addend, y = arguments
            sums = Address(SCRATCH, 0)
            unfinished = x, panels, no_bias, UNUSED, sums
            kernel = tile_kernel(tiled.tile, "linear")
            first = Launch(kernel, tiled.grid, threads, unfinished, shape, tiled.workspace)
            kernel = Kernel("split_sum", "split_sum_kernel", (activation,))
            extents = over_cells(images.rows * images.out_maps, gpu)
            shape = tiled.split_sum_fields(*self._numbers)
            return [first, Launch(kernel, *extents, (sums, bias, addend, y), shape)]

        return launches

    def _by_vectors(self, gpu: Gpu) -> Lowered:
        """A dense layer's weights are read once, and kept as halves where halves are multiplied."""
        precision = self.precision
        form: Form = "float32" if precision == "tf32" else precision

        @cache
        def weight() -> Constant:
            # The images' maps come fastest.
            rows = self.weight.transpose(0, 2, 3, 1).reshape(self.convolution.out_maps, -1)
            return Constant(pack_rows(rows, form).ravel())

        def launches(batch: int) -> list[Launch]:
            dense = as_dense(replace(self.convolution, images=batch))
            assert dense is not None
            tiled = choose_vectors(dense, gpu, form)
            parameters = tuple(tiled.tile), self.epilogue.activation
            kernel = Kernel("dense_vector", "dense_vector_kernel", parameters)
            arguments, shape = self._arguments(batch, weight()), tiled.fields(*self._numbers)
            return [Launch(kernel, tiled.grid, (tiled.tile.threads, 1, 1), arguments, shape)]

        return launches

    def _by_threads(self, gpu: Gpu) -> Lowered:
        """Always in float32: there is nothing for tensor cores."""

        @cache
        def weight() -> Constant:
            return Constant(pack_taps(self.weight).ravel())

        def launches(batch: int) -> list[Launch]:
            tiled = choose_depthwise(replace(self.convolution, images=batch), gpu)
            parameters = tuple(tiled.tile), self.epilogue.activation
            kernel = Kernel("conv_depthwise", "conv_depthwise_kernel", parameters)
            arguments, shape = self._arguments(batch, weight()), tiled.fields(*self._numbers)
            return [Launch(kernel, tiled.grid, (tiled.threads, 1, 1), arguments, shape)]

        return launches

    @property
    def _numbers(self) -> tuple[bool, float, float]:
        """What the fields of all of these kernels are made of."""
        return self.addend is not None, self.epilogue.alpha, self.epilogue.beta

    def _arguments(self, batch: int, weight: Constant) -> tuple[Argument, ...]:
        """What all of these kernels are given: x, weight, bias, addend, y."""
        addend = UNUSED if self.addend is None else self._first(self.addend, batch)
        return start_of(self.x, batch), weight, self.bias, addend, self._first(self.y, batch)

    def _first(self, buffer: Buffer, batch: int) -> Address:
        region, offset = start_of(buffer, batch)
        return Address(region, offset + self.convolution.y.start)


def _read(step: Step) -> tuple[Buffer, Buffer | None]:
    """What a step reads, and the shortcut that it adds."""
    x, *more = step.x
    assert len(more) <= 1
    return x, more[0] if more else None


def _bias(bias: FloatArray | None, maps: int) -> Constant:
    return Constant(np.zeros(maps, np.float32) if bias is None else np.ascontiguousarray(bias))


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
    biases = _bias(bias, conv.maps)
    return [Filtering(convolution, x, step.y, weight, biases, *last).lowered(gpu)]


def _dense(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    assert isinstance(step.op, Dense)
    x, addend = _read(step)
    inputs, outputs = prod(x.shape), step.op.maps
    one = 1, 1
    strides = Strides.dense(one, inputs), Strides.dense(one, outputs)
    dense = Convolution(1, one, one, inputs, outputs, *strides)
    weight = params["weight"].reshape(outputs, inputs, 1, 1)
    last = addend, epilogue_of(step), precision_of(step.kernel)
    bias = _bias(params.get("bias"), outputs)
    return [Filtering(dense, x, step.y, weight, bias, *last).lowered(gpu)]


def _conv_transpose(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    """A convolution for each class of the output's cells, which lie a stride apart."""
    op, y = step.op, step.y
    assert isinstance(op, ConvTranspose)
    x, addend = _read(step)
    height, width, in_maps = x.image
    filters, epilogue = transposed_filters(op, params["weight"]), epilogue_of(step)
    bias = _bias(params.get("bias"), op.maps)
    lowered: list[Lowered] = []
    for down, across in output_classes(op, (height, width)):
        strides = Strides(
            y.image_stride,
            op.stride[0] * y.row_stride,
            op.stride[1] * y.pixel_stride,
            down.first * y.row_stride + across.first * y.pixel_stride,
        )
        taps: FloatArray = filters[:, :, list(down.taps)][..., list(across.taps)]
        padding = -down.start, -across.start
        if not (down.taps and across.taps):  # no tap reaches these cells, so one reads nothing
            taps = np.zeros((*filters.shape[:2], 1, 1), np.float32)
            padding = down.count, across.count
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
            padding=padding,
            dilation=(down.dilation, across.dilation),
            groups=op.groups,
        )
        last = bias, addend, epilogue, precision_of(step.kernel)
        lowered.append(Filtering(convolution, x, y, taps, *last).lowered(gpu))
    return lowered


LOWERINGS: dict[str, Lowering] = {
    "conv": _conv,
    "conv_depthwise": _conv,
    "dense": _dense,
    "conv_transpose": _conv_transpose,
}
