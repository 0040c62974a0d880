"""Normalization by an image's own statistics: see lowering/normalise.py for the fields."""

from collections.abc import Callable
from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES, activate_row, over_units
from cnndsl.backends.cpu.kernels.spans import Span, fold_row, over_row
from cnndsl.backends.cpu.lowering.normalise import NormaliseFields
from cnndsl.backends.cpu.memory import read_fields
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import FLOAT, Vector

_LANES = Target.host().lanes


@emits(_LANES)
def _normalise_pixels(code: Code, args: Value, begin: Value, end: Value) -> None:
    f = read_fields(code, args, NormaliseFields)

    def unit(image: Int, row: Int) -> None:
        def pixel(x: Value, y: Value, weight: Value, bias: Value) -> None:
            count = _float(code, f.maps)
            mean = _sum(code, f.maps, x, lambda v: v) / count
            variance = _sum(code, f.maps, x, lambda v: (v - mean) * (v - mean)) / count
            deviation = _deviation(code, f, variance)

            def apply(span: Span) -> None:
                _finish(span, f, (span.load(x)[0] - mean) / deviation, y, weight, bias)

            over_row(code, f.maps, apply)

        _over_row_of_pixels(code, f, image, row, pixel)

    over_units(code, begin, end, f.rows, unit)


@emits(_LANES)
def _normalise_groups(code: Code, args: Value, begin: Value, end: Value, scratch: Value) -> None:
    """In three passes over an image; means and deviations, a map each, are kept in the scratch."""
    f = read_fields(code, args, NormaliseFields)
    means = code.pointer(scratch)
    deviations = code.at(means, f.maps)

    def unit(image: Int, _row: Int) -> None:
        x = code.at(code.pointer(f.x), image * f.x_image)
        _mean_of_cells(code, f, x, means, lambda v, _: v)
        _share_in_groups(code, f, means)
        _mean_of_cells(code, f, x, deviations, lambda v, mean: (v - mean) * (v - mean), means)
        _share_in_groups(code, f, deviations)

        def root(span: Span) -> None:
            span.store([_deviation(code, f, v) for v in span.load(deviations, 1.0)], deviations)

        over_row(code, f.maps, root)

        def row(number: Value, _state: object) -> tuple[()]:
            def pixel(x: Value, y: Value, weight: Value, bias: Value) -> None:
                def apply(span: Span) -> None:
                    (cell,), (mean,) = span.load(x), span.load(means)
                    (deviation,) = span.load(deviations, 1.0)
                    _finish(span, f, (cell - mean) / deviation, y, weight, bias)

                over_row(code, f.maps, apply)

            _over_row_of_pixels(code, f, image, code.integer(number), pixel)
            return ()

        code.loop(0, f.rows, 1, (), row)

    over_units(code, begin, end, code.integer(1), unit)


def _mean_of_cells(
    code: Code,
    f: Any,
    x: Value,
    result: Value,
    function: Callable[[Vector, Vector], Vector],
    means: Value | None = None,
) -> None:
    """For each map the mean of `function(cell, the map's mean)` over all pixels."""
    count = _float(code, f.rows * f.columns)

    def maps(span: Span) -> None:
        (mean,) = span.load(means) if means is not None else [code.vector(0.0)]

        def row(i: Value, total: list[Vector]) -> list[Vector]:
            start = code.at(x, code.integer(i) * f.x_row)

            def column(j: Value, state: list[Vector]) -> list[Vector]:
                (cell,) = span.load(code.at(start, code.integer(j) * f.x_pixel))
                return [state[0] + function(cell, mean)]

            (of_row,) = code.loop(0, f.columns, 1, [code.vector(0.0)], column)
            return [total[0] + of_row]

        (total,) = code.loop(0, f.rows, 1, [code.vector(0.0)], row)
        span.store([total / count], result)

    over_row(code, f.maps, maps)


def _share_in_groups(code: Code, f: Any, numbers: Value) -> None:
    """Put the mean of each group's numbers, one a map, in the place of each of them."""

    def group(i: Value, _state: object) -> tuple[()]:
        start = code.at(numbers, code.integer(i) * f.group)
        mean = _sum(code, f.group, start, lambda v: v) / _float(code, f.group)
        over_row(code, f.group, lambda span: span.store([mean], start))
        return ()

    code.loop(0, f.maps // f.group, 1, (), group)


def _sum(code: Code, count: Int, row: Value, function: Callable[[Vector], Vector]) -> Vector:
    """The sum of `function` over a row of floats, in every lane."""

    def add(span: Span, state: list[Vector]) -> list[Vector]:
        value = function(span.load(row)[0])
        return [state[0] + (value if span.mask is None else span.mask.select(value, 0.0))]

    (sums,) = fold_row(code, count, [code.vector(0.0)], add)
    return code.vector(sums.sum())


def _over_row_of_pixels(
    code: Code,
    f: Any,
    image: Int,
    row: Int,
    body: Callable[[Value, Value, Value, Value], None],
) -> None:
    """Emit `body(x, y, weight, bias)`, pointers to a pixel's maps, and the activation."""
    x_row = f.x + (image * f.x_image + row * f.x_row) * FLOAT_BYTES
    y_row = f.y + (image * f.y_image + row * f.y_row) * FLOAT_BYTES

    def pixel(column: Value, _state: object) -> tuple[()]:
        number = code.integer(column)
        x = code.at(code.pointer(x_row), number * f.x_pixel)
        y = code.at(code.pointer(y_row), number * f.y_pixel)
        at = row * f.weight_row + number * f.weight_pixel
        body(x, y, code.at(code.pointer(f.weight), at), code.at(code.pointer(f.bias), at))
        return ()

    code.loop(0, f.columns, 1, (), pixel)
    activate_row(code, f, y_row)


def _finish(span: Span, f: Any, value: Vector, y: Value, weight: Value, bias: Value) -> None:
    """Weigh a normalized vector and write it."""
    (w,), (b,) = span.load(weight), span.load(bias)
    span.store([Bounds.of(span.code, f).clamp(value.fma(w, b))], y)


def _deviation(code: Code, f: Any, variance: Vector) -> Vector:
    return (variance + code.vector(code.float_field(f.epsilon))).sqrt()


def _float(code: Code, number: Int) -> Vector:
    return code.vector(code.builder.sitofp(number.value, FLOAT))


def normalise_pixels(args: int, begin: int, end: int, scratch: int) -> None:
    """Each pixel's maps less their mean, by their deviation."""
    _normalise_pixels(args, begin, end)


def normalise_groups(args: int, begin: int, end: int, scratch: int) -> None:
    """Each group of maps less its mean, by its deviation."""
    _normalise_groups(args, begin, end, scratch)
