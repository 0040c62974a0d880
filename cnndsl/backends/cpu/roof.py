"""
What this machine can do at most, measured.

Clocks and neighbours change by the second: each figure is the best of many short runs.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from cnndsl.backends.cpu.executable import CpuExecutable, LoweredPlan
from cnndsl.backends.cpu.helpers import Helpers
from cnndsl.backends.cpu.library import Library
from cnndsl.backends.cpu.lowering.call import Call
from cnndsl.backends.cpu.lowering.roof import chains_of, multiply_add_call, read_call
from cnndsl.backends.cpu.target import Target
from cnndsl.backends.profiling import Roof
from cnndsl.plan.plan import Buffer, Plan

STREAM_BYTES = 256 << 20
"""Far more than any cache holds."""

_TURNS = 5_000  # of a work unit: some tens of microseconds
_UNITS = 64  # of a run, for each thread
_RUNS = 40
_STREAM_RUNS = 20
_NOTHING = Plan((), 0, (Buffer("x", (1,), "input"),), (Buffer("y", (1,), "output"),))


def measure_roof(threads: int, library: Library, helpers: Helpers) -> Roof:
    """Measure what that many threads can do, with the threads that run networks."""

    def best_seconds(call: Call, runs: int) -> float:
        run = CpuExecutable(
            LoweredPlan(_NOTHING, [lambda batch: call]),
            threads=threads,
            library=library,
            helpers=helpers,
        )
        return _best_seconds(run, runs)

    target = Target.host()
    units = _UNITS * threads
    flops = 2 * chains_of(target) * target.lanes * _TURNS * units
    memory = np.ones(STREAM_BYTES // 4, np.float32)
    return Roof(
        gflops=flops / best_seconds(multiply_add_call(units, _TURNS), _RUNS) / 1e9,
        gigabytes=memory.nbytes / best_seconds(read_call(memory), _STREAM_RUNS) / 1e9,
    )


def _best_seconds(run: CpuExecutable, runs: int) -> float:
    inputs = (np.zeros((1, 1), np.float32),)
    run(inputs)
    times: list[float] = []
    for _ in range(runs):
        start = perf_counter()
        run(inputs)
        times.append(perf_counter() - start)
    return min(times)
