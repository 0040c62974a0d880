"""What becomes of a sum: bias, shortcut, activation, and its way into memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from cnndsl.backends.cuda.kernels.device_code import Floats, inlined
from cnndsl.backends.cuda.kernels.epilogue import activation_function
from cnndsl.backends.cuda.kernels.loads import quad, store_quad


class Finish(Protocol):
    """
    What a kernel's shape says of it.

    `addend` has the places of y, and is read where `adds` is 1.
    """

    @property
    def adds(self) -> int: ...

    @property
    def alpha(self) -> float: ...

    @property
    def beta(self) -> float: ...


class Finishers(NamedTuple):
    """
    `cell(sum, o, place, bias, addend, y, shape)` writes `activated(sum + bias[o] + addend[place])`.

    `quad(four sums, o, place, ...)` does so with four neighbours, whose places divide by 4.
    """

    cell: Callable[..., None]
    quad: Callable[..., None]


def finishers(activation: str) -> Finishers:
    """Both, for one activation function."""
    activated: Any = activation_function(activation)

    @inlined
    def finish_cell(
        value: float, o: int, place: int, bias: Floats, addend: Floats, y: Floats, shape: Finish
    ) -> None:
        value += bias[o]
        if shape.adds:
            value += addend[place]
        y[place] = activated(value, shape.alpha, shape.beta)

    @inlined
    def finish_quad(
        sums: tuple[float, float, float, float],
        o: int,
        place: int,
        bias: Floats,
        addend: Floats,
        y: Floats,
        shape: Finish,
    ) -> None:
        a, b, c, d = sums
        e, f, g, h = quad(bias, o)
        a, b, c, d = a + e, b + f, c + g, d + h
        if shape.adds:
            e, f, g, h = quad(addend, place)
            a, b, c, d = a + e, b + f, c + g, d + h
        a = activated(a, shape.alpha, shape.beta)
        b = activated(b, shape.alpha, shape.beta)
        c = activated(c, shape.alpha, shape.beta)
        d = activated(d, shape.alpha, shape.beta)
        store_quad(y, place, a, b, c, d)

    return Finishers(finish_cell, finish_quad)
