"""
Where the cells of a resized axis lie in the old one.

All is counted in fractions: a place halfway between two cells is exactly there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

COORDINATES = ("half_pixel", "align_corners", "asymmetric")
ROUNDINGS = ("floor", "ceil", "half_down", "half_up")

Taps = tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Sampling:
    """
    A convention of resampling.

    New cell i of `new` lies among `old` ones at `(i + 1/2) * old / new - 1/2` (`half_pixel`: cells
    have a middle), at `i * (old - 1) / (new - 1)` (`align_corners`: the first and the last cells
    meet) or at `i * old / new` (`asymmetric`). `rounding` says which cell is nearest to a place:
    the one before it, the one behind, or the closer one with halves down or up (ONNX calls the last
    two round_prefer_floor and round_prefer_ceil). Without rounding, a place lies between two cells.
    """

    coordinates: str
    rounding: str | None = None

    def place(self, i: int, old: int, new: int) -> Fraction:
        """Where a new cell lies among the old ones; outside, it is at the border."""
        match self.coordinates:
            case "half_pixel":
                place = Fraction((2 * i + 1) * old, 2 * new) - Fraction(1, 2)
            case "align_corners":
                place = Fraction(i * (old - 1), max(new - 1, 1))
            case _:
                place = Fraction(i * old, new)
        match self.rounding:
            case "floor":
                place = Fraction(math.floor(place))
            case "ceil":
                place = Fraction(math.ceil(place))
            case "half_down":
                place = Fraction(math.ceil(place - Fraction(1, 2)))
            case "half_up":
                place = Fraction(math.floor(place + Fraction(1, 2)))
            case _:
                pass
        return min(max(place, Fraction(0)), Fraction(old - 1))

    def meets_cells(self, old: int, new: int) -> bool:
        """Whether every place inside is a cell's, so that no rounding makes a difference."""
        if old == 1:
            return True
        match self.coordinates:
            case "half_pixel":
                return old % new == 0 and old // new % 2 == 1
            case "align_corners":
                return new == 1 or (old - 1) % (new - 1) == 0
            case _:
                return old % new == 0

    def taps(self, old: int, new: int) -> Taps:
        """
        For each new cell the old ones before and behind it, and the share of the latter.

        >>> Sampling("half_pixel").taps(2, 4)[2].tolist()
        [0.0, 0.25, 0.75, 0.0]
        """
        places = [self.place(i, old, new) for i in range(new)]
        low = np.array([math.floor(place) for place in places])
        share = np.array([float(place - math.floor(place)) for place in places])
        return low, np.minimum(low + 1, old - 1), share

    def formula(self, index: str, old: int, new: int) -> str:
        """The place of the new cell `index`, to be read."""
        words = {
            "half_pixel": f"({index} + 1/2) * {old} / {new} - 1/2",
            "align_corners": f"{index} * {old - 1} / {max(new - 1, 1)}",
            "asymmetric": f"{index} * {old} / {new}",
        }[self.coordinates]
        words = {
            "floor": f"floor({words})",
            "ceil": f"ceil({words})",
            "half_down": f"ceil({words} - 1/2)",
            "half_up": f"floor({words} + 1/2)",
            None: words,
        }[self.rounding]
        return f"min(max({words}, 0), {old - 1})"
