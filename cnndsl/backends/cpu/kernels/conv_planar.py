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

        def unit(image: Int, number: Int) -> None:
            row = number * f.block
            x = code.pointer(f.x + (image * f.x_image + row * f.x_down) * FLOAT_BYTES)
            y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES
            y = code.pointer(y_row)
            with code.each(0, f.starts_count, vectors) as left:
                # The last vectors of a row are shifted back into it, onto what others compute too.
                entries = [(left + j) * 2 for j in range(vectors)]
                read = [code.at(x, constant(code, f.starts, entry)) for entry in entries]
                for entry, sums in zip(entries, _sums(code, f, read, maps, run), strict=True):
                    written = code.at(y, constant(code, f.starts, entry + 1))
                    _store(code, f, sums, written, bool(touching))
            with code.each(0, f.block) as i:
                activate_row(code, f, y_row + i * f.y_row * FLOAT_BYTES)

        over_units(code, begin, end, f.rows // f.block, unit)

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
    bounds = Bounds.of(code, f)
    blocks = [sums[i : i + code.lanes] for i in range(0, len(sums), code.lanes)]
    turned = [transposed(code, [bounds.clamp(total) for total in block]) for block in blocks]
    maps, lanes = len(sums), code.lanes
    for i in range(lanes):
        for first, rows in zip(range(0, maps, lanes), turned, strict=True):
            count = min(lanes, maps - first)
            behind = i * maps + first + lanes  # where a vector ends that is written here
            if touching and behind <= lanes * maps:
                # The lanes that are no maps fall on the next pixels, which are written next.
                code.store(rows[i], y, i * maps + first)
            else:
                code.store_first(rows[i], y, code.integer(i) * f.y_pixel + first, count)
