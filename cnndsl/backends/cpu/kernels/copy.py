"""Moving images, and zeros around them: see lowering/copy.py for the fields."""

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES, over_pixels, over_units
from cnndsl.backends.cpu.kernels.spans import Span, over_row
from cnndsl.backends.cpu.lowering.copy import CopyFields, PermuteFields, ZeroHaloFields
from cnndsl.backends.cpu.memory import SCALAR, read_fields
from cnndsl.backends.cpu.target import Target

_LANES = Target.host().lanes


@emits(_LANES)
def _copy(code: Code, args: Value, begin: Value, end: Value) -> None:
    f = read_fields(code, args, CopyFields)
    bounds = Bounds.of(code, f)

    def pixel(x: Value, y: Value) -> None:
        def move(span: Span) -> None:
            span.store([bounds.clamp(v) for v in span.load(x)], y)

        over_row(code, f.maps, move, widths=(4, 1))

    over_pixels(code, f, begin, end, pixel)


@emits(SCALAR)
def _permute(code: Code, args: Value, begin: Value, end: Value) -> None:
    f = read_fields(code, args, PermuteFields)

    def unit(image: Int, row: Int) -> None:
        x_row = f.x + (image * f.x_image + row * f.x_row) * FLOAT_BYTES
        y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES

        # Map by map, for one side then has its cells side by side.
        def one_map(number: Value, _state: object) -> tuple[()]:
            x = code.at(code.pointer(x_row), code.integer(number) * f.x_map)
            y = code.at(code.pointer(y_row), code.integer(number) * f.y_map)

            def cell(column: Value, _state: object) -> tuple[()]:
                value = code.load_float(x, code.integer(column) * f.x_pixel)
                code.store_float(value, y, code.integer(column) * f.y_pixel)
                return ()

            code.loop(0, f.columns, 1, (), cell)
            return ()

        code.loop(0, f.maps, 1, (), one_map)

    over_units(code, begin, end, f.rows, unit)


@emits(_LANES)
def _zero_halo(code: Code, args: Value, begin: Value, end: Value) -> None:
    f = read_fields(code, args, ZeroHaloFields)
    zero = code.vector(0.0)

    def clear(address: Int, cells: Int) -> None:
        place = code.pointer(address)
        over_row(code, cells * f.y_pixel, lambda s: s.store([zero] * s.vectors, place), (4, 1))

    def unit(image: Int, row: Int) -> None:
        above = image * f.y_image + (row - f.top) * f.y_row - f.left * f.y_pixel
        start = f.y + above * FLOAT_BYTES
        # A row of the image has a halo at both ends; a row above or below it is all halo.
        all_halo = code.builder.or_(row.is_("<", f.top), row.is_(">=", f.top + f.rows))
        clear(start, (f.left + f.columns + f.right).where(all_halo, f.left))
        right = start + (f.left + f.columns) * f.y_pixel * FLOAT_BYTES
        clear(right, code.integer(0).where(all_halo, f.right))

    over_units(code, begin, end, f.top + f.rows + f.bottom, unit)


def copy(args: int, begin: int, end: int, scratch: int) -> None:
    """Each pixel's maps from x to y, through the epilogue."""
    _copy(args, begin, end)


def permute(args: int, begin: int, end: int, scratch: int) -> None:
    """Each cell from x to y, in any layouts."""
    _permute(args, begin, end)


def zero_halo(args: int, begin: int, end: int, scratch: int) -> None:
    """Zeros around each image."""
    _zero_halo(args, begin, end)
