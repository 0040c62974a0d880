"""
Normalization by the mean and the variance of cells that are looked at first.

Three passes: the mean, then the variance around it, then the cells. The cells of a pixel or a group
stay in the cache meanwhile.
"""

import math
from collections.abc import Callable

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.device_code import Floats, quotient
from cnndsl.backends.cuda.kernels.epilogue import activation_function
from cnndsl.backends.cuda.kernels.reduce import total
from cnndsl.backends.cuda.shapes.normalise import GroupsShape, LinesShape


def normalise_lines_kernel(lanes: int, lines: int, activation: str) -> Callable[..., None]:
    """
    Each line less its mean, by its deviation, times `weight`, plus `bias`; y may be x's memory.

    A block has `lanes` threads for each of `lines` lines.
    """
    activated, threads = activation_function(activation), lanes * lines

    def normalise_lines(
        x: Floats, weight: Floats, bias: Floats, y: Floats, shape: LinesShape
    ) -> None:
        parts = cuda.shared.array(threads, float32)
        lane, place = cuda.threadIdx.x, cuda.threadIdx.y * lanes + cuda.threadIdx.x
        line = cuda.blockIdx.x * lines + cuda.threadIdx.y
        first, end = line * shape.length, shape.length if line < shape.lines else 0
        part = float32(0)
        for k in range(lane, end, lanes):
            part += x[first + k]
        parts[place] = part
        total(parts, place, lane, lanes)
        mean = parts[place - lane] / float32(shape.length)
        # Nobody writes new parts before everybody has read the sum.
        cuda.syncthreads()
        part = float32(0)
        for k in range(lane, end, lanes):
            difference = x[first + k] - mean
            part += difference * difference
        parts[place] = part
        total(parts, place, lane, lanes)
        variance = parts[place - lane] / float32(shape.length)
        scale = float32(1) / math.sqrt(variance + shape.epsilon)
        for k in range(lane, end, lanes):
            cell = (x[first + k] - mean) * scale * weight[k] + bias[k]
            y[first + k] = activated(cell, shape.alpha, shape.beta)

    return normalise_lines


def normalise_groups_kernel(lanes: int, activation: str) -> Callable[..., None]:
    """
    Each image's groups of maps less their mean, by their deviation, times `weight`, plus `bias`.

    A group is a block's, which has `lanes` threads; y may be x's memory.
    """
    activated = activation_function(activation)

    def normalise_groups(
        x: Floats, weight: Floats, bias: Floats, y: Floats, shape: GroupsShape
    ) -> None:
        parts = cuda.shared.array(lanes, float32)
        lane, cells = cuda.threadIdx.x, shape.pixels * shape.group_maps
        maps, map_first = shape.groups * shape.group_maps, cuda.blockIdx.x * shape.group_maps
        first = cuda.blockIdx.y * shape.pixels * maps + map_first
        part = float32(0)
        for k in range(lane, cells, lanes):
            pixel = quotient(k, shape.group_maps)
            part += x[first + pixel * maps + k - pixel * shape.group_maps]
        parts[lane] = part
        total(parts, lane, lane, lanes)
        mean = parts[0] / float32(cells)
        # Nobody writes new parts before everybody has read the sum.
        cuda.syncthreads()
        part = float32(0)
        for k in range(lane, cells, lanes):
            pixel = quotient(k, shape.group_maps)
            difference = x[first + pixel * maps + k - pixel * shape.group_maps] - mean
            part += difference * difference
        parts[lane] = part
        total(parts, lane, lane, lanes)
        scale = float32(1) / math.sqrt(parts[0] / float32(cells) + shape.epsilon)
        for k in range(lane, cells, lanes):
            pixel = quotient(k, shape.group_maps)
            c = k - pixel * shape.group_maps
            at = pixel * shape.factor_pixel + map_first + c
            cell = (x[first + pixel * maps + c] - mean) * scale * weight[at] + bias[at]
            y[first + pixel * maps + c] = activated(cell, shape.alpha, shape.beta)

    return normalise_groups
