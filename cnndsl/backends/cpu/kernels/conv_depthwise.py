"""Depthwise convolution. See lowering/conv_depthwise.py for the fields and the idea."""

from typing import Any

from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.kernels.conv_pixels import Pixels
from cnndsl.backends.cpu.lowering.conv_depthwise import ConvDepthwiseFields
from cnndsl.backends.cpu.memory import constant, read_fields
from cnndsl.backends.cpu.vectors import Code, Mask, Vector, emits

_FLOAT = 4  # bytes


def conv_depthwise(tile_pixels: int, lanes: int) -> Any:
    """The kernel whose tile is `tile_pixels` of one vector of maps."""

    @emits(lanes)
    def run(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
        f = read_fields(code, args, ConvDepthwiseFields)
        pixels = Pixels(code, f, code.integer(scratch), tile_pixels)
        whole = f.maps // lanes * lanes
        with code.each(begin, end) as block:
            count = pixels.count(block)
            pixels.locate(block)
            with code.each(0, count, tile_pixels) as pixel:
                with code.each(0, whole, lanes) as start:
                    _compute(code, f, pixels, pixel, start, code.integer(lanes))
                with code.builder.if_then(whole.is_("<", f.maps)):
                    rest = f.maps - whole
                    _compute(code, f, pixels, pixel, whole, rest, code.first_lanes(rest))
            pixels.activate(count, code.integer(0), f.maps)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        run(args, begin, end, scratch)

    return kernel


def _compute(
    code: Code, f: Any, pixels: Pixels, pixel: Int, start: Int, maps: Int, lanes: Mask | None = None
) -> None:
    """Compute the `maps` maps from `start` on, a vector or (with `lanes`) less, of one tile."""
    x = code.pointer(f.x + start * _FLOAT)
    weights = code.pointer(f.weights + start * _FLOAT)
    rows = [pixels.read(pixel + i, x) for i in range(pixels.spare)]
    bias = code.load(code.pointer(f.bias + start * _FLOAT))

    def add_tap(number: Value, sums: list[Vector]) -> list[Vector]:
        offset = constant(code, f.taps, number)
        weight = code.load(weights, code.integer(number) * f.padded)

        def load(row: Value) -> Vector:
            return code.load_first(row, offset, lanes) if lanes else code.load(row, offset)

        return [load(row).fma(weight, total) for row, total in zip(rows, sums, strict=True)]

    sums = code.loop(0, f.tap_count, 1, [bias] * len(rows), add_tap)
    low, y = code.vector(code.float_field(f.low)), code.pointer(f.y + start * _FLOAT)
    for i, total in enumerate(sums):
        place = pixels.written(pixel + i, y)
        if lanes:
            code.store_first(total.at_least(low), place, 0, maps)
        else:
            code.store(total.at_least(low), place)
