"""Depthwise convolution. See lowering/conv_depthwise.py for the fields and the idea."""

from typing import Any

from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.conv_pixels import Pixels
from cnndsl.backends.cpu.lowering.conv_depthwise import ConvDepthwiseFields
from cnndsl.backends.cpu.memory import constant, read_fields
from cnndsl.backends.cpu.vectors import Code, Mask, Vector, emits

_FLOAT = 4  # bytes


def conv_depthwise(tile_pixels: int, vectors: int, lanes: int) -> Any:
    """The kernel whose tile is `tile_pixels` of `vectors` of `lanes` maps."""
    width = vectors * lanes

    @emits(lanes)
    def run(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
        f = read_fields(code, args, ConvDepthwiseFields)
        pixels = Pixels(code, f, code.integer(scratch), tile_pixels)
        whole = f.maps // width * width
        rest = f.maps - whole
        with code.each(begin, end) as block:
            count = pixels.count(block)
            pixels.locate(block)
            with code.each(0, count, tile_pixels) as pixel:
                with code.each(0, whole, width) as start:
                    _compute(code, f, pixels, pixel, start, [code.integer(lanes)] * vectors, None)
                with code.builder.if_then(rest.is_(">", 0)):
                    parts = [(rest - j * lanes).max(0).min(lanes) for j in range(vectors)]
                    masks = [code.first_lanes(part) for part in parts]
                    _compute(code, f, pixels, pixel, whole, parts, masks)
            pixels.activate(count, code.integer(0), f.maps)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        run(args, begin, end, scratch)

    return kernel


def _compute(
    code: Code,
    f: Any,
    pixels: Pixels,
    pixel: Int,
    start: Int,
    parts: list[Int],
    masks: list[Mask] | None,
) -> None:
    """
    Compute one tile, from the map `start` on.

    `parts` are the maps in each vector; `masks` name the lanes that hold them, None all.
    """
    vectors, lanes = range(len(parts)), code.lanes
    x = code.pointer(f.x + start * _FLOAT)
    weights = code.pointer(f.weights + start * _FLOAT)
    bias = code.pointer(f.bias + start * _FLOAT)
    rows = [pixels.read(pixel + i, x) for i in range(pixels.spare)]

    def add_tap(number: Value, sums: list[Vector]) -> list[Vector]:
        offset = constant(code, f.taps, number)
        first = code.integer(number) * f.padded
        weight = [code.load(weights, first + j * lanes) for j in vectors]
        after: list[Vector] = []
        for i, row in enumerate(rows):
            for j in vectors:
                place = code.at(row, offset + j * lanes)
                value = code.load_first(place, 0, masks[j]) if masks else code.load(place)
                after.append(value.fma(weight[j], sums[i * len(parts) + j]))
        return after

    begin = [code.load(bias, j * lanes) for j in vectors] * len(rows)
    sums = code.loop(0, f.tap_count, 1, begin, add_tap)
    bounds, y = Bounds.of(code, f), code.pointer(f.y + start * _FLOAT)
    for i in range(len(rows)):
        place = pixels.written(pixel + i, y)
        for j in vectors:
            total = bounds.clamp(sums[i * len(parts) + j])
            if masks:
                code.store_first(total, place, j * lanes, parts[j])
            else:
                code.store(total, place, j * lanes)
