"""
Contestants that compute the same, side by side in one process.

Nobody is timed whose output is not ours. Then all are called in turns, round by round: machines
change their speed by the second, and what is compared must have happened at the same time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from statistics import median
from time import perf_counter, sleep

import numpy as np

from benchmarks.cases import FloatArray

Call = Callable[[], FloatArray]

ALLOWED = 1e-4
"""How far an output may be from ours, relative to the largest of them."""

LEAST_ROUNDS = 5
BURST_SECONDS = 0.05
# Some runtimes' threads look for more work for some milliseconds after a call, on a core that the
# next contestant needs.
PAUSE_SECONDS = 0.01

_LEAST_PROBABILITY = 1e-30


def disagreement(y: FloatArray, ours: FloatArray, *, classifies: bool) -> float:
    """
    The largest difference between two outputs, relative to the largest of ours.

    Of classes' probabilities, the logarithms are compared: where one class takes nearly all, any
    two outputs would agree. Infinite where the shapes differ or something is not finite.
    """
    if y.shape != ours.shape or not np.isfinite(y).all():
        return math.inf
    a, b = y.astype(np.float64), ours.astype(np.float64)
    if classifies:
        a, b = (np.log(np.maximum(p, _LEAST_PROBABILITY)) for p in (a, b))
    largest = float(np.abs(b).max())
    return float(np.abs(a - b).max()) / largest if largest else math.inf


def interleaved(
    calls: Mapping[str, Call], seconds: float, least_rounds: int = LEAST_ROUNDS
) -> dict[str, list[float]]:
    """
    Call everyone in turns until each has had about so many seconds: a call's seconds, by round.

    A turn is a burst of calls, of which the first finds the caches as others have left them and
    counts only where it is the only one; the turn's figure is the median. Each round begins with
    another contestant.
    """
    names = list(calls)
    rounds: dict[str, list[float]] = {name: [] for name in names}
    end = perf_counter() + seconds * len(names)
    while len(rounds[names[0]]) < least_rounds or perf_counter() < end:
        for name in names:
            sleep(PAUSE_SECONDS)
            rounds[name].append(burst(calls[name]))
        names = [*names[1:], names[0]]
    return rounds


def burst(call: Call) -> float:
    """The median of the seconds of a few calls, one at least."""
    times: list[float] = []
    start = now = perf_counter()
    while not times or now - start < BURST_SECONDS:
        before = perf_counter()
        call()
        now = perf_counter()
        times.append(now - before)
    return median(times[1:] or times)
