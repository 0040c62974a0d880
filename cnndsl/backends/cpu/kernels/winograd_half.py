"""
The products of Winograd's algorithm with weights that are half-way to the points.

Their rows are at the points down, but hold taps across; the rest of the way is done between loading
them and using them. So fewer are read: 18 for the 36 of 4 x 4 outputs. Where squares are few, that
takes less time than memory takes to bring the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from cnndsl.backends.cpu.integers import Int, Value
from cnndsl.backends.cpu.kernels.register_tile import LINE
from cnndsl.backends.cpu.kernels.winograd_products import AtPoints, Panels
from cnndsl.backends.cpu.kernels.winograd_transforms import weights_at_points
from cnndsl.backends.cpu.lowering.winograd_points import HalfPoint, half_points
from cnndsl.backends.cpu.vectors import Vector

_FLOAT = 4  # bytes


@dataclass(frozen=True, slots=True)
class HalfProducts:
    """
    The products of a unit, `at` each point, in tiles of `squares` times a vector of maps.

    The weights are [points down, panels, in_maps, taps, lanes], and a turn of the inner loop takes
    `taken` input maps.
    """

    at: AtPoints
    taps: int
    squares: int
    group: int
    taken: int

    def multiply(self, panels: Panels, count: Int) -> None:
        """
        Compute the products of `count` squares with the unit's panels.

        Squares beyond the last fill the last tile: what they hold is nobody's.
        """
        each, tiles = self.at.code.each, (count + self.squares - 1) // self.squares
        with each(0, self.at.sides[0]) as row, each(0, panels.number) as place:
            self._multiply(row, panels, place, tiles)

    def _multiply(self, row: Int, panels: Panels, place: Int, tiles: Int) -> None:
        """
        Compute the products of all tiles with one panel at a row of points.

        Of the points, as many are computed at a time as leave room in the registers. Each time asks
        for its part of the panel that comes next.
        """
        code, f, width = self.at.code, self.at.f, self.at.sides[1]
        weights, following = self._panel(row, panels.first + place), self._after(row, panels, place)
        groups = half_points(width, self.taps, self.group)
        share = self.taps * code.lanes // len(groups)
        with code.each(0, tiles) as tile:
            for number, group in enumerate(groups):
                ahead = code.at(following, f.in_maps * (share * number))
                sums = self._sums(row, tile, group, weights, ahead, share)
                for point, values in zip(group, sums, strict=True):
                    for i, value in enumerate(values):
                        square = tile * self.squares + i
                        product = self.at.product_at(row * width + point.number, square)
                        code.store(value * point.scale, code.at(product, place * code.lanes))

    def _panel(self, row: Int, number: Int) -> Value:
        """The weights of a panel at a row of points."""
        f = self.at.f
        size = f.in_maps * (self.taps * self.at.code.lanes * _FLOAT)
        return self.at.code.pointer(f.weights + (row * f.panel_count + number) * size)

    def _after(self, row: Int, panels: Panels, place: Int) -> Value:
        """The panel that comes next; behind the last row the first one, for the next unit."""
        stays = (place + 1).is_("<", panels.number)
        following = (row + 1).where((row + 1).is_("<", self.at.sides[0]), 0)
        return self._panel(row.where(stays, following), panels.first + (place + 1).where(stays, 0))

    def _sums(
        self,
        row: Int,
        tile: Int,
        group: Sequence[HalfPoint],
        weights: Value,
        ahead: Value,
        share: int,
    ) -> list[list[Vector]]:
        """The sums of a tile at a group of points of a row, [points][squares]."""
        code, f, lanes = self.at.code, self.at.f, self.at.code.lanes
        squares = [tile * self.squares + i for i in range(self.squares)]
        numbers = [row * self.at.sides[1] + point.number for point in group]
        inputs = [[self.at.input_at(number, square) for square in squares] for number in numbers]

        def turn(first: Value, state: list[Any]) -> list[Any]:
            weights, ahead, *flat = state
            for line in range(ceil(share * self.taken / LINE)):
                code.prefetch(ahead, line * LINE)
            starts = [[code.at(start, first) for start in of_point] for of_point in inputs]
            for k in range(self.taken):
                taps = [code.load(weights, (k * self.taps + t) * lanes) for t in range(self.taps)]
                values = weights_at_points(taps, group)
                for j, (value, of_point) in enumerate(zip(values, starts, strict=True)):
                    for i, start in enumerate(of_point):
                        at = j * self.squares + i
                        flat[at] = code.broadcast(start, k).fma(value, flat[at])
            weights = code.at(weights, self.taken * self.taps * lanes)
            return [weights, code.at(ahead, share * self.taken), *flat]

        zeros = [code.vector(0.0)] * (len(group) * self.squares)
        _, _, *flat = code.loop(0, f.in_maps, self.taken, [weights, ahead, *zeros], turn)
        return [flat[j : j + self.squares] for j in range(0, len(flat), self.squares)]
