"""Factors and summands of maps or cells: see lowering/scale.py for the fields."""

from collections.abc import Callable
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES, activate_row, over_units
from cnndsl.backends.cpu.kernels.spans import Span, over_row
from cnndsl.backends.cpu.lowering.scale import ScaleFields
from cnndsl.backends.cpu.memory import read_fields
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import Vector

_LANES = Target.host().lanes


def _scaling(function: Callable[[Vector, Vector, Vector], Vector]) -> Any:
    @emits(_LANES)
    def scale(code: Code, args: Value, begin: Value, end: Value) -> None:
        f = read_fields(code, args, ScaleFields)
        bounds = Bounds.of(code, f)

        def unit(image: Int, row: Int) -> None:
            x_row = f.x + (image * f.x_image + row * f.x_row) * FLOAT_BYTES
            y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES

            def pixel(column: Value, _state: object) -> tuple[()]:
                number = code.integer(column)
                x = code.at(code.pointer(x_row), number * f.x_pixel)
                y = code.at(code.pointer(y_row), number * f.y_pixel)
                at = row * f.weight_row + number * f.weight_pixel
                weight, bias = (code.at(code.pointer(p), at) for p in (f.weight, f.bias))

                def cells(span: Span) -> None:
                    rows = zip(*(span.load(row) for row in (x, weight, bias)), strict=True)
                    span.store([bounds.clamp(function(*row)) for row in rows], y)

                over_row(code, f.maps, cells, widths=(2, 1))
                return ()

            code.loop(0, f.columns, 1, (), pixel)
            activate_row(code, f, y_row)

        over_units(code, begin, end, f.rows, unit)

    return scale


_affine = _scaling(lambda x, weight, bias: x.fma(weight, bias))
_prelu = _scaling(lambda x, weight, bias: x.at_most(0.0).fma(weight, x.at_least(0.0)))


def affine(args: int, begin: int, end: int, scratch: int) -> None:
    """A multiple of each cell, plus a bias."""
    _affine(args, begin, end)


def prelu(args: int, begin: int, end: int, scratch: int) -> None:
    """A multiple of each negative cell."""
    _prelu(args, begin, end)
