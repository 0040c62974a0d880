"""Convolutions of few input maps an output map. See shapes/conv_depthwise.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import cuda

from cnndsl.backends.cuda.kernels.code import Code, Memory, Number, Place, emits
from cnndsl.backends.cuda.kernels.device_code import Floats, quotient
from cnndsl.backends.cuda.kernels.finish import finishers
from cnndsl.backends.cuda.kernels.product import zero_sums
from cnndsl.backends.cuda.shapes.conv_depthwise import DepthwiseShape, DepthwiseTile


def conv_depthwise_kernel(tile: DepthwiseTile, activation: str) -> Callable[..., None]:
    """The kernel whose threads compute such tiles, maps before pixels, in `cuda.grid(1)`."""
    tile = DepthwiseTile(*tile)
    zeros, add_row, sums_of = zero_sums(tile.sums), _row_adder(tile), _chooser(tile)
    finish_cell, finish_quad = finishers(activation)
    pixels, out_maps, in_maps = tile.pixels, tile.out_maps, tile.in_maps
    kernel_width, stride_width, quads = tile.kernel_width, tile.stride_width, out_maps == 4

    def conv_depthwise(
        x: Floats, weight: Floats, bias: Floats, addend: Floats, y: Floats, shape: DepthwiseShape
    ) -> None:
        cell = cuda.grid(1)
        if cell < shape.cells:
            threads = quotient(shape.out_maps, out_maps)
            run = quotient(cell, threads)
            o = (cell - run * threads) * out_maps
            runs = quotient(shape.out_width + (pixels - 1), pixels)
            line = quotient(run, runs)
            j = (run - line * runs) * pixels
            image = quotient(line, shape.out_height)
            i = line - image * shape.out_height

            first_map = quotient(o, shape.group_out) * shape.group_in
            column = j * stride_width - shape.left
            tap_words = shape.group_in * shape.out_maps
            sums = zeros()
            for u in range(shape.kernel_height):
                row = i * shape.stride_height - shape.top + u * shape.dilation_height
                if row >= 0 and row < shape.height:
                    start = image * shape.x_image + row * shape.x_row + first_map
                    at = u * kernel_width * tap_words + o
                    for c in range(0, shape.group_in, in_maps):
                        sums = add_row(
                            x,
                            start + c,
                            column,
                            shape.width,
                            shape.x_pixel,
                            weight,
                            at + c * shape.out_maps,
                            tap_words,
                            shape.out_maps,
                            sums,
                        )

            place = image * shape.y_image + i * shape.y_row + j * shape.y_pixel + o
            for p in range(pixels):
                if j + p < shape.out_width:
                    if quads:
                        finish_quad(sums_of(sums, p), o, place, bias, addend, y, shape)
                    else:
                        finish_cell(sums_of(sums, p)[0], o, place, bias, addend, y, shape)
                place += shape.y_pixel

    return conv_depthwise


def _row_adder(tile: DepthwiseTile) -> Any:
    """How the products of a filter's row are added, of some input maps, for all of the tile."""
    out_maps, in_maps = tile.out_maps, tile.in_maps
    width = 1 if tile.maps == "single" else 4

    @emits(results=tile.sums)
    def add_row(
        code: Code,
        x: Memory,
        start: Place,
        column: Place,
        columns: Place,
        x_pixel: Place,
        weight: Memory,
        at: Place,
        tap_words: Place,
        map_words: Place,
        sums: list[Number],
    ) -> list[Number]:
        sums = list(sums)
        read: dict[int, list[Number]] = {}
        for offset in tile.columns:
            j = code.plus(column, offset)
            place = code.plus(start, code.times(j, x_pixel))
            read[offset] = code.load_if(x, place, width, code.within(j, columns))
        for v in range(tile.kernel_width):
            place = at
            for c in range(in_maps):
                factors = code.load(weight, place, 0, out_maps)
                for p in range(tile.pixels):
                    numbers = read[p * tile.stride_width + v * tile.dilation_width]
                    for o in range(out_maps):
                        number = numbers[o if tile.maps == "each" else c]
                        cell = p * out_maps + o
                        sums[cell] = code.fma(number, factors[o], sums[cell])
                place = code.plus(place, map_words)
            at = code.plus(at, tap_words)
        return sums

    return add_row


def _chooser(tile: DepthwiseTile) -> Any:
    """The sums of pixel `p`."""

    @emits(results=tile.out_maps)
    def sums_of(code: Code, sums: list[Number], p: Place) -> list[Number]:
        each = tile.out_maps
        return code.choice(p, [sums[i : i + each] for i in range(0, tile.sums, each)])

    return sums_of
