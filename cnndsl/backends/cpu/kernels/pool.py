"""Pooling, channels last: see lowering/pool.py for the fields."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.control import Index
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES, activate_row, over_units
from cnndsl.backends.cpu.kernels.spans import Span, over_row
from cnndsl.backends.cpu.lowering.pool import AxisWindow, PoolFields
from cnndsl.backends.cpu.memory import constant, read_fields
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import FLOAT, Vector

_LANES = Target.host().lanes

Combine = Callable[[Vector, Vector], Vector]


@dataclass(frozen=True, slots=True)
class _Cells:
    """The cells of one window that are inside the image, `x` the address of the first."""

    code: Code
    fields: Any
    x: Int
    rows: Index
    columns: Index

    def fold_row(
        self, row: Index, span: Span, state: Sequence[Vector], combine: Combine
    ) -> list[Vector]:
        """The state after every cell of one row of the window."""
        code, f = self.code, self.fields
        start = code.pointer(self.x + code.integer(row) * f.row_step * FLOAT_BYTES)

        def turn(column: Index, state: list[Vector]) -> list[Vector]:
            cell = code.at(start, code.integer(column) * f.column_step)
            return [combine(s, x) for s, x in zip(state, span.load(cell), strict=True)]

        return _fold(code, self.columns, state, turn)


def _fold(
    code: Code,
    count: Index,
    state: Sequence[Vector],
    turn: Callable[[Index, list[Vector]], list[Vector]],
) -> list[Vector]:
    """The state after `count` turns: a loop, or one after the other where they are known here."""
    if not isinstance(count, int):
        return code.loop(0, count, 1, state, turn)
    after = list(state)
    for i in range(count):
        after = turn(i, after)
    return after


Reduce = Callable[[_Cells, Span], list[Vector]]
"""From the cells of a window to one vector for each vector of the span."""
Finish = Callable[[_Cells, Span, list[Vector], Vector], list[Vector]]
"""From the cells, the span, the reduced vectors and the window's divisor to the output."""


def _largest(cells: _Cells, span: Span) -> list[Vector]:
    """The largest cell; NaN where there is one."""

    def larger(largest: Vector, x: Vector) -> Vector:
        # The first part keeps a NaN in `largest`, the second takes over one in `x`.
        return (x <= math.inf).select(largest.at_least(x), x)

    def turn(row: Index, state: list[Vector]) -> list[Vector]:
        return cells.fold_row(row, span, state, larger)

    start = [span.code.vector(-math.inf)] * span.vectors
    return _fold(span.code, cells.rows, start, turn)


def _total(
    cells: _Cells, span: Span, function: Callable[[Vector], Vector] = lambda x: x
) -> list[Vector]:
    """
    The sum of all cells, or of a function of them.

    Summed row by row, which keeps rounding errors of large windows small.
    """
    zeros = [span.code.vector(0.0)] * span.vectors

    def turn(row: Index, state: list[Vector]) -> list[Vector]:
        sums = cells.fold_row(row, span, zeros, lambda total, x: total + function(x))
        return [total + s for total, s in zip(state, sums, strict=True)]

    return _fold(span.code, cells.rows, zeros, turn)


def _as_it_is(cells: _Cells, span: Span, vectors: list[Vector], divisor: Vector) -> list[Vector]:
    return vectors


def _mean(cells: _Cells, span: Span, vectors: list[Vector], divisor: Vector) -> list[Vector]:
    return [total / divisor for total in vectors]


def _weighted(cells: _Cells, span: Span, vectors: list[Vector], divisor: Vector) -> list[Vector]:
    weight, bias = (cells.code.pointer(p) for p in (cells.fields.weight, cells.fields.bias))
    numbers = zip(vectors, span.load(weight), span.load(bias), strict=True)
    return [x.fma(w, b) for x, w, b in numbers]


def _pooling(reduce: Reduce, finish: Finish, rows: int, columns: int) -> Any:
    """A kernel for windows of that many rows and columns, or, where they are 0, for any windows."""

    @emits(_LANES)
    def pool(code: Code, args: Value, begin: Value, end: Value) -> None:
        f = read_fields(code, args, PoolFields)
        bounds = Bounds.of(code, f)

        def unit(image: Int, row: Int) -> None:
            down = _window(code, f.row_windows, row)
            x_row = f.x + (image * f.x_image + down.first * f.x_row) * FLOAT_BYTES
            y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES

            def pixels(start: Index, stop: Index, floats: Index) -> None:
                """Pool those pixels, `floats` of each: its maps, or more, overwritten next."""

                def pixel(column: Value, _state: object) -> tuple[()]:
                    across = _window(code, f.column_windows, code.integer(column))
                    x = x_row + across.first * f.x_pixel * FLOAT_BYTES
                    y = code.pointer(y_row + code.integer(column) * f.y_pixel * FLOAT_BYTES)
                    cells = _Cells(code, f, x, rows or down.cells, columns or across.cells)
                    divisor = rows * columns or _product(down.divisor, across.divisor)

                    def pool_span(span: Span) -> None:
                        vectors = finish(cells, span, reduce(cells, span), code.vector(divisor))
                        span.store([bounds.clamp(v) for v in vectors], y)

                    over_row(code, floats, pool_span, widths=(4, 1))
                    return ()

                code.loop(start, stop, 1, (), pixel)

            pixels(0, f.whole, code.lanes)
            pixels(f.whole, f.columns, f.maps)
            activate_row(code, f, y_row)

        over_units(code, begin, end, f.rows, unit)

    def kernel(args: int, begin: int, end: int, scratch: int) -> None:
        pool(args, begin, end)

    return kernel


def _product(a: Int, b: Int) -> Value:
    """The product of two integers as a float."""
    return a.builder.sitofp((a * b).value, FLOAT)


def _window(code: Code, table: Int, number: Int) -> AxisWindow:
    words = len(AxisWindow._fields)
    return AxisWindow(*[constant(code, table, number * words + i) for i in range(words)])


def max_pool(rows: int, columns: int) -> Any:
    """The kernel that takes the largest cell of each window."""
    return _pooling(_largest, _as_it_is, rows, columns)


def avg_pool(rows: int, columns: int) -> Any:
    """The kernel that takes the mean of each window's cells."""
    return _pooling(_total, _mean, rows, columns)


def subsample(rows: int, columns: int) -> Any:
    """The kernel that takes a multiple of the sum of each window's cells, plus a bias."""
    return _pooling(_total, _weighted, rows, columns)


def lp_pool(rows: int, columns: int, p: float) -> Any:
    """The kernel that takes the p-norm of each window."""

    def total(cells: _Cells, span: Span) -> list[Vector]:
        return _total(cells, span, lambda x: _power(x.abs(), p))

    def root(cells: _Cells, span: Span, vectors: list[Vector], divisor: Vector) -> list[Vector]:
        return [_power(total, 1.0 / p) for total in vectors]

    return _pooling(total, root, rows, columns)


def _power(x: Vector, exponent: float) -> Vector:
    """x ^ exponent, for x of at least 0."""
    if exponent in (1.0, 2.0):
        return x if exponent == 1.0 else x * x
    return x.sqrt() if exponent == 0.5 else x.code.call("llvm.pow", x, exponent)
