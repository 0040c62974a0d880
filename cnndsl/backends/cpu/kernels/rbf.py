"""Distances to centres: see lowering/rbf.py for the fields."""

from typing import Any

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.bounds import Bounds
from cnndsl.backends.cpu.kernels.pixels import FLOAT_BYTES, activate_row, over_units
from cnndsl.backends.cpu.kernels.spans import Span, fold_row
from cnndsl.backends.cpu.lowering.rbf import RbfFields
from cnndsl.backends.cpu.memory import read_fields
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import Vector

_LANES = Target.host().lanes
_VECTORS = 4


def _distances(*, euclidean: bool) -> Any:
    @emits(_LANES)
    def distances(code: Code, args: Value, begin: Value, end: Value) -> None:
        f = read_fields(code, args, RbfFields)
        bounds = Bounds.of(code, f)

        def unit(image: Int, _row: Int) -> None:
            x = code.pointer(f.x + image * f.x_image * FLOAT_BYTES)
            y_row = f.y + image * f.y_image * FLOAT_BYTES

            def distance(number: Value, _state: object) -> tuple[()]:
                weight = code.at(code.pointer(f.weight), code.integer(number) * f.features)
                total = code.vector(_squared(code, f, x, weight))
                total = bounds.clamp(total.sqrt() if euclidean else total)
                code.store_first(total, code.pointer(y_row), number, 1)
                return ()

            code.loop(0, f.maps, 1, (), distance)
            activate_row(code, f, y_row)

        over_units(code, begin, end, code.integer(1), unit)

    return distances


def _squared(code: Code, f: Any, x: Value, weight: Value) -> Value:
    """The sum of squared differences of two rows, in several sums side by side."""

    def add(span: Span, sums: list[Vector]) -> list[Vector]:
        pairs = zip(span.load(x), span.load(weight), strict=True)
        differences = [a - b for a, b in pairs]
        added = [d.fma(d, total) for d, total in zip(differences, sums, strict=False)]
        return [*added, *sums[len(added) :]]

    zeros = [code.vector(0.0)] * _VECTORS
    first, *others = fold_row(code, f.features, zeros, add, widths=(_VECTORS, 1))
    for other in others:
        first = first + other
    return first.sum()


_squared_distance = _distances(euclidean=False)
_euclidean_distance = _distances(euclidean=True)


def squared_distance(args: int, begin: int, end: int, scratch: int) -> None:
    """The squared distance to each centre."""
    _squared_distance(args, begin, end)


def euclidean_distance(args: int, begin: int, end: int, scratch: int) -> None:
    """The distance to each centre."""
    _euclidean_distance(args, begin, end)
