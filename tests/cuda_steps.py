"""Run single steps of a plan on the device of this process, over guarded memory."""

from math import prod

import numpy as np
from cuda_memory import UNTOUCHED

from cnndsl.backends.cuda.driver import Driver
from cnndsl.backends.cuda.launch import Constant, Region
from cnndsl.backends.cuda.lowering.lower import lower_step
from cnndsl.backends.cuda.strategy import choose
from cnndsl.ir.node import Node
from cnndsl.ops.base import Op
from cnndsl.plan.plan import Buffer, Step
from cnndsl.types import f32

GUARD = 8  # floats behind each value


def step_of(op: Op, operands: list[np.ndarray], epilogue: tuple[Op, ...] = ()) -> Step:
    """One operator on operands that lie in the arena one behind the other, with guards between."""
    types = tuple(f32(*x.shape[1:]) for x in operands)
    names = tuple(f"x{i}" for i in range(len(operands)))
    choice = choose(Node("y", op, names, "R"), types)
    buffers: list[Buffer] = []
    end = 0
    for name, x in zip((*names, "y"), (*types, op.infer(*types)), strict=True):
        buffers.append(Buffer(name, x.shape, "arena", end))
        end += -(-x.size // 4) * 4 + GUARD  # as in a plan, values start at multiples of 16 bytes
    return Step(choice.kernel, "y", "R", op, tuple(buffers[:-1]), buffers[-1], epilogue)


def computed(
    driver: Driver, step: Step, operands: list[np.ndarray], params: dict[str, np.ndarray]
) -> np.ndarray:
    """What the device makes of the operands. Nothing but the result may have been written."""
    batch = max(map(len, operands), default=2)
    if step.kernel == "view":
        return operands[0].reshape(batch, *step.y.shape)
    weights = {name: array.astype(np.float32) for name, array in params.items()}
    lowered = lower_step(step, weights, driver.gpu)
    launches = [launch for work in lowered for launch in work(batch)]
    last = step.y
    arena = np.full(batch * (last.offset + prod(last.shape) + GUARD), UNTOUCHED, np.float32)
    for buffer, x in zip(step.x, operands, strict=True):
        arena[_cells(buffer, batch)] = x.reshape(-1)
    stream = driver.stream()
    memory = driver.upload(arena)
    scratch = driver.upload(np.full(1 + max(n.scratch for n in launches), np.nan, np.float32))
    regions = {Region("arena"): memory, Region("scratch"): scratch}
    kept = []
    for launch in launches:
        pointers = []
        for argument in launch.arguments:
            if isinstance(argument, Constant):
                kept.append(driver.upload(argument.array))
                pointers.append(kept[-1].at(0))
            else:
                pointers.append(regions[argument.region].at(argument.offset))
        extents = launch.grid, launch.block
        function = driver.function(launch.kernel)
        driver.launch(stream, function, extents, tuple(pointers), launch.shape)
    after = driver.pinned(arena.size)
    driver.copy_out(stream, after, memory)
    driver.wait(stream)
    y = after[_cells(last, batch)].copy()
    arena[_cells(last, batch)] = after[_cells(last, batch)] = 0.0
    np.testing.assert_array_equal(after, arena)
    return y.reshape(batch, *last.shape)


def _cells(buffer: Buffer, batch: int) -> slice:
    start = batch * buffer.offset
    return slice(start, start + batch * prod(buffer.shape))
