"""Distances between vectors."""

from collections.abc import Callable

from numba import cuda, float32

from cnndsl.backends.cuda.kernels.device_code import Floats, quotient
from cnndsl.backends.cuda.kernels.epilogue import activation_function
from cnndsl.backends.cuda.kernels.powers import root_of
from cnndsl.backends.cuda.kernels.reduce import total
from cnndsl.backends.cuda.shapes.rbf import RbfShape


def rbf_kernel(lanes: int, root: float, activation: str) -> Callable[..., None]:
    """
    `y[o] = sum((x - weight[o])^2) ^ (1 / root)`.

    A distance is a block's, which has `lanes` threads.
    """
    activated, distance = activation_function(activation), root_of(root)

    def rbf(x: Floats, weight: Floats, y: Floats, shape: RbfShape) -> None:
        parts = cuda.shared.array(lanes, float32)
        lane = cuda.threadIdx.x
        for i in range(cuda.blockIdx.x, shape.distances, cuda.gridDim.x):
            image = quotient(i, shape.outputs)
            vector, centre = image * shape.inputs, (i - image * shape.outputs) * shape.inputs
            part = float32(0)
            for k in range(lane, shape.inputs, lanes):
                difference = x[vector + k] - weight[centre + k]
                part += difference * difference
            parts[lane] = part
            total(parts, lane, lane, lanes)
            if lane == 0:
                y[i] = activated(distance(parts[0]), shape.alpha, shape.beta)
            # Nobody writes new parts before the sum is read.
            cuda.syncthreads()

    return rbf
