"""
Activation functions in place: `function(pointer, rows, count, row_stride)`.

They rewrite `rows` rows of `count` floats, `row_stride` floats apart. Kernels call one on the rows
that they have just written, while those are in the nearest cache.
"""

from collections.abc import Callable
from typing import Any

from cnndsl.backends.cpu.kernels import vector_math
from cnndsl.backends.cpu.kernels.spans import Span, over_row
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import Code, Value, Vector, emits

_LANES = Target.host().lanes


def _in_place(function: Callable[[Vector], Vector]) -> Any:
    @emits(_LANES)
    def apply(code: Code, address: Value, rows: Value, count: Value, row_stride: Value) -> None:
        pointer = code.pointer(address)

        def turn(i: Value, _state: object) -> tuple[()]:
            row = code.at(pointer, code.integer(i) * code.integer(row_stride))

            def body(span: Span) -> None:
                span.store([function(x) for x in span.load(row)], row)

            over_row(code, count, body, widths=(2, 1))
            return ()

        code.loop(0, rows, 1, (), turn)

    return apply


_tanh = _in_place(vector_math.tanh)
_scaled_tanh = _in_place(vector_math.scaled_tanh)
_sigmoid = _in_place(vector_math.sigmoid)


def tanh(address: int, rows: int, count: int, row_stride: int) -> None:
    """The hyperbolic tangent."""
    _tanh(address, rows, count, row_stride)


def scaled_tanh(address: int, rows: int, count: int, row_stride: int) -> None:
    """1.7159 tanh(2x/3)."""
    _scaled_tanh(address, rows, count, row_stride)


def sigmoid(address: int, rows: int, count: int, row_stride: int) -> None:
    """The logistic function."""
    _sigmoid(address, rows, count, row_stride)
