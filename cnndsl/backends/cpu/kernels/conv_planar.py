"""Convolution of one map to few. See lowering/conv_planar.py for the fields and the idea."""

from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES, activate_row, over_units
from cnndsl.backends.cpu.kernels.transpose import transposed
from cnndsl.backends.cpu.lowering.conv_planar import ConvPlanarFields
from cnndsl.backends.cpu.memory import constant, read_fields
from cnndsl.backends.cpu.vectors import Vector


def conv_planar(maps: int, vectors: int, lanes: int, run: int, touching: int) -> Any:
    """The kernel of `maps` output maps, whose tile is `vectors` of `lanes` pixels of a row."""

    @emits(lanes)
    def rows(code: Code, args: Value, begin: Value, end: Value) -> None:
        f = read_fields(code, args, ConvPlanarFields)

        def unit(image: Int, row: Int) -> None:
            x = code.pointer(f.x + (image * f.x_image + row * f.x_down) * FLOAT_BYTES)
            y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES
            y = code.pointer(y_row)
            with code.each(0, f.columns, vectors * lanes) as left:
                # The last vectors are shifted back into the row, onto what others compute too.
                starts = [(left + j * lanes).min(f.columns - lanes) for j in range(vectors)]
                sums = _sums(code, f, [code.at(x, start) for start in starts], maps, run)
                for start, sums_there in zip(starts, sums, strict=True):
                    _store(code, f, sums_there, code.at(y, start * f.y_pixel), bool(touching))
            activate_row(code, f, y_row)

        over_units(code, begin, end, f.rows, unit)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        rows(args, begin, end)

    return kernel


def _sums(code: Code, f: Any, pixels: list[Value], maps: int, run: int) -> list[list[Vector]]:
    """The bias and all products, [vectors of pixels][maps], of what lies at each of `pixels`."""
    bias, count = code.pointer(f.bias), len(pixels)

    def turn(number: Value, state: list[Any]) -> list[Any]:
        weights, *sums = state
        places = [code.at(start, constant(code, f.runs, number)) for start in pixels]
        for k in range(run):
            values = [code.load(place, k) for place in places]
            for m in range(maps):
                factor = code.broadcast(weights, k * maps + m)
                for j, value in enumerate(values):
                    sums[m * count + j] = value.fma(factor, sums[m * count + j])
        return [code.at(weights, run * maps), *sums]

    start = [code.broadcast(bias, m) for m in range(maps) for _ in pixels]
    _, *sums = code.loop(0, f.run_count, 1, [code.pointer(f.weights), *start], turn)
    return [sums[j::count] for j in range(count)]


def _store(code: Code, f: Any, sums: list[Vector], y: Value, touching: bool) -> None:
    """Write a vector of pixels, whose maps are `sums`, from the pixel at y on."""
    maps, lanes = len(sums), code.lanes
    bounds = Bounds.of(code, f)
    for i, row in enumerate(transposed(code, [bounds.clamp(total) for total in sums])):
        if touching and (i * maps + lanes <= lanes * maps):
            # The lanes that are no maps fall on the next pixels, which are written next.
            code.store(row, y, i * maps)
        else:
            code.store_first(row, y, code.integer(i) * f.y_pixel, maps)
