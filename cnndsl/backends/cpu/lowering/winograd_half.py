"""
Winograd convolution with weights half-way to the points: at those down, but taps across.

The rest of the way is done between loading weights and using them (`kernels/winograd_half.py`). Of
the 36 values that a 3 x 3 filter has at the points of 4 x 4 outputs, 18 are kept so, of the 63 for
7 x 5 outputs 27. That takes arithmetic, and less time than memory takes to bring the others where
few squares use each weight: for one small image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.conv_direct import Tile
from cnndsl.backends.cpu.lowering.conv_winograd import WinogradConv
from cnndsl.backends.cpu.lowering.overheads import Overheads
from cnndsl.backends.cpu.lowering.space_to_depth import filters_to_depth
from cnndsl.backends.cpu.lowering.winograd_error import error_ratio
from cnndsl.backends.cpu.lowering.winograd_points import PAIRS, half_points
from cnndsl.backends.cpu.lowering.winograd_weights import weights_half_way
from cnndsl.backends.cpu.target import Target

MOST_ADDRESSES = 12  # of inputs, one a sum, that are in registers too
MOST_SQUARES = 8  # for which it may be faster: more need weights less often than the way takes


def half_tiles(machine: Target) -> tuple[Tile, ...]:
    """The tiles of squares and a vector of maps, as `winograd_tiles`."""
    # Half of the registers are for what is between loading weights and using them.
    shapes = [(4, 0.95), (3, 0.85), (2, 0.6)]
    if machine.registers >= 32:
        shapes = [(8, 0.95), *((squares, 0.9) for squares in range(7, 1, -1))]
    return tuple(Tile(squares, 1, machine.lanes, efficiency) for squares, efficiency in shapes)


@dataclass(frozen=True, slots=True)
class HalfWinogradConv(WinogradConv):
    """The same with weights half-way to the points; a tile is a vector of output maps wide."""

    registers: int = 16

    @property
    def error_ratio(self) -> float:
        """A bound on its error over that of a plain sum (`winograd_error`)."""
        return error_ratio(self.shape.kernel, self.outputs, self.shape.in_maps, half_way=True)

    @property
    def kernel(self) -> Kernel:
        """The kernel that computes it."""
        return self._kernel("conv_winograd_half", self.points_at_once)

    @property
    def points_at_once(self) -> int:
        """Points of a row whose sums are in registers together: pairs, which share arithmetic."""
        return 4 if self.registers >= 32 and 4 * self.tile.pixels <= MOST_ADDRESSES else 2

    def tile_macs(self, beside: Overheads) -> float:
        """
        Multiply-adds that take as long as a tile's products at all points.

        A core that multiplies and adds a vector loads one meanwhile: what each takes is loaded for
        it, and the taps beside. And the values of all pairs but the first are more arithmetic.
        """
        (down, across), tile, taps = self.sides, self.tile, self.shape.kernel[1]
        groups = len(half_points(across, taps, self.points_at_once))
        steps = tile.pixels * across + taps * groups + taps * (len(PAIRS[across]) - 1)
        row = steps * tile.width * self.shape.in_maps / tile.efficiency
        return down * row + self.points * beside.tile

    @property
    def weight_floats(self) -> int:
        """Floats of a panel's weights."""
        return self.sides[0] * self.shape.kernel[1] * self.shape.in_maps * self.tile.width

    def transform_weights(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """`weight` [out, in, r, s] half-way: [points down, panels, in_maps, taps, lanes]."""
        filters = filters_to_depth(weight, self.block)
        return weights_half_way(filters, self.sides, self.tile.lanes)
