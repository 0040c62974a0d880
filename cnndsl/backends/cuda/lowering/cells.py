"""What looks at one cell, or at the cells of several operands in the same place."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.launch import Lowered
from cnndsl.backends.cuda.lowering.shared import (
    CellKernel,
    Lowering,
    Params,
    Read,
    epilogue_of,
    size_of,
    width_of,
)
from cnndsl.backends.cuda.shapes.cells import CellsShape
from cnndsl.backends.cuda.shapes.epilogue import Epilogue
from cnndsl.backends.cuda.shapes.multiply import MultiplyShape
from cnndsl.ops.activation import Activation
from cnndsl.ops.batch_norm import BatchNorm
from cnndsl.plan.plan import Buffer, Step


def lower_cells(
    function: str, reads: tuple[Read, ...], y: Buffer, epilogue: Epilogue, gpu: Gpu, period: int = 1
) -> Lowered:
    """A kernel of kernels/cells.py; `period` is how many factors there are."""

    def shape(cells: int) -> CellsShape:
        return CellsShape(cells, period, epilogue.alpha, epilogue.beta)

    values = [read for read in reads if isinstance(read, Buffer)]
    run = size_of(y) if len(values) == len(reads) else period
    width = width_of(run, y, *values)
    return CellKernel("cells", function, shape, (width,), width).lowered(gpu, reads, y, epilogue)


def lower_add(a: Buffer, b: Buffer, y: Buffer, epilogue: Epilogue, gpu: Gpu) -> Lowered:
    """`y = a + b`; y may be the memory of either."""
    return lower_cells("add_kernel", (a, b), y, epilogue, gpu)


def _lower_multiply(a: Buffer, b: Buffer, y: Buffer, epilogue: Epilogue, gpu: Gpu) -> Lowered:
    """`y = a * b`, where an axis of one cell goes with all of the other's."""
    strides = *_strides(a, y), *_strides(b, y)

    def shape(cells: int) -> MultiplyShape:
        return MultiplyShape(cells, *y.image, *strides, epilogue.alpha, epilogue.beta)

    have_all_maps = a.image[2] == b.image[2] == y.image[2]
    width = width_of(y.image[2], a, b, y) if have_all_maps else 1
    kernel = CellKernel("multiply", "multiply_kernel", shape, (width,), width)
    return kernel.lowered(gpu, (a, b), y, epilogue)


def _strides(x: Buffer, y: Buffer) -> tuple[int, int, int, int]:
    """Floats from one image, row, pixel and map of x to the next as one walks through y."""
    steps = x.row_stride, x.pixel_stride, x.map_stride
    row, pixel, one = (
        step if size > 1 or most == 1 else 0
        for step, size, most in zip(steps, x.image, y.image, strict=True)
    )
    return x.image_stride, row, pixel, one


def _from_left_to_right(
    step: Step, gpu: Gpu, lower: Callable[[Buffer, Buffer, Buffer, Epilogue, Gpu], Lowered]
) -> list[Lowered]:
    """Two operands into y, then each further one with y; the epilogue comes last."""
    first, *others = step.x
    *others, last = others
    lowered: list[Lowered] = []
    for other in others:
        lowered.append(lower(first, other, step.y, Epilogue(), gpu))
        first = step.y
    return [*lowered, lower(first, last, step.y, epilogue_of(step), gpu)]


def _elementwise(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    function = step.op.activation if isinstance(step.op, Activation) else "linear"
    return [lower_cells("elementwise_kernel", step.x, step.y, Epilogue.of(function), gpu)]


def _batch_norm(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    assert isinstance(step.op, BatchNorm)
    numbers = {name: array.astype(np.float64) for name, array in params.items()}
    scale, shift = (array.astype(np.float32) for array in step.op.scale_and_shift(**numbers))
    reads = (*step.x, scale, shift)
    return [lower_cells("affine_kernel", reads, step.y, epilogue_of(step), gpu, scale.size)]


def _prelu(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    weight = np.ascontiguousarray(params["weight"]).reshape(-1)
    reads = (*step.x, weight)
    return [lower_cells("prelu_kernel", reads, step.y, epilogue_of(step), gpu, weight.size)]


def _add(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    return _from_left_to_right(step, gpu, lower_add)


def _multiply(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    return _from_left_to_right(step, gpu, _lower_multiply)


LOWERINGS: dict[str, Lowering] = {
    "elementwise": _elementwise,
    "affine": _batch_norm,
    "prelu": _prelu,
    "add": _add,
    "multiply": _multiply,
}
