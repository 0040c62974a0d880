"""Sums and products of two tensors: see lowering/combine.py for the fields."""

from collections.abc import Callable
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES, activate_row, over_units
from cnndsl.backends.cpu.kernels.spans import Span, over_row
from cnndsl.backends.cpu.lowering.combine import ONE, CombineFields
from cnndsl.backends.cpu.memory import read_fields
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import Vector

_LANES = Target.host().lanes


def add(a: int, b: int) -> Any:
    """The kernel of a sum whose operands have MANY maps or ONE."""
    return _combining(lambda x, y: x + y, a, b)


def multiply(a: int, b: int) -> Any:
    """The kernel of a product whose operands have MANY maps or ONE."""
    return _combining(lambda x, y: x * y, a, b)


def _combining(combine: Callable[[Vector, Vector], Vector], a_maps: int, b_maps: int) -> Any:
    @emits(_LANES)
    def apply(code: Code, args: Value, begin: Value, end: Value) -> None:
        f = read_fields(code, args, CombineFields)
        bounds = Bounds.of(code, f)

        def unit(image: Int, row: Int) -> None:
            a_row = f.a + (image * f.a_image + row * f.a_row) * FLOAT_BYTES
            b_row = f.b + (image * f.b_image + row * f.b_row) * FLOAT_BYTES
            y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES

            def pixel(column: Value, _state: object) -> tuple[()]:
                number = code.integer(column)
                a = _reader(code, code.at(code.pointer(a_row), number * f.a_pixel), a_maps)
                b = _reader(code, code.at(code.pointer(b_row), number * f.b_pixel), b_maps)
                y = code.at(code.pointer(y_row), number * f.y_pixel)

                def cells(span: Span) -> None:
                    pairs = zip(a(span), b(span), strict=True)
                    span.store([bounds.clamp(combine(*pair)) for pair in pairs], y)

                over_row(code, f.maps, cells, widths=(4, 1))
                return ()

            code.loop(0, f.columns, 1, (), pixel)
            activate_row(code, f, y_row)

        over_units(code, begin, end, f.rows, unit)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        apply(args, begin, end)

    return kernel


def _reader(code: Code, pixel: Value, maps: int) -> Callable[[Span], list[Vector]]:
    """What a pixel has for a span of maps: its own, or its one map in every lane."""
    if maps != ONE:
        return lambda span: span.load(pixel)
    value = code.broadcast(pixel)
    return lambda span: [value] * span.vectors
