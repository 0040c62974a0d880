"""
Weights in fewer bits: what is kept of them, and what they stand for.

`bfloat16` keeps the upper half of a float32, rounded to the nearest, ties to even: 8 significant
bits. `int8` keeps whole numbers of -127 to 127 and, for each output, the float32 that one stands
for: the output's largest absolute weight over 127. No weight is off by more than half of that. An
output with an infinite weight or a NaN is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnndsl.types import DenseWeights

FloatArray = NDArray[np.float32]

MOST = 127  # -128 has no counterpart


@dataclass(frozen=True, slots=True)
class NarrowWeights:
    """
    The weights `stored * scale` of some outputs: [outputs, inputs] times [outputs].

    `stored` holds int8, or the upper halves of float32 as uint16, whose scale is 1.
    """

    stored: NDArray[np.uint16] | NDArray[np.int8]
    scale: FloatArray

    @property
    def float32(self) -> FloatArray:
        """The weights that these stand for."""
        if self.stored.dtype == np.uint16:
            return (self.stored.astype(np.uint32) << 16).view(np.float32)
        return self.stored.astype(np.float32) * self.scale[:, None]


def narrow(weight: FloatArray, kept: DenseWeights) -> NarrowWeights:
    """`weight` [outputs, inputs] in the fewer bits of `kept`."""
    if kept == "bfloat16":
        return NarrowWeights(_upper_halves(weight), np.ones(len(weight), np.float32))
    largest = np.abs(weight).max(1, initial=0.0)
    scale = largest / np.float32(MOST)
    # A row of zeros, or of the smallest numbers that there are, is zero times any other scale.
    scale[scale < np.finfo(np.float32).tiny] = 1.0
    finite = np.isfinite(largest)
    scale[~finite] = np.nan
    whole = np.rint(weight / scale[:, None], where=finite[:, None], out=np.zeros_like(weight))
    return NarrowWeights(whole.astype(np.int8), scale)


def _upper_halves(weight: FloatArray) -> NDArray[np.uint16]:
    bits = weight.view(np.uint32)
    # Half a unit less one, and one more where the last bit that is kept is odd. NaNs would round
    # to infinity, or to the other sign: theirs are cut off, with one bit set that says NaN.
    rounded = bits >> 16
    rounded &= 1
    rounded += 0x7FFF
    rounded += bits
    rounded >>= 16
    nans = np.isnan(weight)
    if nans.any():
        rounded = np.where(nans, (bits >> 16) | 0x40, rounded)
    return rounded.astype(np.uint16)
