"""
Winograd convolution: the fields of its kernel, its transformed weights and its work units.

A square of m x m outputs of an r x r filter reads a square of m + r - 1 inputs a side, and is
computed at as many points a side (`winograd_points`): there inputs and filter need only be
multiplied point by point. Over all squares and maps that is one matrix product a point. Larger
squares need fewer products an output, 36 for 16 of 3 x 3 and 64 for 36, but more weights, and waste
more at the ends of an image.

Values grow on the way to the points and cancel on the way back, so results are less exact than a
plain sum's (`winograd_error`); and an output's bits still depend on nothing but its inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, start_of, target
from cnndsl.backends.cpu.lowering.conv_direct import MACS_OF_FLOAT, Tile
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.winograd_error import error_ratio
from cnndsl.backends.cpu.lowering.winograd_points import PAIRS, weight_matrix
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer, Halo

SIDES = tuple(PAIRS)  # the numbers of points a side that there are squares for
PAD = 16  # floats between points: none two of them fall on the same lines of the cache
MOST_SQUARES = 30  # of a unit: more leave the second-level cache, fewer read weights more often
PART_MACS = 1 << 17  # of weights transformed at a time: too few for BLAS to start threads
# In multiply-adds that take as long, as measured on Zen 3 with AVX2:
TILE = 800  # to begin a tile and to write it
TRANSFORM = 8  # a map's way to a point, or back
AGAIN = 0.75  # weights that take as long as one from memory: of those a cache still holds
# `winograd_error` bounds the standard error of the worst output by a multiple of the plain sum's.
# No square may be so large that this exceeds so many.
MOST_ERROR_RATIO = 22.0
UNIT_MACS = 1 << 22  # the least work of a unit
LEAST_UNITS = 4  # work units there are, at the least
STRIP_UNIT_MACS = 1 << 20  # the least work of a unit where all squares are in one strip
UNITS_OF_STRIP = 8  # and the units that it is split into


class ConvWinogradFields(NamedTuple):
    """
    The row of the kernel. Addresses are bytes, all else counts floats.

    The output image is `height` x `width`, covered by `down` x `across` squares. `x` is the address
    of the first float that the first square reads, halo included. `weights` is [points, panels,
    vectors of the tile, in_maps, lanes] and `bias` [panels, width].
    """

    batch: Any
    height: Any
    width: Any
    down: Any
    across: Any
    x: Any
    x_image: Any
    x_row: Any
    x_pixel: Any
    in_maps: Any
    weights: Any
    bias: Any
    panel_count: Any
    unit_squares: Any
    unit_panels: Any
    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    out_maps: Any
    low: Any
    high: Any
    activation: Any


def winograd_tiles(machine: Target) -> tuple[Tile, ...]:
    """The tiles of squares and maps, the one preferred first: as `tiles`, which says of what."""
    shapes = [(6, 2, 0.95), (4, 3, 0.95), (5, 2, 0.94)]
    if machine.registers >= 32:
        shapes = [(8, 3, 0.95), (8, 2, 0.93)]
    return tuple(Tile(s, v, machine.lanes, e) for s, v, e in shapes)


@dataclass(frozen=True, slots=True)
class WinogradConv:
    """A convolution cut into squares of `outputs`, their products cut into tiles."""

    shape: ConvShape
    outputs: int
    tile: Tile

    @staticmethod
    def of(shape: ConvShape, machine: Target) -> WinogradConv | None:
        """The way that takes least time, of those that are exact enough; None where none is."""
        if not (shape.stride == shape.dilation == (1, 1) and shape.groups == 1):
            return None
        taps, other = shape.kernel
        if taps != other or taps == 1 or shape.in_maps < machine.lanes:
            return None
        ways = [
            WinogradConv(shape, side + 1 - taps, tile)
            for side in SIDES
            for tile in winograd_tiles(machine)
            if side > taps and error_ratio(taps, side + 1 - taps, shape.in_maps) <= MOST_ERROR_RATIO
        ]
        # Half of the time the weights are in a cache, or serve several images.
        read = MACS_OF_FLOAT / 2
        return min(ways, key=lambda way: way.macs_alike + read * way.weights_read, default=None)

    @property
    def side(self) -> int:
        """Inputs of a square in each direction, and points."""
        return self.outputs + self.shape.kernel[0] - 1

    @property
    def points(self) -> int:
        """Points of a square."""
        return self.side * self.side

    @property
    def grid(self) -> tuple[int, int]:
        """Squares down and across an image."""
        height, width = self.shape.size
        return ceil(height / self.outputs), ceil(width / self.outputs)

    @property
    def squares(self) -> int:
        """Squares of an image."""
        return self.grid[0] * self.grid[1]

    @property
    def saving(self) -> float:
        """The products of the definition over those at the points."""
        return self.shape.macs / (
            self.squares * self.points * self.shape.in_maps * self.shape.out_maps
        )

    @property
    def macs_alike(self) -> float:
        """Multiply-adds of an image, and those that take as long as all else but weights."""
        shape, tile = self.shape, self.tile
        squares = self._computed(self.unit_squares(1), 1)
        tiles = self.points * squares // tile.pixels * self.panel_count
        products = tiles * (tile.pixels * tile.width * shape.in_maps / tile.efficiency + TILE)
        transforms = self.squares * (shape.in_maps + shape.out_maps) * TRANSFORM
        return products + self.points * transforms

    @property
    def weights_read(self) -> float:
        """Weights at the points that are read, and those that take as long to read again."""
        weights = self.points * self.shape.in_maps * self.panel_count * self.tile.width
        return weights * (1 + AGAIN * (self.strips(1) - 1))

    def halo(self, image: tuple[int, int]) -> Halo:
        """The zeros that the squares read around an input image of that size."""
        (top, left), (height, width) = self.shape.padding, image
        down, across = (squares * self.outputs + self.shape.kernel[0] - 1 for squares in self.grid)
        return top, max(0, down - top - height), left, max(0, across - left - width)

    @property
    def kernel(self) -> Kernel:
        """The kernel that computes it."""
        tile = (self.tile.pixels, self.tile.vectors, self.tile.lanes)
        return Kernel("conv_winograd", "conv_winograd", (self.outputs, self.shape.kernel[0], *tile))

    def transform_weights(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """`weight` [out, in, r, r] at the points, as [points, panels, vectors, in, lanes]."""
        out_maps, in_maps, r, _ = weight.shape
        panels, width = self.panel_count, self.tile.width
        padded = np.zeros((panels * width, in_maps, r * r), np.float32)
        padded[:out_maps] = weight.reshape(out_maps, in_maps, r * r)
        taps = padded.reshape(panels, width, in_maps, r * r).transpose(3, 0, 2, 1)
        taps = np.ascontiguousarray(taps, np.float64).reshape(r * r, -1)
        matrix = weight_matrix(self.side, r)
        both = np.einsum("ai,bj->abij", matrix, matrix).reshape(self.points, r * r)
        values = np.empty((self.points, taps.shape[1]), np.float32)
        columns = PART_MACS // both.size
        room = np.empty((self.points, columns))
        for start in range(0, taps.shape[1], columns):
            part = taps[:, start : start + columns]
            exact = np.matmul(both, part, out=room[:, : part.shape[1]])
            values[:, start : start + columns] = exact  # rounded once
        values = values.reshape(self.points, panels, in_maps, self.tile.vectors, self.tile.lanes)
        return np.ascontiguousarray(values.swapaxes(2, 3))

    def pack_bias(self, bias: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """`bias` [out], or zeros, as [panels, width]."""
        packed = np.zeros(self.panel_count * self.tile.width, np.float32)
        if bias is not None:
            packed[: len(bias)] = bias
        return packed.reshape(-1, self.tile.width)

    @property
    def panel_count(self) -> int:
        """Panels of output maps."""
        return ceil(self.shape.out_maps / self.tile.width)

    def unit_squares(self, batch: int) -> int:
        """Squares of a unit: whole tiles, and so many that two threads waste least."""
        step = self.tile.pixels
        most = MOST_SQUARES // step * step
        if batch * self.squares <= most:
            return most
        choices = range(most, MOST_SQUARES // 2 - 1, -step)
        return min(choices, key=lambda unit: self._computed(unit, batch))

    def _computed(self, unit_squares: int, batch: int) -> int:
        """Squares that two threads compute of a batch in units of so many."""
        step, squares = self.tile.pixels, batch * self.squares
        if squares <= unit_squares:
            return ceil(squares / step) * step
        return 2 * ceil(squares / (2 * unit_squares)) * unit_squares

    def strips(self, batch: int) -> int:
        """Strips of squares, through all images of a batch."""
        return ceil(batch * self.squares / self.unit_squares(batch))

    def unit_panels(self, batch: int) -> int:
        """
        Panels of a unit: all, if there are units enough, for each thread transforms its input.

        Where all squares are in one strip, it does so once for all its units: they may be small.
        """
        strips = self.strips(batch)
        macs = batch * self.points * self.squares * self.shape.in_maps * self.shape.out_maps
        least, most = (STRIP_UNIT_MACS, UNITS_OF_STRIP) if strips == 1 else (UNIT_MACS, LEAST_UNITS)
        ranges = max(1, min(self.panel_count, ceil(min(most, macs // least) / strips)))
        if strips * ranges == 3:  # of which one of two threads would do two
            ranges += 1
        return ceil(self.panel_count / ranges)

    def work_units(self, batch: int) -> int:
        """Units of a batch: strips of squares (across images), times ranges of panels."""
        return self.strips(batch) * ceil(self.panel_count / self.unit_panels(batch))

    def scratch_floats(self, batch: int) -> int:
        """Floats of scratch a thread needs: inputs and products at the points, and tables."""
        squares, tile, points = self.unit_squares(batch), self.tile, self.points
        points_in = points * (squares * self.shape.in_maps + PAD)
        points_out = points * (squares * self.unit_panels(batch) * tile.width + PAD)
        return points_in + points_out + 2 * points * tile.lanes + 4 * (squares + tile.pixels)


def lower_conv_winograd(
    shape: ConvShape,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    conv: WinogradConv | None = None,
) -> Lowered:
    """`y = conv(x)` with `weight` [out, in, r, r], for what fits; `x` has the halo asked for."""
    conv = conv or WinogradConv.of(shape, Target.host())
    assert conv is not None, "nothing was to be lowered this way that does not fit"
    (height, width), (down, across) = shape.size, conv.grid
    numbers = {
        "height": height,
        "width": width,
        "down": down,
        "across": across,
        "x_image": x.image_stride,
        "x_row": x.row_stride,
        "x_pixel": x.pixel_stride,
        "in_maps": shape.in_maps,
        "weights": conv.transform_weights(weight),
        "bias": conv.pack_bias(bias),
        "panel_count": conv.panel_count,
        "out_maps": shape.out_maps,
        **epilogue.fields,
    }
    before = shape.padding[0] * x.row_stride + shape.padding[1] * x.pixel_stride

    def call(batch: int) -> Call:
        first, unit_panels = start_of(x, batch).moved(-before), conv.unit_panels(batch)
        unit_squares = conv.unit_squares(batch)
        fields = ConvWinogradFields(
            batch=batch,
            x=first,
            unit_squares=unit_squares,
            unit_panels=unit_panels,
            **target(y, batch),
            **numbers,
        )
        unit_macs = (
            conv.points
            * min(unit_squares, batch * conv.squares)
            * shape.in_maps
            * unit_panels
            * conv.tile.width
        )
        units, scratch = conv.work_units(batch), conv.scratch_floats(batch)
        return Call(conv.kernel, fields, units, unit_macs // MACS_OF_FLOAT, scratch)

    return call
