"""How long each step of a plan takes, as part of whole runs."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.executable import CpuExecutable, LoweredPlan
from cnndsl.backends.cpu.helpers import Helpers
from cnndsl.backends.cpu.library import Library
from cnndsl.backends.cpu.lowering.call import Lowered
from cnndsl.backends.cpu.lowering.clock import lower_stamp
from cnndsl.plan.plan import Plan

LEAST_RUNS = 5

FloatArray = NDArray[np.float32]


class CpuStepTimer:
    """
    A program whose steps alternate with readings of the processor's clock.

    Everything else is as in a run without them: which threads take part, what a step finds in the
    caches. A reading takes some tens of cycles, and with helpers a wait for all of them, which
    comes with every step anyway.
    """

    def __init__(
        self,
        plan: Plan,
        steps: Sequence[Sequence[Lowered]],
        *,
        threads: int,
        library: Library,
        helpers: Helpers,
    ) -> None:
        self._steps = steps
        self._ticks = np.zeros(len(steps) + 1, np.int64)
        stamps = [lower_stamp(self._ticks[i : i + 1]) for i in range(len(steps) + 1)]
        calls = stamps[:1]
        for step, stamp in zip(steps, stamps[1:], strict=True):
            calls += [*step, stamp]
        self._run = CpuExecutable(
            LoweredPlan(plan, calls), threads=threads, library=library, helpers=helpers
        )

    def kernels(self, batch: int) -> list[tuple[str, ...]]:
        """For each step the kernels that run it, in order, each once."""
        names = [[lower(batch).kernel.name for lower in step] for step in self._steps]
        return [tuple(dict.fromkeys(step)) for step in names]

    def times(self, inputs: tuple[FloatArray, ...], seconds: float) -> NDArray[np.float64]:
        """The seconds of each step in each run, `[runs, steps]`: the runs that fit, at least 5."""
        self._run(inputs)  # which makes what is kept, and is not counted
        self._run(inputs)
        readings: list[NDArray[np.int64]] = []
        starts: list[float] = []
        while len(starts) < LEAST_RUNS or starts[-1] < starts[0] + seconds:
            starts.append(perf_counter())
            self._run(inputs)
            readings.append(self._ticks.copy())
        ticks = np.array(readings)
        # The clock's rate is nowhere to be read: it is what passed from the first run to the last.
        second = (ticks[-1, 0] - ticks[0, 0]) / (starts[-1] - starts[0])
        return np.diff(ticks, axis=1) / second
