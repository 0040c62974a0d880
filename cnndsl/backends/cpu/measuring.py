"""How long a convolution takes by each of the algorithms that may compute it."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from cnndsl.backends.cpu.executable import CpuExecutable, LoweredPlan
from cnndsl.backends.cpu.helpers import Helpers
from cnndsl.backends.cpu.library import Library
from cnndsl.backends.cpu.lowering.candidates import Candidate, ConvWork, allowed
from cnndsl.backends.cpu.lowering.conv import lower_conv
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.plan.plan import Buffer, Plan

BETWEEN_BYTES = 64 << 20
"""What passes through the caches between two runs, as other rows' weights do in a network."""
KEPT_FLOATS = 1 << 18
"""What is not larger finds itself in a cache again, in the small networks that have such rows."""
LEAST_RUNS, MOST_RUNS = 3, 30
SECONDS = 0.03  # of runs, for each algorithm


def measure(work: ConvWork, batch: int, library: Library, helpers: Helpers) -> dict[str, float]:
    """
    The least seconds of an image of a batch on one thread, by the algorithms allowed in `fast`.

    They are run in turns. The choice between them may not depend on the number of threads, for then
    results would.
    """
    runs = {
        candidate.kernel: _Run(work, batch, candidate, library, helpers)
        for candidate in allowed(work, "fast")
    }
    large = max(run.floats for run in runs.values()) > KEPT_FLOATS
    between = np.zeros(BETWEEN_BYTES // 4 if large else 0, np.float32)
    times: dict[str, list[float]] = {kernel: [] for kernel in runs}
    spent = 0.0
    for turn in range(MOST_RUNS):
        if turn >= LEAST_RUNS and spent > SECONDS * len(runs):
            break
        for kernel, run in runs.items():
            between += 1.0
            seconds = run.seconds()
            times[kernel].append(seconds)
            spent += seconds
    return {kernel: min(taken) / batch for kernel, taken in times.items()}


class _Run:
    """One algorithm, ready to run on random numbers."""

    def __init__(
        self,
        work: ConvWork,
        batch: int,
        candidate: Candidate,
        library: Library,
        helpers: Helpers,
    ) -> None:
        rng, shape = np.random.default_rng(0), work.shape
        x = Buffer("x", work.x, "input", halo=candidate.halo)
        y = Buffer("y", (*shape.size, shape.out_maps), "arena")  # warm, as in a network
        filters = (shape.out_maps, shape.group_in, *shape.kernel)
        weight = rng.standard_normal(filters, np.float32)
        bias = rng.standard_normal(shape.out_maps, np.float32)
        parts = x, y, Epilogue(low=0.0), weight, bias
        lowered = lower_conv(candidate.kernel, work.conv, *parts)
        plan = Plan((), y.image_stride, (x,), (Buffer("nothing", (1,), "output"),))
        programs = LoweredPlan(plan, [lowered])
        self._run = CpuExecutable(programs, threads=1, library=library, helpers=helpers)
        self.floats = batch * (x.image_stride + y.image_stride) + sum(
            field.size for field in lowered(batch).fields if isinstance(field, np.ndarray)
        )
        """What it reads and writes."""
        self._x = rng.standard_normal((batch, x.image_stride), np.float32)
        self._run((self._x,))

    def seconds(self) -> float:
        """How long a run takes whose weights come from memory, and its operand from a cache."""
        np.negative(self._x, out=self._x)
        start = perf_counter()
        self._run((self._x,))
        return perf_counter() - start
