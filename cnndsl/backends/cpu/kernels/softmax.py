"""Softmax over the maps of each pixel: see lowering/softmax.py for the fields."""

import math

from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.kernels.pixels import over_pixels
from cnndsl.backends.cpu.kernels.spans import Span, fold_row, over_row
from cnndsl.backends.cpu.kernels.vector_math import exp
from cnndsl.backends.cpu.lowering.softmax import SoftmaxFields
from cnndsl.backends.cpu.memory import read_fields
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import Code, Vector, emits

_LANES = Target.host().lanes


@emits(_LANES)
def _softmax(code: Code, args: Value, begin: Value, end: Value) -> None:
    f = read_fields(code, args, SoftmaxFields)

    over_pixels(code, f, begin, end, lambda x, y: _normalise(code, f.maps, x, y))


def _normalise(code: Code, maps: Int, x: Value, y: Value) -> None:
    """The softmax of one pixel. A NaN in it reaches all its maps through the sum."""

    def larger(span: Span, state: list[Vector]) -> list[Vector]:
        (values,) = span.load(x, -math.inf)
        return [values.at_least(state[0])]

    (largest,) = fold_row(code, maps, [code.vector(-math.inf)], larger)
    highest = code.vector(largest.maximum())

    def raised(span: Span, state: list[Vector]) -> list[Vector]:
        (values,) = span.load(x, -math.inf)
        powers = exp(values - highest)
        span.store([powers], y)
        return [state[0] + powers]

    (sums,) = fold_row(code, maps, [code.vector(0.0)], raised)
    total = code.vector(sums.sum())
    over_row(code, maps, lambda span: span.store([p / total for p in span.load(y)], y))


def softmax(args: int, begin: int, end: int, scratch: int) -> None:
    """Each pixel's maps as probabilities."""
    _softmax(args, begin, end)
