"""Products of two tensors, cell by cell, where an axis of one cell goes with all of the other's."""

from collections.abc import Callable

from numba import cuda

from cnndsl.backends.cuda.kernels.device_code import Floats, coordinates
from cnndsl.backends.cuda.kernels.epilogue import activation_function
from cnndsl.backends.cuda.kernels.neighbours import each, loader, pairwise, store, times
from cnndsl.backends.cuda.shapes.multiply import MultiplyShape


def multiply_kernel(width: int, activation: str) -> Callable[..., None]:
    """
    `y = a * b`; y may be the memory of one that has its shape.

    A thread takes `width` maps at a time; where that is 4, both operands have all of y's maps.
    """
    activated, load = each(activation_function(activation), width), loader(width)
    multiplied = pairwise(times, width)

    def multiply(a: Floats, b: Floats, y: Floats, shape: MultiplyShape) -> None:
        i = cuda.grid(1) * width
        while i < shape.cells:
            image, row, column, c = coordinates(i, shape.height, shape.width, shape.maps)
            at_a = image * shape.a_image + row * shape.a_row
            at_a += column * shape.a_pixel + c * shape.a_map
            at_b = image * shape.b_image + row * shape.b_row
            at_b += column * shape.b_pixel + c * shape.b_map
            cells = multiplied(load(a, at_a), load(b, at_b))
            store(y, i, activated(cells, shape.alpha, shape.beta))
            i += cuda.gridsize(1) * width

    return multiply
