"""
Neighbours that a thread takes at a time, as a tuple: one cell, or four in a load of 128 bits.

A kernel is written once for both; its factory is given how many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cnndsl.backends.cuda.kernels.code import Code, Memory, Number, Place, emits
from cnndsl.backends.cuda.kernels.device_code import inlined

Cells = tuple[float, ...]


def loader(width: int) -> Callable[[Any, int], Cells]:
    """`load(memory, start)` of so many neighbours; four start at a multiple of four."""

    @emits(results=width)
    def load(code: Code, memory: Memory, start: Place) -> list[Number]:
        return code.load(memory, start, 0, width)

    return load


@emits()
def store(code: Code, memory: Memory, start: Place, cells: list[Number]) -> None:
    """Write neighbours; four start at a multiple of four."""
    code.store(cells, memory, start, 0)


def each(function: Callable[[float, float, float], float], width: int) -> Callable[..., Cells]:
    """`function(cell, alpha, beta)` of every one of so many cells."""

    @inlined
    def of_one(x: Cells, alpha: float, beta: float) -> Cells:
        return (function(x[0], alpha, beta),)

    @inlined
    def of_four(x: Cells, alpha: float, beta: float) -> Cells:
        return (
            function(x[0], alpha, beta),
            function(x[1], alpha, beta),
            function(x[2], alpha, beta),
            function(x[3], alpha, beta),
        )

    return {1: of_one, 4: of_four}[width]


def pairwise(function: Callable[[float, float], float], width: int) -> Callable[..., Cells]:
    """`function(a, b)` of every pair of two times so many cells."""

    @inlined
    def of_one(a: Cells, b: Cells) -> Cells:
        return (function(a[0], b[0]),)

    @inlined
    def of_four(a: Cells, b: Cells) -> Cells:
        return (
            function(a[0], b[0]),
            function(a[1], b[1]),
            function(a[2], b[2]),
            function(a[3], b[3]),
        )

    return {1: of_one, 4: of_four}[width]


@inlined
def plus(a: float, b: float) -> float:
    """A sum."""
    return a + b


@inlined
def times(a: float, b: float) -> float:
    """A product."""
    return a * b
