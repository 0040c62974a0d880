"""Local response normalization."""

from collections.abc import Callable

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.device_code import Floats, quotient
from cnndsl.backends.cuda.kernels.epilogue import activation_function
from cnndsl.backends.cuda.kernels.powers import inverse_power_of
from cnndsl.backends.cuda.shapes.normalise import LrnShape


def lrn_kernel(exponent: float, activation: str) -> Callable[..., None]:
    """`y[c] = x[c] * (k + scale * sum of squares around c) ^ -exponent`, pixel by pixel."""
    activated, inverse_power = activation_function(activation), inverse_power_of(exponent)

    def lrn(x: Floats, y: Floats, shape: LrnShape) -> None:
        i = cuda.grid(1)
        while i < shape.cells:
            pixel = quotient(i, shape.maps) * shape.maps
            c = i - pixel
            squares = float32(0)
            for near in range(max(c - shape.lower, 0), min(c + shape.upper + 1, shape.maps)):
                squares += x[pixel + near] * x[pixel + near]
            cell = x[i] * inverse_power(shape.k + shape.scale * squares)
            y[i] = activated(cell, shape.alpha, shape.beta)
            i += cuda.gridsize(1)

    return lrn
