"""Softmax over the maps of each pixel: see lowering/softmax.py for the fields."""

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernels.pixels import over_pixels
from cnndsl.backends.cpu.kernels.spans import Span, fold_row, over_row
from cnndsl.backends.cpu.kernels.vector_math import exp
from cnndsl.backends.cpu.lowering.softmax import SoftmaxFields
from cnndsl.backends.cpu.memory import read_fields
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import FLOAT, Vector

_LANES = Target.host().lanes


Finish = Callable[[Code, Int, Value, Value], None]
"""Emit, from a pixel's maps at x, its result at y."""


def _over_all_pixels(finish: Finish) -> Any:
    @emits(_LANES)
    def apply(code: Code, args: Value, begin: Value, end: Value) -> None:
        f = read_fields(code, args, SoftmaxFields)
        over_pixels(code, f, begin, end, lambda x, y: finish(code, f.maps, x, y))

    return apply


def _highest(code: Code, maps: Int, x: Value) -> Vector:
    """A pixel's largest map, in every lane. A NaN may be overlooked."""

    def larger(span: Span, state: list[Vector]) -> list[Vector]:
        (values,) = span.load(x, -math.inf)
        return [values.at_least(state[0])]

    (largest,) = fold_row(code, maps, [code.vector(-math.inf)], larger)
    return code.vector(largest.maximum())


def _normalised(code: Code, maps: Int, x: Value, y: Value) -> None:
    """The softmax of one pixel. A NaN in it reaches all its maps through the sum."""
    highest = _highest(code, maps, x)

    def raised(span: Span, state: list[Vector]) -> list[Vector]:
        (values,) = span.load(x, -math.inf)
        powers = exp(values - highest)
        span.store([powers], y)
        return [state[0] + powers]

    (sums,) = fold_row(code, maps, [code.vector(0.0)], raised)
    total = code.vector(sums.sum())
    over_row(code, maps, lambda span: span.store([p / total for p in span.load(y)], y))


def _logarithm(code: Code, maps: Int, x: Value, y: Value) -> None:
    """The logarithm of the softmax of one pixel, without taking the logarithm of a quotient."""
    highest = _highest(code, maps, x)

    def raised(span: Span, state: list[Vector]) -> list[Vector]:
        (values,) = span.load(x, -math.inf)
        return [state[0] + exp(values - highest)]

    (sums,) = fold_row(code, maps, [code.vector(0.0)], raised)
    logarithm = code.vector(_log(code, sums.sum()))
    over_row(
        code, maps, lambda span: span.store([v - highest - logarithm for v in span.load(x)], y)
    )


def _log(code: Code, value: Value) -> Value:
    """The natural logarithm of one float32."""
    kind = ir.FunctionType(FLOAT, [FLOAT])
    return code.builder.call(code.declare(kind, "llvm.log.f32"), [value])


_softmax = _over_all_pixels(_normalised)
_log_softmax = _over_all_pixels(_logarithm)


def softmax(args: int, begin: int, end: int, scratch: int) -> None:
    """Each pixel's maps as probabilities."""
    _softmax(args, begin, end)


def log_softmax(args: int, begin: int, end: int, scratch: int) -> None:
    """Each pixel's maps as logarithms of probabilities."""
    _log_softmax(args, begin, end)
