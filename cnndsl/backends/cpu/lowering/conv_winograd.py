"""
Winograd convolution: the fields of its kernel, its transformed weights and its work units.

A square of m x m outputs of an r x r filter reads a square of m + r - 1 inputs a side, and is
computed at as many points a side (`winograd_points`): there inputs and filter need only be
multiplied point by point. Over all squares and maps that is one matrix product a point. Larger
squares need fewer products an output, 36 for 16 of 3 x 3 and 64 for 36, but more weights, and waste
more at the ends of an image. So the sides of a square may differ: 4 x 2 outputs need 24 products.

Values grow on the way to the points and cancel on the way back, so results are less exact than a
plain sum's (`winograd_error`); and an output's bits still depend on nothing but its inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, Shared, start_of, target
from cnndsl.backends.cpu.lowering.conv_direct import MACS_OF_FLOAT, Tile
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape, Pair
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.overheads import SIDE, Overheads
from cnndsl.backends.cpu.lowering.space_to_depth import filters_to_depth
from cnndsl.backends.cpu.lowering.winograd_error import error_ratio
from cnndsl.backends.cpu.lowering.winograd_weights import weights_at_points
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer, Halo

PAD = 16  # floats between points: none two of them fall on the same lines of the cache
TAKEN = 4  # input maps that a turn of the products takes, where there is a multiple
MOST_ROWS = 6  # squares of a tile for which that leaves addresses enough
MOST_SQUARES = 30  # of a unit: more leave the second-level cache, fewer read weights more often
AGAIN = 0.75  # weights that take as long as one from memory: of those a cache still holds
UNIT_MACS = 1 << 22  # the least work of a unit
LEAST_UNITS = 4  # work units there are, at the least
MOVES_OF_INPUT = 3  # floats that take as long as an input's way to a point
STRIP_UNIT_MACS = 1 << 20  # the least work of a unit where all squares are in one strip
UNITS_OF_STRIP = 8  # and the units that it is split into


class ConvWinogradFields(NamedTuple):
    """
    The row of the kernel. Addresses are bytes, all else counts floats.

    The output image is `height` x `width`, covered by `down` x `across` squares. `x` is the address
    of the first float that the first square reads, halo included; `x_row` and `x_pixel` lead to the
    inputs below and to the next ones. The `in_maps` of an input lie in as many runs as its block
    has rows, a row of the image apart. `inputs` is the address of what the threads share of one
    strip: its inputs at the points, 0 where each makes its own. Where `only_inputs` is 1, the units
    of work are the strip's squares, and nothing but these are made. `weights` is [points, panels,
    vectors of the tile, in_maps, lanes], or half-way [points down, panels, in_maps, taps, lanes],
    and `bias` [panels, width].
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
    inputs: Any
    only_inputs: Any
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
    # A panel of two vectors stays in the first-level cache beside the next one on its way.
    shapes = [(6, 2, 0.95), (5, 2, 0.94), (4, 2, 0.93), (4, 3, 0.92)]
    if machine.registers >= 32:
        shapes = [(8, 3, 0.95), (8, 2, 0.93)]
    return tuple(Tile(s, v, machine.lanes, e) for s, v, e in shapes)


@dataclass(frozen=True, slots=True)
class WinogradConv:
    """
    A convolution cut into squares of `outputs` down and across, their products into tiles.

    `shape` moves by one pixel: where those of the image are `block`s of its pixels, it counts
    their maps, and only its padding counts pixels of the image (`space_to_depth`).
    """

    shape: ConvShape
    outputs: tuple[int, int]
    tile: Tile
    block: Pair = (1, 1)

    @property
    def sides(self) -> tuple[int, int]:
        """Inputs of a square down and across, and points."""
        (down, across), (r, s) = self.outputs, self.shape.kernel
        return down + r - 1, across + s - 1

    @property
    def error_ratio(self) -> float:
        """A bound on its error over that of a plain sum (`winograd_error`)."""
        return error_ratio(self.shape.kernel, self.outputs, self.shape.in_maps)

    @property
    def run(self) -> int:
        """Maps of an input that lie side by side: those of a block's row."""
        return self.shape.in_maps // self.block[0]

    @property
    def points(self) -> int:
        """Points of a square."""
        return prod(self.sides)

    @property
    def grid(self) -> tuple[int, int]:
        """Squares down and across an image."""
        (height, width), (down, across) = self.shape.size, self.outputs
        return ceil(height / down), ceil(width / across)

    @property
    def squares(self) -> int:
        """Squares of an image."""
        return self.grid[0] * self.grid[1]

    def macs_alike(self, batch: int, beside: Overheads) -> float:
        """Multiply-adds of an image of a batch, and those that take as long as all but weights."""
        lanes, shape = self.tile.lanes, self.shape
        computed = _computed(batch * self.squares, self.tile.pixels, self.unit_squares(batch))
        tiles = computed / batch / self.tile.pixels * self.panel_count
        vectors = ceil(self.run / lanes) * self.block[0] + ceil(shape.out_maps / lanes)
        # The sum of a line of inputs at a point has half as many terms as the line is long.
        each = beside.transform * sum(self.sides) / (2 * SIDE)
        transforms = self.squares * vectors * lanes * each
        return tiles * self.tile_macs(beside) + self.points * transforms

    def tile_macs(self, beside: Overheads) -> float:
        """Multiply-adds that take as long as a tile's products at all points."""
        tile = self.tile
        products = tile.pixels * tile.width * self.shape.in_maps / tile.efficiency
        return self.points * (products + beside.tile)

    @property
    def weight_floats(self) -> int:
        """Floats of a panel's weights."""
        return self.points * self.shape.in_maps * self.tile.width

    def weights_read(self, batch: int) -> float:
        """
        Weights at the points that are read for an image of a batch.

        Those that a later strip of squares reads again are counted for what they take.
        """
        weights = self.panel_count * self.weight_floats
        return weights * (1 + AGAIN * (self.strips(batch) - 1)) / batch

    def halo(self, image: tuple[int, int]) -> Halo:
        """The zeros that the squares read around an input image of that size."""
        (top, left), (height, width) = self.shape.padding, image
        down, across = (
            (squares * outputs + taps - 1) * block
            for squares, outputs, taps, block in zip(
                self.grid, self.outputs, self.shape.kernel, self.block, strict=True
            )
        )
        if self.run < self.tile.lanes:
            down += 1  # a vector of the last input reads on
        return top, max(0, down - top - height), left, max(0, across - left - width)

    @property
    def kernel(self) -> Kernel:
        """The kernel that computes it."""
        return self._kernel("conv_winograd", self.tile.vectors)

    def _kernel(self, function: str, wide: int) -> Kernel:
        """One of the module's kernels, for tiles that are `wide`, in what it counts that in."""
        several = self.shape.in_maps % TAKEN == 0 and self.tile.pixels <= MOST_ROWS
        tile = self.tile.pixels, wide, self.tile.lanes, TAKEN if several else 1
        runs = (self.block[0],) if self.block[0] > 1 else ()
        sizes = (*self.outputs, *self.shape.kernel, *tile, *runs)
        return Kernel("conv_winograd", function, sizes)

    def transform_weights(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """`weight` [out, in, r, s] at the points, as [points, panels, vectors, in_maps, lanes]."""
        return weights_at_points(filters_to_depth(weight, self.block), self.sides, self.tile)

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
        return _unit_squares(batch * self.squares, self.tile.pixels)

    def strips(self, batch: int) -> int:
        """Strips of squares, through all images of a batch."""
        return ceil(batch * self.squares / self.unit_squares(batch))

    def unit_panels(self, batch: int) -> int:
        """
        Panels of a unit: all, if there are units enough, for each thread transforms its input.

        Where all squares are in one strip, that is done once for all threads: units may be small.
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

    def shared_floats(self, batch: int) -> int:
        """
        Floats that the threads share: the inputs at the points, where all squares are in one strip.

        There are few squares then, and making them in each thread would take long beside the rest.
        But where a vector is longer than a run, it spoils what lies behind, and only a thread that
        makes all squares, one after the other, puts that right.
        """
        shares = self.strips(batch) == 1 and self.run >= self.tile.lanes
        return self._input_floats(batch) if shares else 0

    def _input_floats(self, batch: int) -> int:
        return self.points * (self.unit_squares(batch) * self.shape.in_maps + PAD)

    def scratch_floats(self, batch: int) -> int:
        """Floats of scratch a thread needs: a note, inputs and products at the points, tables."""
        squares, tile, points = self.unit_squares(batch), self.tile, self.points
        points_in = 0 if self.shared_floats(batch) else self._input_floats(batch)
        points_out = points * (squares * self.unit_panels(batch) * tile.width + PAD)
        return PAD + points_in + points_out + 2 * points * tile.lanes + 4 * (squares + tile.pixels)


@lru_cache(maxsize=1024)  # the search for the best way asks for few, but often
def _unit_squares(squares: int, step: int) -> int:
    """Of so many squares, those of a unit, in tiles of `step`."""
    most, all_tiles = MOST_SQUARES // step * step, ceil(squares / step)
    if all_tiles * step <= most:
        return all_tiles * step
    choices = range(most, MOST_SQUARES // 2 - 1, -step)
    return min(choices, key=lambda unit: _computed(squares, step, unit))


def _computed(squares: int, step: int, unit: int) -> int:
    """What two threads compute of so many squares, in tiles of `step` and units of `unit`."""
    if squares <= unit:
        return ceil(squares / step) * step
    return 2 * ceil(squares / (2 * unit)) * unit


def lower_conv_winograd(
    conv: WinogradConv,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
) -> Lowered:
    """`y = conv(x)` with `weight` [out, in, r, s]; `x` has the halo asked for."""
    shape = conv.shape
    (height, width), (down, across) = shape.size, conv.grid
    numbers = {
        "height": height,
        "width": width,
        "down": down,
        "across": across,
        "x_image": x.image_stride,
        "x_row": conv.block[0] * x.row_stride,
        "x_pixel": conv.block[1] * x.pixel_stride,
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
        shared, scratch = conv.shared_floats(batch), conv.scratch_floats(batch)
        squares = min(conv.unit_squares(batch), batch * conv.squares)
        fields = ConvWinogradFields(
            batch=batch,
            x=first,
            inputs=Shared() if shared else 0,
            only_inputs=0,
            unit_squares=conv.unit_squares(batch),
            unit_panels=unit_panels,
            **target(y, batch),
            **numbers,
        )
        inputs = None
        if shared:
            only = fields._replace(only_inputs=1, weights=0, bias=0, activation=0)
            moved = conv.points * shape.in_maps * MOVES_OF_INPUT
            inputs = Call(conv.kernel, only, squares, moved, scratch, shared)
        unit_macs = conv.points * squares * shape.in_maps * unit_panels * conv.tile.width
        floats, units = unit_macs // MACS_OF_FLOAT, conv.work_units(batch)
        return Call(conv.kernel, fields, units, floats, scratch, shared, inputs)

    return call
