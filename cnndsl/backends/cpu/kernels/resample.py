"""Bilinear interpolation: see lowering/resample.py for the fields."""

from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES, activate_row, over_units
from cnndsl.backends.cpu.kernels.spans import Span, over_row
from cnndsl.backends.cpu.lowering.resample import ResampleFields
from cnndsl.backends.cpu.memory import constant, read_fields
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import Vector

_LANES = Target.host().lanes


@emits(_LANES)
def _resample(code: Code, args: Value, begin: Value, end: Value) -> None:
    f = read_fields(code, args, ResampleFields)
    bounds = Bounds.of(code, f)

    def unit(image: Int, row: Int) -> None:
        y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES
        start = code.at(code.pointer(f.x), image * f.x_image)
        rows = [code.at(start, place * f.x_row) for place in _places(code, f.row_places, row)]
        row_shares = _shares(code, f.row_shares, row)

        def pixel(column: Value, _state: object) -> tuple[()]:
            number = code.integer(column)
            offsets = [place * f.x_pixel for place in _places(code, f.column_places, number)]
            shares = _shares(code, f.column_shares, number)
            y = code.at(code.pointer(y_row), number * f.y_pixel)

            def mix(span: Span) -> None:
                above, below = (_between(code, span, x, offsets, shares) for x in rows)
                mixed = [_weighed(a, b, row_shares) for a, b in zip(above, below, strict=True)]
                span.store([bounds.clamp(v) for v in mixed], y)

            over_row(code, f.maps, mix, widths=(2, 1))
            return ()

        code.loop(0, f.columns, 1, (), pixel)
        activate_row(code, f, y_row)

    over_units(code, begin, end, f.rows, unit)


def _places(code: Code, table: Int, number: Int) -> list[Int]:
    return [constant(code, table, number * 2 + i) for i in range(2)]


def _shares(code: Code, table: Int, number: Int) -> list[Vector]:
    return [code.broadcast(code.pointer(table), number * 2 + i) for i in range(2)]


def _between(
    code: Code, span: Span, x: Value, offsets: list[Int], shares: list[Vector]
) -> list[Vector]:
    """The maps between two pixels of a row."""
    left, right = (span.load(code.at(x, offset)) for offset in offsets)
    return [_weighed(a, b, shares) for a, b in zip(left, right, strict=True)]


def _weighed(first: Vector, second: Vector, shares: list[Any]) -> Vector:
    return second.fma(shares[1], first * shares[0])


def resample(args: int, begin: int, end: int, scratch: int) -> None:
    """Each cell from the four around its place."""
    _resample(args, begin, end)
