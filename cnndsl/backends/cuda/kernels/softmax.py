"""Softmax and its logarithm over the maps of each pixel, or the features of a vector."""

import math
from collections.abc import Callable

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.device_code import Floats
from cnndsl.backends.cuda.kernels.reduce import largest, total
from cnndsl.backends.cuda.shapes.normalise import LinesShape


def softmax_kernel(lanes: int, lines: int) -> Callable[..., None]:
    """
    `y = exp(x - max) / sum(exp(x - max))`; y may be x's memory.

    A block has `lanes` threads for each of `lines` lines.
    """
    threads = lanes * lines

    def softmax(x: Floats, y: Floats, shape: LinesShape) -> None:
        parts = cuda.shared.array(threads, float32)
        lane, place = cuda.threadIdx.x, cuda.threadIdx.y * lanes + cuda.threadIdx.x
        line = cuda.blockIdx.x * lines + cuda.threadIdx.y
        first, end = line * shape.length, shape.length if line < shape.lines else 0
        top = float32(-math.inf)
        for k in range(lane, end, lanes):
            top = max(top, x[first + k])
        parts[place] = top
        largest(parts, place, lane, lanes)
        top = parts[place - lane]
        # Nobody writes the sums' parts before everybody has read the largest.
        cuda.syncthreads()
        part = float32(0)
        for k in range(lane, end, lanes):
            power = math.exp(x[first + k] - top)
            y[first + k] = power
            part += power
        parts[place] = part
        total(parts, place, lane, lanes)
        share = float32(1) / parts[place - lane]
        for k in range(lane, end, lanes):
            y[first + k] = y[first + k] * share

    return softmax


def log_softmax_kernel(lanes: int, lines: int) -> Callable[..., None]:
    """
    `y = x - max - log(sum(exp(x - max)))`; y may be x's memory.

    A block has `lanes` threads for each of `lines` lines.
    """
    threads = lanes * lines

    def log_softmax(x: Floats, y: Floats, shape: LinesShape) -> None:
        parts = cuda.shared.array(threads, float32)
        lane, place = cuda.threadIdx.x, cuda.threadIdx.y * lanes + cuda.threadIdx.x
        line = cuda.blockIdx.x * lines + cuda.threadIdx.y
        first, end = line * shape.length, shape.length if line < shape.lines else 0
        top = float32(-math.inf)
        for k in range(lane, end, lanes):
            top = max(top, x[first + k])
        parts[place] = top
        largest(parts, place, lane, lanes)
        top = parts[place - lane]
        # Nobody writes the sums' parts before everybody has read the largest.
        cuda.syncthreads()
        part = float32(0)
        for k in range(lane, end, lanes):
            part += math.exp(x[first + k] - top)
        parts[place] = part
        total(parts, place, lane, lanes)
        # A block's spare lines have summed nothing.
        logarithm = math.log(max(parts[place - lane], float32(1)))
        for k in range(lane, end, lanes):
            y[first + k] = x[first + k] - top - logarithm

    return log_softmax
