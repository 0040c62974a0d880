"""
Windows that slide over each map by themselves.

A pool is what it starts from, how it takes a cell in, and how it finishes. A cell of y, or those of
four neighbouring maps, are one thread's, which walks over its window row by row; a whole map is
walked over by several.
"""

import math
from collections.abc import Callable

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.device_code import Floats, Ints, coordinates, inlined
from cnndsl.backends.cuda.kernels.epilogue import activation_function
from cnndsl.backends.cuda.kernels.neighbours import (
    Cells,
    each,
    loader,
    pairwise,
    plus,
    store,
    times,
)
from cnndsl.backends.cuda.kernels.powers import power_of, root_of
from cnndsl.backends.cuda.kernels.reduce import largest, total
from cnndsl.backends.cuda.shapes.pool import PoolShape, WholeShape

Take = Callable[[float, float], float]
Reduce = Callable[[Floats, int, int, int, int, PoolShape], Cells]


@inlined
def _larger(reduced: float, cell: float) -> float:
    return cell if cell > reduced else reduced


def _sum_of(function: Callable[[float], float]) -> Take:
    @inlined
    def add(reduced: float, cell: float) -> float:
        return reduced + function(cell)

    return add


def _over_windows(start: float, take: Take, width: int) -> Reduce:
    """
    The helper that takes in the cells of a window that are inside the image, row by row.

    It does so for `width` maps at a time.
    """
    starts = (float32(start),) * width
    load, taken = loader(width), pairwise(take, width)

    @inlined
    def reduced(x: Floats, image: int, row: int, column: int, c: int, shape: PoolShape) -> Cells:
        top = row * shape.stride_down - shape.padding_top
        left = column * shape.stride_across - shape.padding_left
        cells = starts
        for u in range(shape.kernel_height):
            x_row = top + u * shape.dilation_down
            if x_row >= 0 and x_row < shape.x_height:
                first = (image * shape.x_height + x_row) * shape.x_width
                for v in range(shape.kernel_width):
                    x_column = left + v * shape.dilation_across
                    if x_column >= 0 and x_column < shape.x_width:
                        cells = taken(cells, load(x, (first + x_column) * shape.maps + c))
        return cells

    return reduced


def max_pool_kernel(width: int, activation: str) -> Callable[..., None]:
    """`y = max(window)`; cells outside the image never win."""
    activated = each(activation_function(activation), width)
    reduced = _over_windows(-math.inf, _larger, width)

    def max_pool(x: Floats, y: Floats, shape: PoolShape) -> None:
        i = cuda.grid(1) * width
        while i < shape.cells:
            image, row, column, c = coordinates(i, shape.height, shape.width, shape.maps)
            cells = reduced(x, image, row, column, c, shape)
            store(y, i, activated(cells, shape.alpha, shape.beta))
            i += cuda.gridsize(1) * width

    return max_pool


@inlined
def _divided(cell: float, divisor: float, unused: float) -> float:
    return cell / divisor


def avg_pool_kernel(width: int, activation: str) -> Callable[..., None]:
    """`y = sum(window) / (rows[i] * columns[j])`: how many rows and columns of a window count."""
    activated, divided = each(activation_function(activation), width), each(_divided, width)
    reduced = _over_windows(0.0, plus, width)

    def avg_pool(x: Floats, rows: Ints, columns: Ints, y: Floats, shape: PoolShape) -> None:
        i = cuda.grid(1) * width
        while i < shape.cells:
            image, row, column, c = coordinates(i, shape.height, shape.width, shape.maps)
            cells = reduced(x, image, row, column, c, shape)
            means = divided(cells, float32(rows[row] * columns[column]), float32(0))
            store(y, i, activated(means, shape.alpha, shape.beta))
            i += cuda.gridsize(1) * width

    return avg_pool


def lp_pool_kernel(p: float, width: int, activation: str) -> Callable[..., None]:
    """`y = sum(|window|^p) ^ (1 / p)`."""
    root = root_of(p)

    @inlined
    def rooted(cell: float, unused: float, either: float) -> float:
        return root(cell)

    activated, roots = each(activation_function(activation), width), each(rooted, width)
    reduced = _over_windows(0.0, _sum_of(power_of(p)), width)

    def lp_pool(x: Floats, y: Floats, shape: PoolShape) -> None:
        i = cuda.grid(1) * width
        while i < shape.cells:
            image, row, column, c = coordinates(i, shape.height, shape.width, shape.maps)
            cells = roots(reduced(x, image, row, column, c, shape), shape.alpha, shape.beta)
            store(y, i, activated(cells, shape.alpha, shape.beta))
            i += cuda.gridsize(1) * width

    return lp_pool


def subsample_kernel(width: int, activation: str) -> Callable[..., None]:
    """`y = bias + weight * sum(window)`, with a weight and a bias a map."""
    activated, load = each(activation_function(activation), width), loader(width)
    reduced = _over_windows(0.0, plus, width)
    scaled, shifted = pairwise(times, width), pairwise(plus, width)

    def subsample(x: Floats, weight: Floats, bias: Floats, y: Floats, shape: PoolShape) -> None:
        i = cuda.grid(1) * width
        while i < shape.cells:
            image, row, column, c = coordinates(i, shape.height, shape.width, shape.maps)
            cells = scaled(reduced(x, image, row, column, c, shape), load(weight, c))
            store(y, i, activated(shifted(cells, load(bias, c)), shape.alpha, shape.beta))
            i += cuda.gridsize(1) * width

    return subsample


def global_max_pool_kernel(maps: int, lanes: int, activation: str) -> Callable[..., None]:
    """The largest cell of each map. A block has `lanes` threads for each of `maps` maps."""
    activated, threads = activation_function(activation), maps * lanes

    def global_max_pool(x: Floats, y: Floats, shape: WholeShape) -> None:
        parts = cuda.shared.array(threads, float32)
        lane, place = cuda.threadIdx.y, cuda.threadIdx.x * lanes + cuda.threadIdx.y
        c, image = cuda.blockIdx.x * maps + cuda.threadIdx.x, cuda.blockIdx.y
        part = float32(-math.inf)
        if c < shape.maps:
            for pixel in range(lane, shape.pixels, lanes):
                part = _larger(part, x[(image * shape.pixels + pixel) * shape.maps + c])
        parts[place] = part
        largest(parts, place, lane, lanes)
        if c < shape.maps and lane == 0:
            y[image * shape.maps + c] = activated(parts[place], shape.alpha, shape.beta)

    return global_max_pool


def global_avg_pool_kernel(maps: int, lanes: int, activation: str) -> Callable[..., None]:
    """The mean of each map. A block has `lanes` threads for each of `maps` maps."""
    activated, threads = activation_function(activation), maps * lanes

    def global_avg_pool(x: Floats, y: Floats, shape: WholeShape) -> None:
        parts = cuda.shared.array(threads, float32)
        lane, place = cuda.threadIdx.y, cuda.threadIdx.x * lanes + cuda.threadIdx.y
        c, image = cuda.blockIdx.x * maps + cuda.threadIdx.x, cuda.blockIdx.y
        part = float32(0)
        if c < shape.maps:
            for pixel in range(lane, shape.pixels, lanes):
                part += x[(image * shape.pixels + pixel) * shape.maps + c]
        parts[place] = part
        total(parts, place, lane, lanes)
        if c < shape.maps and lane == 0:
            mean = parts[place] / float32(shape.pixels)
            y[image * shape.maps + c] = activated(mean, shape.alpha, shape.beta)

    return global_avg_pool
