"""Pools."""

from __future__ import annotations

import numpy as np

from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.kernel import Kernel, Parameter
from cnndsl.backends.cuda.launch import Launch, Lowered, lanes_for, start_of
from cnndsl.backends.cuda.lowering.shared import (
    CellKernel,
    Lowering,
    Params,
    Read,
    epilogue_of,
    width_of,
)
from cnndsl.backends.cuda.shapes.pool import PoolShape, WholeShape
from cnndsl.ops.avg_pool import AvgPool
from cnndsl.ops.lp_pool import LpPool
from cnndsl.ops.pool import Pool
from cnndsl.plan.plan import Step

BLOCK_MAPS = 32
"""Maps of a block that reduces whole maps: its threads read runs of so many floats."""


def _max_pool(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    return [_lower(step, gpu, "max_pool_kernel")]


def _avg_pool(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    assert isinstance(step.op, AvgPool)
    height, width, _ = step.x[0].image
    padded = step.op.divisor == "padded"
    counts = tuple(
        step.op.window.cells_counted((height, width), axis, padded=padded).astype(np.int32)
        for axis in (0, 1)
    )
    return [_lower(step, gpu, "avg_pool_kernel", counts)]


def _lp_pool(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    assert isinstance(step.op, LpPool)
    return [_lower(step, gpu, "lp_pool_kernel", constants=(float(step.op.p),))]


def _subsample(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    return [_lower(step, gpu, "subsample_kernel", (params["weight"], params["bias"]))]


def _lower(
    step: Step,
    gpu: Gpu,
    function: str,
    tables: tuple[Read, ...] = (),
    constants: tuple[Parameter, ...] = (),
) -> Lowered:
    """A kernel whose window slides; `tables` are what it reads besides x."""
    assert isinstance(step.op, Pool)
    window, x, y, epilogue = step.op.window, step.x[0], step.y, epilogue_of(step)
    image = x.image[:2]
    (top, _), (left, _) = window.sides(image)

    def shape(cells: int) -> PoolShape:
        return PoolShape(
            cells,
            *y.image,
            *image,
            *window.kernel,
            *window.stride,
            *window.dilation,
            top,
            left,
            epilogue.alpha,
            epilogue.beta,
        )

    width = width_of(y.image[2], x, y)
    kernel = CellKernel("pool", function, shape, (*constants, width), width)
    return kernel.lowered(gpu, (x, *tables), y, epilogue)


def _global_max_pool(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    return [_lower_whole(step, gpu, "global_max_pool_kernel")]


def _global_avg_pool(step: Step, params: Params, gpu: Gpu) -> list[Lowered]:
    return [_lower_whole(step, gpu, "global_avg_pool_kernel")]


def _lower_whole(step: Step, gpu: Gpu, function: str) -> Lowered:
    """A kernel that reduces each whole map."""
    x, y, epilogue = step.x[0], step.y, epilogue_of(step)
    height, width, maps = x.image
    columns = min(BLOCK_MAPS, gpu.threads // 2)
    lanes = min(lanes_for(height * width, gpu), gpu.threads // columns)
    kernel = Kernel("pool", function, (columns, lanes, epilogue.activation))
    shape = WholeShape(height * width, maps, epilogue.alpha, epilogue.beta)

    def launches(batch: int) -> list[Launch]:
        grid = -(-maps // columns), batch, 1
        arguments = start_of(x, batch), start_of(y, batch)
        return [Launch(kernel, grid, (columns, lanes, 1), arguments, shape)]

    return launches


LOWERINGS: dict[str, Lowering] = {
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "lp_pool": _lp_pool,
    "subsample": _subsample,
    "global_max_pool": _global_max_pool,
    "global_avg_pool": _global_avg_pool,
}
