"""Statistics of repeated measurements: medians and quartiles, never a mean or one lucky run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Rounds = Mapping[str, Sequence[float]]
"""For each contestant the seconds of a call, a figure a round, in the order of the rounds."""


@dataclass(frozen=True, slots=True)
class Quartiles:
    """
    The first quartile, the median and the third.

    >>> Quartiles.of([4.0, 1.0, 2.0, 3.0, 5.0])
    Quartiles(low=2.0, median=3.0, high=4.0)
    """

    low: float
    median: float
    high: float

    @staticmethod
    def of(values: Sequence[float]) -> Quartiles:
        """The quartiles of some values."""
        low, median, high = np.quantile(np.asarray(values, np.float64), [0.25, 0.5, 0.75])
        return Quartiles(float(low), float(median), float(high))

    def scaled(self, factor: float) -> Quartiles:
        """The quartiles in another unit."""
        return Quartiles(self.low * factor, self.median * factor, self.high * factor)


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as long as ours the fastest of the others takes, compared round by round."""

    best: str
    quartiles: Quartiles


def best_ratio(rounds: Rounds, ours: str) -> Ratio | None:
    """
    The fastest other contestant's time over ours; None where there is no other.

    The fastest is the one with the least median. What is compared happened in the same round, so
    that a moment in which the machine is slow is slow for both.

    >>> best_ratio({"us": [1.0, 2.0], "a": [3.0, 6.0], "b": [9.0, 9.0]}, "us")
    Ratio(best='a', quartiles=Quartiles(low=3.0, median=3.0, high=3.0))
    """
    others = [name for name in rounds if name != ours]
    if not others:
        return None
    best = min(others, key=lambda name: Quartiles.of(rounds[name]).median)
    pairs = zip(rounds[best], rounds[ours], strict=True)
    return Ratio(best, Quartiles.of([other / own for other, own in pairs]))


def medians_of_runs(rounds: Rounds, ours: str, runs: Sequence[int]) -> list[float]:
    """
    The one other contestant's time over ours, as the median of each run's rounds.

    `runs` are the numbers of rounds of the runs, in order.

    >>> medians_of_runs({"us": [1.0, 1.0, 2.0], "a": [3.0, 5.0, 8.0]}, "us", [2, 1])
    [4.0, 4.0]
    """
    (other,) = [times for name, times in rounds.items() if name != ours]
    each = [theirs / own for theirs, own in zip(other, rounds[ours], strict=True)]
    medians: list[float] = []
    for count in runs:
        mine, each = each[:count], each[count:]
        medians.append(Quartiles.of(mine).median)
    return medians
