"""
ONNX's Resize along one axis as a matrix: for each new cell the weights of the old ones.

Formulas: ONNX, operator Resize, opset 19. Weights are in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
COORDINATES = (
    "half_pixel",
    "half_pixel_symmetric",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "tf_crop_and_resize",
)


@dataclass(frozen=True, slots=True)
class Interpolation:
    """
    The attributes of a Resize.

    `mode` is nearest, linear or cubic; `rounding` is ONNX's nearest_mode, `a` its cubic_coeff_a.
    Where it is `antialias`ed, the filter is as wide as a new cell.
    """

    mode: str
    coordinates: str
    rounding: str = "round_prefer_floor"
    a: float = -0.75
    antialias: bool = False
    exclude_outside: bool = False

    def weights(
        self, old: int, new: int, scale: float, crop: tuple[float, float] = (0.0, 1.0)
    ) -> Weights:
        """
        `[old, new]`: each new cell's weights. `crop` is the part of the axis that is resized.

        They sum to 1, or to 0 where a cropped cell lies outside.
        """
        table = np.zeros((old, new))
        for i in range(new):
            place = self.place(i, old, new, scale, crop)
            if self.coordinates == "tf_crop_and_resize" and not 0 <= place <= old - 1:
                continue
            cells, shares = self._taps(place, scale)
            inside = (cells >= 0) & (cells < old)
            if self.exclude_outside:
                cells, shares = cells[inside], shares[inside]
                shares = shares / shares.sum()
            np.add.at(table[:, i], np.clip(cells, 0, old - 1), shares)
        return table

    def place(self, i: int, old: int, new: int, scale: float, crop: tuple[float, float]) -> float:
        """Where the new cell lies among the old ones."""
        exact = old * scale  # `new` is this, rounded down
        middle = (i + 0.5) / scale - 0.5
        match self.coordinates:
            case "half_pixel_symmetric":
                return old / 2 * (1 - new / exact) + middle
            case "pytorch_half_pixel":
                return middle if new > 1 else 0.0
            case "align_corners":
                return i * (old - 1) / (exact - 1) if exact != 1 else 0.0
            case "asymmetric":
                return i / scale
            case "tf_crop_and_resize":
                begin, end = crop
                if new == 1:
                    return (begin + end) / 2 * (old - 1)
                return (begin + i * (end - begin) / (new - 1)) * (old - 1)
            case _:
                return middle

    def _taps(self, place: float, scale: float) -> tuple[NDArray[np.int64], Weights]:
        """The cells that make a cell at that place, and their shares."""
        if self.mode == "nearest":
            return np.array([_rounded(place, self.rounding)]), np.ones(1)
        squeeze = min(scale, 1.0) if self.antialias else 1.0
        reach = (1 if self.mode == "linear" else 2) / squeeze
        cells = np.arange(math.floor(place - reach) + 1, math.floor(place + reach) + 1)
        distances = np.abs(cells - place) * squeeze
        shares = np.maximum(1 - distances, 0) if self.mode == "linear" else self._cubic(distances)
        return cells, shares / shares.sum()

    def _cubic(self, distances: Weights) -> Weights:
        """Keys 1981, Cubic convolution interpolation for digital image processing, with `a`."""
        d, a = distances, self.a
        near = (a + 2) * d**3 - (a + 3) * d**2 + 1
        far = a * d**3 - 5 * a * d**2 + 8 * a * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _rounded(place: float, rounding: str) -> int:
    match rounding:
        case "floor":
            return math.floor(place)
        case "ceil":
            return math.ceil(place)
        case "round_prefer_ceil":
            return math.floor(place + 0.5)
        case _:
            return math.ceil(place - 0.5)
