"""A plan with a clock between its steps, and what no step can beat."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.device import Device, Handle
from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.launch import Lowered, over_cells
from cnndsl.backends.cuda.program import make_program
from cnndsl.backends.cuda.session import Constants, Session
from cnndsl.backends.cuda.shapes.cells import CellsShape
from cnndsl.backends.cuda.shapes.tensor_core import QUAD
from cnndsl.backends.profiling import Roof
from cnndsl.backends.protocol import Images
from cnndsl.plan.plan import Plan

WARM_RUNS = 3
_STREAM_FLOATS = 1 << 26  # 256 MiB, more than any cache holds
_STREAM_RUNS = 10


class CudaStepTimer:
    """
    A plan, launched step by step with events between.

    A launch by itself costs some microseconds more than in a graph, so steps that are shorter than
    that look longer here than they are in a call.
    """

    def __init__(self, plan: Plan, steps: Sequence[Sequence[Lowered]], device: Device) -> None:
        self._plan = plan
        self._steps = steps
        self._device = device

    def kernels(self, batch: int) -> list[tuple[str, ...]]:
        """The kernels of each step in order."""
        return [
            tuple(launch.kernel.name for work in step for launch in work(batch))
            for step in self._steps
        ]

    def times(self, inputs: tuple[Images, ...], seconds: float) -> NDArray[np.float64]:
        """Run the plan on `inputs` until the time is over: `[runs, steps]` in seconds."""
        batch, device = len(inputs[0]), self._device
        program = make_program(self._plan, [work for step in self._steps for work in step], batch)
        functions = {launch.kernel: device.function(launch.kernel) for launch in program.launches}
        session = Session(program, device, functions, Constants(device))
        ends = np.cumsum([0, *(len(names) for names in self.kernels(batch))]).tolist()
        found: list[list[float]] = []
        begin = perf_counter()
        while len(found) <= WARM_RUNS or perf_counter() - begin < seconds:
            ticks: dict[int, Handle] = {}

            def after(count: int, ticks: dict[int, Handle] = ticks) -> None:
                ticks[count] = device.tick(session.stream)

            session.trace(inputs, after)
            found.append([device.seconds_between(ticks[a], ticks[b]) for a, b in pairwise(ends)])
        return np.array(found[WARM_RUNS:])


def measure_roof(device: Device) -> Roof:
    """
    The bandwidth of a copy, measured, and the float32 arithmetic that the clock would allow.

    The tensor cores are faster than that: with them a step may exceed the roof.
    """
    kernel = Kernel("cells", "elementwise_kernel", (QUAD, "linear"))
    function, stream = device.function(kernel), device.stream()
    x, y = device.allocate(_STREAM_FLOATS), device.allocate(_STREAM_FLOATS)
    shape = CellsShape(_STREAM_FLOATS, 1, 0.0, 0.0)
    best = np.inf
    for _ in range(_STREAM_RUNS):
        first = device.tick(stream)
        extents = over_cells(_STREAM_FLOATS // QUAD, device.gpu)
        device.launch(stream, function, extents, (x.at(0), y.at(0)), shape)
        last = device.tick(stream)
        device.wait(stream)
        best = min(best, device.seconds_between(first, last))
    cores = device.gpu.processors * _cores_of_processor(device.gpu)
    return Roof(
        gflops=2e-9 * cores * device.clock_hertz(), gigabytes=2 * 4e-9 * _STREAM_FLOATS / best
    )


def _cores_of_processor(gpu: Gpu) -> int:
    """Float32 multiply-adds a cycle: CUDA C++ Programming Guide, arithmetic instructions."""
    return 64 if gpu.architecture in ((7, 5), (8, 0)) else 128
