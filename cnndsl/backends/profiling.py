"""What a target may offer besides running: how long each step takes, and what no step can beat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.protocol import Images, Request

Bound = Literal["arithmetic", "memory"]


@dataclass(frozen=True, slots=True)
class Roof:
    """
    What some threads of a machine can do at most: GFLOP/s of float32, GB/s read from memory.

    A step may still do better: an algorithm that needs fewer multiplications than the definition,
    or data that a cache holds.

    >>> roof = Roof(gflops=100.0, gigabytes=20.0)
    >>> roof.least_seconds(2e9, 1e9), roof.bound(2e9, 1e9)
    (0.05, 'memory')
    """

    gflops: float
    gigabytes: float

    def least_seconds(self, flops: float, bytes_moved: float) -> float:
        """The least seconds for so many operations and bytes: the longer of the two."""
        return max(flops / (self.gflops * 1e9), bytes_moved / (self.gigabytes * 1e9))

    def bound(self, flops: float, bytes_moved: float) -> Bound:
        """Which of the two roofs is nearer."""
        arithmetic = flops * self.gigabytes > bytes_moved * self.gflops
        return "arithmetic" if arithmetic else "memory"


class StepTimer(Protocol):
    """A plan that is ready to run with a clock between its steps."""

    def kernels(self, batch: int) -> list[tuple[str, ...]]:
        """For each step the compiled functions that run it for a batch of that size, in order."""
        ...

    def times(self, inputs: tuple[Images, ...], seconds: float) -> NDArray[np.float64]:
        """
        Run the whole plan on `inputs` until the time is over: `[runs, steps]` in seconds.

        A step's time is from the end of the step before to the moment when all threads are done
        with it, so that a run's times sum up to the whole run.
        """
        ...


@runtime_checkable
class Profiler(Protocol):
    """A target that can measure itself."""

    def step_timer(self, request: Request) -> StepTimer:
        """Make a plan ready to be timed."""
        ...

    def roof(self, threads: int) -> Roof:
        """Measure what that many threads can do here and now."""
        ...
