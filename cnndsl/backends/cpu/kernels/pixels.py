"""What kernels share whose work unit is one row of pixels."""

from collections.abc import Callable
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.memory import call

FLOAT_BYTES = 4


def over_units(
    code: Code, begin: Value, end: Value, rows: Int, body: Callable[[Int, Int], None]
) -> None:
    """Emit `body(image, row)` for a range of units, which are the rows of all images in order."""

    def turn(unit: Value, _state: object) -> tuple[()]:
        number = code.integer(unit)
        image = number // rows
        body(image, number - image * rows)
        return ()

    code.loop(begin, end, 1, (), turn)


def over_pixels(
    code: Code, f: Any, begin: Value, end: Value, body: Callable[[Value, Value], None]
) -> None:
    """
    Emit `body(x, y)` for every pixel of a range of units, x and y pointers to its maps.

    The input and the output have the same rows and columns, those of the fields `f`. Where these
    have an activation function, it is applied row by row.
    """

    def unit(image: Int, row: Int) -> None:
        x_row = f.x + (image * f.x_image + row * f.x_row) * FLOAT_BYTES
        y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES

        def pixel(column: Value, _state: object) -> tuple[()]:
            x = code.at(code.pointer(x_row), code.integer(column) * f.x_pixel)
            y = code.at(code.pointer(y_row), code.integer(column) * f.y_pixel)
            body(x, y)
            return ()

        code.loop(0, f.columns, 1, (), pixel)
        if "activation" in f._fields:
            activate_row(code, f, y_row)

    over_units(code, begin, end, f.rows, unit)


def activate_row(code: Code, f: Any, y_row: Int) -> None:
    """
    Apply the activation function of the fields `f`, if any, to the row of pixels at `y_row`.

    It is called once where the pixels touch, else pixel by pixel.
    """
    with code.builder.if_then(f.activation.is_("!=", 0)):
        touch = f.y_pixel.is_("==", f.maps)
        rows = code.integer(1).where(touch, f.columns)
        count = (f.columns * f.maps).where(touch, f.maps)
        call(code, f.activation, y_row, rows, count, f.y_pixel)
