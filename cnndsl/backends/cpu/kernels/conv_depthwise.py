"""Convolution depthwise and of small groups. See lowering/conv_depthwise.py for fields and idea."""

from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES, activate_row, over_units
from cnndsl.backends.cpu.lowering.conv_depthwise import ConvDepthwiseFields, DepthwiseTile
from cnndsl.backends.cpu.memory import constant, read_fields
from cnndsl.backends.cpu.vectors import Vector


def conv_depthwise(*parameters: int) -> Any:
    """The kernel of a `DepthwiseTile`."""
    tile = DepthwiseTile(*parameters)

    @emits(tile.lanes)
    def rows(code: Code, args: Value, begin: Value, end: Value) -> None:
        f = read_fields(code, args, ConvDepthwiseFields)
        width = tile.vectors * tile.lanes

        def unit(image: Int, row: Int) -> None:
            x_row = f.x + (image * f.x_image + row * f.x_down) * FLOAT_BYTES
            y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES
            below = f.x_ahead.where((row + 1).is_("<", f.rows), 0) if tile.ahead else 0
            with code.each(0, f.columns, tile.pixels) as left:
                # Where a row or a pixel ends with half a tile, the tile is shifted back, onto what
                # others compute too.
                column = left.min(f.columns - tile.pixels)
                x = code.at(code.pointer(x_row), column * tile.stride * f.x_pixel)
                y = code.at(code.pointer(y_row), column * f.y_pixel)
                with code.each(0, f.maps, width) as start:
                    first = start.min(f.maps - width)
                    if tile.ahead:
                        _ask(code, f, tile, code.at(x, first + below))
                    _compute(code, f, tile, x, y, first)
            activate_row(code, f, y_row)

        over_units(code, begin, end, f.rows, unit)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        rows(args, begin, end)

    return kernel


def _ask(code: Code, f: Any, tile: DepthwiseTile, x: Value) -> None:
    """Ask for the rows that only the tile below reads, whose first row is at x."""
    for row in range(tile.ahead):
        place = code.at(x, f.x_row * row)
        for _ in range(tile.pixels * tile.stride):
            code.prefetch(place)
            place = code.at(place, f.x_pixel)


def _compute(code: Code, f: Any, tile: DepthwiseTile, x: Value, y: Value, first: Int) -> None:
    """Compute one tile: the maps from `first` on of the pixels from those at x and y on."""
    # Its sums are counted through pixels and then through vectors.
    vectors = [(j, j * tile.lanes) for j in range(tile.vectors)]

    def turn(number: Value, state: list[Any]) -> list[Any]:
        weights, *sums = state
        rows = [code.at(weights, f.maps * i) for i in range(tile.run * tile.group)]
        factors = [[code.load(row, lane) for _, lane in vectors] for row in rows]
        place, here = code.at(x, constant(code, f.runs, number) + first), 0
        for column, readers in _columns(tile):
            # Step by step, one address serves all columns: an offset each would fill the registers.
            place, here = code.at(place, f.x_pixel * (column - here)), column
            for j, lane in vectors:
                maps = code.load(place, lane)
                for i in range(tile.group):
                    value = _spread(maps, i, tile.group)
                    for pixel, tap in readers:
                        k = pixel * tile.vectors + j
                        sums[k] = value.fma(factors[tap * tile.group + i][j], sums[k])
        return [code.at(weights, f.maps * (tile.run * tile.group)), *sums]

    bias, weights = (code.at(code.pointer(p), first) for p in (f.bias, f.weights))
    start = [code.load(bias, lane) for _, lane in vectors] * tile.pixels
    _, *sums = code.loop(0, f.run_count, 1, [weights, *start], turn)
    bounds = Bounds.of(code, f)
    for pixel in range(tile.pixels):
        for j, lane in vectors:
            total = bounds.clamp(sums[pixel * tile.vectors + j])
            code.store(total, y, first + f.y_pixel * pixel + lane)


def _spread(maps: Vector, i: int, group: int) -> Vector:
    """Map `i` of each group, in all lanes of its group."""
    lanes = [lane // group * group + i for lane in range(maps.code.lanes)]
    return maps.code.pick(maps, maps, lanes) if group > 1 else maps


def _columns(tile: DepthwiseTile) -> list[tuple[int, list[tuple[int, int]]]]:
    """The columns that a tile reads in a run, and the pixels and taps for which it does."""
    readers: dict[int, list[tuple[int, int]]] = {}
    for pixel in range(tile.pixels):
        for tap in range(tile.run):
            column = pixel * tile.stride + tap * tile.dilation
            readers.setdefault(column, []).append((pixel, tap))
    return sorted(readers.items())
