"""Cells taken from other places: see lowering/gather.py for the fields."""

from collections.abc import Callable
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES, activate_row, over_units
from cnndsl.backends.cpu.kernels.spans import Span, over_row
from cnndsl.backends.cpu.lowering.gather import GatherFields
from cnndsl.backends.cpu.memory import constant, read_fields
from cnndsl.backends.cpu.target import Target

_LANES = Target.host().lanes
_WORD = 8  # bytes

Pixel = Callable[[Code, Any, Int, Int, Int, Value, Bounds], None]
"""Emit one output pixel: code, fields, image, row, column, a pointer to its maps, bounds."""


def _gathering(pixel: Pixel) -> Any:
    @emits(_LANES)
    def gather(code: Code, args: Value, begin: Value, end: Value) -> None:
        f = read_fields(code, args, GatherFields)
        bounds = Bounds.of(code, f)

        def unit(image: Int, row: Int) -> None:
            y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES

            def turn(column: Value, _state: object) -> tuple[()]:
                number = code.integer(column)
                y = code.at(code.pointer(y_row), number * f.y_pixel)
                pixel(code, f, image, row, number, y, bounds)
                return ()

            code.loop(0, f.columns, 1, (), turn)
            activate_row(code, f, y_row)

        over_units(code, begin, end, f.rows, unit)

    return gather


def _run(code: Code, f: Any, image: Int, row: Int, column: Int, y: Value, bounds: Bounds) -> None:
    """A pixel whose maps are a run of the input's, or those of a pixel outside."""
    x_row = constant(code, f.row_places, row)
    x_column = constant(code, f.column_places, column)
    there = image * f.x_image + x_row * f.x_row + x_column * f.x_pixel + f.first_map
    inside = code.builder.and_(x_row.is_(">=", 0), x_column.is_(">=", 0))
    place = (f.x + there * FLOAT_BYTES).where(inside, f.outside)
    x = code.pointer(place)

    def move(span: Span) -> None:
        span.store([bounds.clamp(v) for v in span.load(x)], y)

    over_row(code, f.maps, move, widths=(4, 1))


def _maps(code: Code, f: Any, image: Int, row: Int, column: Int, y: Value, bounds: Bounds) -> None:
    """A pixel whose maps are named one by one."""
    x_row = constant(code, f.row_places, row)
    x_column = constant(code, f.column_places, column)
    x = code.at(code.pointer(f.x), image * f.x_image + x_row * f.x_row + x_column * f.x_pixel)
    _store_named(code, f, x, f.map_places, y, bounds)


def _cells(code: Code, f: Any, image: Int, row: Int, column: Int, y: Value, bounds: Bounds) -> None:
    """A pixel whose cells are named one by one."""
    x = code.at(code.pointer(f.x), image * f.x_image)
    first = (row * f.columns + column) * f.maps
    _store_named(code, f, x, f.map_places + first * _WORD, y, bounds)


def _store_named(code: Code, f: Any, x: Value, places: Int, y: Value, bounds: Bounds) -> None:
    """Write a pixel's maps: the floats of x whose offsets are in a table."""
    whole = f.maps // code.lanes * code.lanes
    with code.each(0, whole, code.lanes) as first:
        offsets = [constant(code, places, first + lane) for lane in range(code.lanes)]
        cells = code.of_lanes([code.load_float(x, offset) for offset in offsets])
        code.store(bounds.clamp(cells), y, first)
    with code.each(whole, f.maps) as number:
        cell = code.broadcast(x, constant(code, places, number))
        code.store_first(bounds.clamp(cell), y, number, 1)


_gather_pixels = _gathering(_run)
_gather_maps = _gathering(_maps)
_gather_cells = _gathering(_cells)


def gather_pixels(args: int, begin: int, end: int, scratch: int) -> None:
    """Pixels from other places, some with a run of their maps only."""
    _gather_pixels(args, begin, end)


def gather_maps(args: int, begin: int, end: int, scratch: int) -> None:
    """Pixels from other places, with their maps in another order."""
    _gather_maps(args, begin, end)


def gather_cells(args: int, begin: int, end: int, scratch: int) -> None:
    """Every cell from a place of its own."""
    _gather_cells(args, begin, end)
