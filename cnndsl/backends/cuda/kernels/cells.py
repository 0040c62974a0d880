"""Functions of one cell, and of the cells of two tensors in the same place."""

from collections.abc import Callable

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.device_code import Floats, quotient
from cnndsl.backends.cuda.kernels.epilogue import activation_function
from cnndsl.backends.cuda.shapes.cells import CellsShape


def elementwise_kernel(activation: str) -> Callable[..., None]:
    """`y = activation(x)`; y may be x's memory."""
    activated = activation_function(activation)

    def elementwise(x: Floats, y: Floats, shape: CellsShape) -> None:
        i = cuda.grid(1)
        while i < shape.cells:
            y[i] = activated(x[i], shape.alpha, shape.beta)
            i += cuda.gridsize(1)

    return elementwise


def affine_kernel(activation: str) -> Callable[..., None]:
    """`y = x * weight + bias`; y may be x's memory."""
    activated = activation_function(activation)

    def affine(x: Floats, weight: Floats, bias: Floats, y: Floats, shape: CellsShape) -> None:
        i = cuda.grid(1)
        while i < shape.cells:
            at = i - quotient(i, shape.period) * shape.period
            y[i] = activated(x[i] * weight[at] + bias[at], shape.alpha, shape.beta)
            i += cuda.gridsize(1)

    return affine


def prelu_kernel(activation: str) -> Callable[..., None]:
    """`y = x`, and below 0 `x * weight`; y may be x's memory."""
    activated = activation_function(activation)

    def prelu(x: Floats, weight: Floats, y: Floats, shape: CellsShape) -> None:
        i = cuda.grid(1)
        while i < shape.cells:
            at = i - quotient(i, shape.period) * shape.period
            cell = x[i]
            sloped = cell * weight[at] if cell < float32(0) else cell
            y[i] = activated(sloped, shape.alpha, shape.beta)
            i += cuda.gridsize(1)

    return prelu


def add_kernel(activation: str) -> Callable[..., None]:
    """`y = a + b`; y may be the memory of either."""
    activated = activation_function(activation)

    def add(a: Floats, b: Floats, y: Floats, shape: CellsShape) -> None:
        i = cuda.grid(1)
        while i < shape.cells:
            y[i] = activated(a[i] + b[i], shape.alpha, shape.beta)
            i += cuda.gridsize(1)

    return add
