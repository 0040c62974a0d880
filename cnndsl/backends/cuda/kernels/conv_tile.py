"""
Convolution and dense layers as a matrix product, tile by tile. See shapes/conv_tile.py.

A block computes one tile of one group, or a split of it. It notes where each of its rows starts in
x and y, then walks along k: while one slice of both factors is multiplied, the next ones travel to
shared memory. In the end the sums pass through shared memory, so that neighbours are written by
neighbours, with bias, shortcut and activation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import cuda, float32, int32

from cnndsl.backends.cuda.kernels.device_code import Floats, Ints, inlined, quotient, within
from cnndsl.backends.cuda.kernels.finish import finishers
from cnndsl.backends.cuda.kernels.loads import ALIGNMENT, copies, quad
from cnndsl.backends.cuda.kernels.product import Product, float_product
from cnndsl.backends.cuda.kernels.tensor_core import tensor_core_product
from cnndsl.backends.cuda.shapes.conv_tile import PLACE_INTS, ConvTileShape, Tile

_NOWHERE = -(1 << 30)
"""The first row of a window that lies in no image."""


def conv_tile_kernel(tile: Tile, activation: str) -> Callable[..., None]:
    """The kernel whose blocks compute such tiles."""
    tile = Tile(*tile)
    assert tile.is_even
    product, (copy, copy_quad, commit, arrived) = (
        _product(tile),
        copies(tile.vector, tile.stages - 2, tile.asynchronous),
    )
    zeros, multiply, put = product.zeros, product.multiply, product.put
    left_start, right_start, out_start = product.left, product.right, product.out
    fetch_left, fetch_right = _left_fetcher(tile, copy), _right_fetcher(tile, copy_quad)
    finish = _finisher(tile, activation)

    rows, columns, depth, vector = tile.rows, tile.columns, tile.depth, tile.vector
    threads, stages, parts = tile.threads, tile.stages, tile.parts
    stage, last_stage, right_factor = tile.stage, (stages - 1) * tile.stage, tile.right_start
    vectors, slice_rows, column_words = depth // vector, tile.right_rows, tile.column_words
    place_ints = PLACE_INTS * rows

    def conv_tile(
        x: Floats, weight: Floats, bias: Floats, addend: Floats, y: Floats, shape: ConvTileShape
    ) -> None:
        memory = cuda.shared.array(0, float32, ALIGNMENT)  # as much as the launch brings
        places = cuda.shared.array(place_ints, int32, ALIGNMENT)
        thread = cuda.threadIdx.x
        row_tile = quotient(cuda.blockIdx.x, shape.column_tiles)
        first_row = row_tile * rows
        first_column = (cuda.blockIdx.x - row_tile * shape.column_tiles) * columns
        split = quotient(cuda.blockIdx.z, shape.groups)
        group = cuda.blockIdx.z - split * shape.groups
        for row in range(thread, rows, threads):
            note_place(places, row, first_row + row, shape)
        cuda.syncthreads()

        # The slice that is fetched next: the tap and map that this thread copies, and the weights.
        first_slice = split * shape.steps
        steps = min(shape.steps, int32(shape.slices - first_slice))
        u, v, c = tap_at(first_slice * depth + thread % vectors * vector, shape)
        first_map = group * shape.group_in
        first_word = first_slice * slice_rows * shape.panel_row + first_column * column_words
        panel = int32(group * shape.panel + first_word)
        there = shape.panel_row - first_column * column_words
        writing = int32(0)
        for fetched in range(stages - 1):
            if fetched < steps:
                fetch_left(memory, writing, places, x, first_map, u, v, c, shape, thread)
                fetch_right(memory, writing + right_factor, weight, panel, there, shape, thread)
            commit()
            u, v, c = next_tap(u, v, c, depth, shape)
            panel = int32(panel + slice_rows * shape.panel_row)
            writing = int32(writing + stage)

        left, right, reading = left_start(thread), right_factor + right_start(thread), int32(0)
        sums, step = zeros(), int32(0)
        while step < steps:  # in 32 bits, which range() does not count in
            arrived()
            # Now all threads' copies are here, and nobody reads what the next ones overwrite.
            cuda.syncthreads()
            if int32(step + (stages - 1)) < steps:
                fetch_left(memory, writing, places, x, first_map, u, v, c, shape, thread)
                fetch_right(memory, writing + right_factor, weight, panel, there, shape, thread)
            commit()
            u, v, c = next_tap(u, v, c, depth, shape)
            panel = int32(panel + slice_rows * shape.panel_row)
            sums = multiply(memory, left + reading, right + reading, sums)
            writing = reading
            reading = int32(0) if reading == last_stage else int32(reading + stage)
            step = int32(step + 1)

        out = out_start(thread)
        for part in range(parts):
            cuda.syncthreads()
            put(memory, out, sums, part)
            cuda.syncthreads()
            finish(memory, places, part, split, group, first_column, bias, addend, y, shape, thread)

    return conv_tile


def _product(tile: Tile) -> Product:
    core = tile.tensor_core
    return tensor_core_product(tile, core) if core else float_product(tile)


@inlined
def note_place(places: Ints, row: int, pixel: int, shape: ConvTileShape) -> None:
    """Note where the window of a pixel of the output starts in x, and where the pixel lies in y."""
    at = row * PLACE_INTS
    if pixel < shape.rows:
        each = shape.out_height * shape.out_width
        image = quotient(pixel, each)
        i = quotient(pixel - image * each, shape.out_width)
        j = pixel - image * each - i * shape.out_width
        first = i * shape.stride_height - shape.top
        left = j * shape.stride_width - shape.left
        places[at] = image * shape.x_image + first * shape.x_row + left * shape.x_pixel
        places[at + 1] = first
        places[at + 2] = left
        places[at + 3] = image * shape.y_image + i * shape.y_row + j * shape.y_pixel
    else:
        places[at] = 0
        places[at + 1] = _NOWHERE
        places[at + 2] = _NOWHERE
        places[at + 3] = -1


@inlined
def tap_at(k: int, shape: ConvTileShape) -> tuple[int, int, int]:
    """Row, column and input map of a tap."""
    tap = quotient(k, shape.group_in)
    u = quotient(tap, shape.kernel_width)
    return u, int32(tap - u * shape.kernel_width), int32(k - tap * shape.group_in)


@inlined
def next_tap(u: int, v: int, c: int, depth: int, shape: ConvTileShape) -> tuple[int, int, int]:
    """The tap `depth` further along k."""
    c = int32(c + depth)
    while c >= shape.group_in:
        c = int32(c - shape.group_in)
        v = int32(v + 1)
        if v == shape.kernel_width:
            v = int32(0)
            u = int32(u + 1)
    return u, v, c


def _left_fetcher(tile: Tile, copy: Callable[..., None]) -> Callable[..., None]:
    """How a block gathers a slice of the left factor: a thread copies one tap for several rows."""
    vector, pitch = tile.vector, tile.left_pitch
    vectors = tile.depth // vector
    rows_apart = tile.copy_rows
    count = tile.rows // rows_apart

    @inlined
    def fetch_left(
        memory: Any,
        start: int,
        places: Ints,
        x: Floats,
        first_map: int,
        u: int,
        v: int,
        c: int,
        shape: ConvTileShape,
        thread: int,
    ) -> None:
        first = quotient(thread, vectors)
        down, along = int32(u * shape.dilation_height), int32(v * shape.dilation_width)
        offset = int32(first_map + down * shape.x_row + along * shape.x_pixel + c)
        target = start + first * pitch + (thread - first * vectors) * vector
        for number in range(count):
            at = (first + number * rows_apart) * PLACE_INTS
            i, j = int32(places[at + 1] + down), int32(places[at + 2] + along)
            inside = within(i, shape.height) & within(j, shape.width)
            valid = inside & (u < shape.kernel_height)
            source = int32(places[at] + offset)
            copy(memory, target + number * (rows_apart * pitch), x, source, valid)

    return fetch_left


def _right_fetcher(tile: Tile, copy_quad: Callable[..., None]) -> Callable[..., None]:
    """How a block copies a slice of the right factor."""
    threads, pitch, quads = tile.threads, tile.right_pitch, tile.right_pitch // 4
    all_quads = tile.right_rows * quads
    count, is_even = -(-all_quads // threads), all_quads % threads == 0

    @inlined
    def fetch_right(
        memory: Any,
        start: int,
        weight: Floats,
        panel: int,
        there: int,
        shape: ConvTileShape,
        thread: int,
    ) -> None:
        for number in range(count):
            at = thread + number * threads
            row = quotient(at, quads)
            along = (at - row * quads) * 4
            if is_even or at < all_quads:
                source = int32(panel + row * shape.panel_row + along)
                copy_quad(memory, start + row * pitch + along, weight, source, along < there)

    return fetch_right


def _finisher(tile: Tile, activation: str) -> Callable[..., None]:
    """How a block finishes and writes a part of its sums, which lie in shared memory."""
    finish_cell, finish_quad = finishers(activation)
    quads, threads, part_rows = tile.columns // 4, tile.threads, tile.rows // tile.parts
    pitch = tile.out_pitch

    @inlined
    def finish(
        memory: Any,
        places: Ints,
        part: int,
        split: int,
        group: int,
        first_column: int,
        bias: Floats,
        addend: Floats,
        y: Floats,
        shape: ConvTileShape,
        thread: int,
    ) -> None:
        for at in range(thread, part_rows * quads, threads):
            row = quotient(at, quads)
            along = (at - row * quads) * 4
            first, start = first_column + along, row * pitch + along
            maps = min(shape.group_out - first, 4)
            place = places[(part * part_rows + row) * PLACE_INTS + 3]
            if maps > 0 and place >= 0:
                first += group * shape.group_out
                place += split * shape.y_split + first
                if shape.quads:
                    finish_quad(quad(memory, start), first, place, bias, addend, y, shape)
                else:
                    for i in range(maps):
                        finish_cell(memory[start + i], first + i, place + i, bias, addend, y, shape)

    return finish
