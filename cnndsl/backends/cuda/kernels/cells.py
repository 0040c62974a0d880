"""
Functions of one cell, and of the cells of two tensors in the same place.

A thread takes `width` neighbours at a time, 1 or 4. `y` may be the memory of an operand.
"""

from collections.abc import Callable

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.device_code import Floats, inlined, quotient
from cnndsl.backends.cuda.kernels.epilogue import activation_function
from cnndsl.backends.cuda.kernels.neighbours import each, loader, pairwise, plus, store, times
from cnndsl.backends.cuda.shapes.cells import CellsShape


def elementwise_kernel(width: int, activation: str) -> Callable[..., None]:
    """`y = activation(x)`."""
    activated, load = each(activation_function(activation), width), loader(width)

    def elementwise(x: Floats, y: Floats, shape: CellsShape) -> None:
        i = cuda.grid(1) * width
        while i < shape.cells:
            store(y, i, activated(load(x, i), shape.alpha, shape.beta))
            i += cuda.gridsize(1) * width

    return elementwise


def affine_kernel(width: int, activation: str) -> Callable[..., None]:
    """`y = x * weight + bias`."""
    activated, load = each(activation_function(activation), width), loader(width)
    scaled, shifted = pairwise(times, width), pairwise(plus, width)

    def affine(x: Floats, weight: Floats, bias: Floats, y: Floats, shape: CellsShape) -> None:
        i = cuda.grid(1) * width
        while i < shape.cells:
            at = i - quotient(i, shape.period) * shape.period
            cells = shifted(scaled(load(x, i), load(weight, at)), load(bias, at))
            store(y, i, activated(cells, shape.alpha, shape.beta))
            i += cuda.gridsize(1) * width

    return affine


@inlined
def _sloped(cell: float, weight: float) -> float:
    return cell * weight if cell < float32(0) else cell


def prelu_kernel(width: int, activation: str) -> Callable[..., None]:
    """`y = x`, and below 0 `x * weight`."""
    activated, load = each(activation_function(activation), width), loader(width)
    sloped = pairwise(_sloped, width)

    def prelu(x: Floats, weight: Floats, y: Floats, shape: CellsShape) -> None:
        i = cuda.grid(1) * width
        while i < shape.cells:
            at = i - quotient(i, shape.period) * shape.period
            cells = sloped(load(x, i), load(weight, at))
            store(y, i, activated(cells, shape.alpha, shape.beta))
            i += cuda.gridsize(1) * width

    return prelu


def add_kernel(width: int, activation: str) -> Callable[..., None]:
    """`y = a + b`."""
    activated, load = each(activation_function(activation), width), loader(width)
    added = pairwise(plus, width)

    def add(a: Floats, b: Floats, y: Floats, shape: CellsShape) -> None:
        i = cuda.grid(1) * width
        while i < shape.cells:
            store(y, i, activated(added(load(a, i), load(b, i)), shape.alpha, shape.beta))
            i += cuda.gridsize(1) * width

    return add
