"""
Direct convolution: its fields, its packed weights, its tiles and work units.

A tile computes `pixels` times `maps` outputs in registers: for every float that a pixel reads, it
multiplies that float of each pixel with one row of packed weights. Where those floats lie is a
table of offsets, the same for every pixel, and where a pixel's first one lies is another table.
So window sizes, strides, dilations, groups and image borders are no concern of the kernel; padding
is a halo of zeros around the image; nothing is gathered or copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered, start_of, target
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.epilogue import Epilogue
from cnndsl.backends.cpu.lowering.weight_memory import weight_memory
from cnndsl.backends.cpu.target import Target
from cnndsl.plan.plan import Buffer

FLOATS_IN_CACHE = 1 << 16  # half of a 512 KiB second-level cache: the input of a block of pixels
MOST_TILES, LEAST_TILES = 64, 8  # tiles of a block of pixels
MOST_UNITS = 16  # work units that a batch is split into, at the least where there is enough work
UNIT_MACS = 1 << 16  # the least work of a unit
MACS_OF_FLOAT = 8  # multiply-adds that take as long as moving a float
RUNS = 4, 3, 2  # of neighbouring floats that the inner loop takes a turn, the longest first
LINE, PAGE = 16, 1 << 10  # floats of a line of the cache; pixels so far apart fall on one set of it
FLOATS_IN_CACHES = 1 << 21  # of a batch's images: what is more comes from memory
STAGED_MAPS = 256  # output maps that are worth a copy of the pixels


class ConvDirectFields(NamedTuple):
    """
    The row of the kernel. Addresses are bytes, all else counts floats.

    `x` is the address of the first float that pixel (0, 0) of the first output image reads, halo
    included; `x_down` and `x_right` lead from there to what the pixel below and the next one read.
    `weights` is [panels, reduction, width] and `bias` [panels, width]; `offsets` and `panels` are
    tables of int64, of where each of the `runs` of floats begins that a pixel reads, and of
    `Panel`s. Where `staged` is not 0, a unit's pixels are copied to scratch memory first, so many
    floats apart. Of each pixel of the next block, `ahead` lines of the cache are asked for. Where
    `onto` is 1 and not 0, the outputs are added to what `y` holds.
    """

    batch: Any
    height: Any
    width: Any
    x: Any
    x_image: Any
    x_down: Any
    x_right: Any
    weights: Any
    bias: Any
    reduction: Any
    offsets: Any
    runs: Any
    panels: Any
    panel_count: Any
    staged: Any
    ahead: Any
    unit_pixels: Any
    unit_panels: Any
    y: Any
    y_image: Any
    y_row: Any
    y_pixel: Any
    onto: Any
    low: Any
    high: Any
    activation: Any


class Panel(NamedTuple):
    """
    Neighbouring output maps of one group, computed together.

    `x_offset` is the group's first input map, `first` the panel's first output map, `maps` its
    number of maps, at most the tile's width.
    """

    x_offset: Any
    first: Any
    maps: Any


@dataclass(frozen=True, slots=True)
class Tile:
    """
    What the kernel computes in registers at a time: pixels times vectors of output maps.

    `efficiency` is the share of the peak that the inner loop reaches: measured on Zen 3 with AVX2,
    assumed of wider vectors.
    """

    pixels: int
    vectors: int
    lanes: int
    efficiency: float = 1.0

    @property
    def width(self) -> int:
        """Output maps of a tile."""
        return self.vectors * self.lanes


def tiles(machine: Target) -> tuple[Tile, ...]:
    """
    The tiles that suit a machine's registers, the one preferred first.

    A tile of p pixels and v vectors keeps p * v sums, v weights and one value in vector registers,
    p + 5 addresses in general ones, and loads p + v values for p * v multiply-adds.
    """
    shapes = [(6, 2, 0.95), (5, 2, 0.94), (4, 3, 0.92), (8, 1, 0.7)]
    if machine.registers >= 32:
        shapes = [(8, 3, 0.95), (8, 2, 0.93), (10, 1, 0.7)]
    return tuple(Tile(p, v, machine.lanes, e) for p, v, e in shapes)


def best_tile(shape: ConvShape, machine: Target) -> Tile:
    """The tile that wastes least on the ends of the image and of the maps."""

    def cost(tile: Tile) -> float:
        pixels = ceil(shape.pixels / tile.pixels) * tile.pixels
        maps = ceil(shape.group_out / tile.width) * tile.width
        return pixels * maps / tile.efficiency

    return min(tiles(machine), key=cost)


def lower_conv_direct(
    shape: ConvShape,
    x: Buffer,
    y: Buffer,
    epilogue: Epilogue,
    weight: NDArray[np.float32],
    bias: NDArray[np.float32] | None,
    tile: Tile | None = None,
) -> Lowered:
    """`y = conv(x)` with `weight` [out, in/groups, kh, kw], of any shape."""
    tile = tile or best_tile(shape, Target.host())
    conv = DirectConv(shape, tile, returns=epilogue.activation is not None)
    height, width = shape.size
    panels, apart = conv.panels(), staged(shape, x)
    places = offsets(shape, x)
    run = longest_run(places)
    numbers = {
        "height": height,
        "width": width,
        "x_image": x.image_stride,
        "x_down": shape.stride[0] * x.row_stride,
        "x_right": shape.stride[1] * x.pixel_stride,
        "weights": conv.pack_weights(weight),
        "bias": conv.pack_bias(bias),
        "reduction": shape.reduction,
        "offsets": places[::run].copy(),
        "runs": len(places) // run,
        "panels": panels,
        "panel_count": len(panels),
        "staged": apart,
        "onto": int(epilogue.onto),
        **epilogue.fields,
    }
    before = shape.padding[0] * x.row_stride + shape.padding[1] * x.pixel_stride
    fresh_lines = ceil(min(shape.stride[1] * x.pixel_stride, shape.reduction) / LINE)

    def call(batch: int) -> Call:
        first, units = start_of(x, batch).moved(-before), conv.units(batch)
        numbers_there = {
            "unit_pixels": units.pixels,
            "unit_panels": units.panels,
            "ahead": fresh_lines if batch * x.image_stride > FLOATS_IN_CACHES else 0,
            **numbers,
        }
        fields = ConvDirectFields(batch=batch, x=first, **target(y, batch), **numbers_there)
        unit_macs = units.pixels * units.panels * conv.tile.width * shape.reduction
        tables = 2 * 2 * (units.pixels + conv.tile.pixels)  # of pixels, in int64
        scratch = LINE + units.pixels * apart + tables  # and a note
        return Call(conv.kernel(run), fields, units.number, unit_macs // MACS_OF_FLOAT, scratch)

    return call


def offsets(shape: ConvShape, x: Buffer) -> NDArray[np.int64]:
    """
    What a pixel of the output reads of `x`, in the order of the packed weights: int64.

    Each float's distance from the first one, [reduction].
    """
    (kh, kw), (down, right) = shape.kernel, shape.dilation
    rows = np.arange(kh) * down * x.row_stride
    columns = np.arange(kw) * right * x.pixel_stride
    maps = np.arange(shape.group_in)
    return (rows[:, None, None] + columns[:, None] + maps).reshape(-1)


def longest_run(places: NDArray[np.int64]) -> int:
    """
    In runs of how many neighbours, of those that a kernel knows, all places can be taken.

    >>> [longest_run(np.array(places)) for places in ([0, 1, 2, 9, 10, 11], [0, 1, 3])]
    [3, 1]
    """
    for run in RUNS:
        if len(places) % run == 0:
            parts = places.reshape(-1, run)
            if (parts == parts[:, :1] + np.arange(run)).all():
                return run
    return 1


def staged(shape: ConvShape, x: Buffer) -> int:
    """
    How many floats apart the pixels of a unit lie in a copy; 0 where they are read in their place.

    The pixels of a tile that are whole pages apart compete for the few lines of one set of the
    cache. An odd number of lines apart, they fall on a set each.
    """
    aliased = shape.stride[1] * x.pixel_stride % PAGE == 0
    if not (aliased and shape.kernel == (1, 1) and shape.groups == 1):
        return 0
    return LINE * (ceil(shape.in_maps / LINE) | 1) if shape.out_maps >= STAGED_MAPS else 0


class Units(NamedTuple):
    """A batch cut into blocks of pixels, across images, times ranges of panels."""

    pixels: int
    panels: int
    number: int


@dataclass(frozen=True, slots=True)
class DirectConv:
    """
    A convolution cut into tiles.

    `returns` says whether the kernel returns to what it has written of a unit, to activate it.
    """

    shape: ConvShape
    tile: Tile
    returns: bool = False

    def kernel(self, run: int) -> Kernel:
        """The kernel that computes it, from runs of so many floats."""
        tile = self.tile
        return Kernel("conv_direct", "conv_direct", (tile.pixels, tile.vectors, tile.lanes, run))

    def pack_weights(self, weight: NDArray[np.float32]) -> NDArray[np.float32]:
        """`weight` [out, in/groups, kh, kw] as [panels, reduction, width]."""
        shape, width, each = self.shape, self.tile.width, self._group_panels
        taps = shape.kernel[0] * shape.kernel[1]
        filters = weight.reshape(shape.groups, -1, shape.group_in, taps)
        if shape.group_out < each * width:
            filters = np.pad(filters, ((0, 0), (0, each * width - shape.group_out), (0, 0), (0, 0)))
        panels = filters.reshape(self._panel_count, width, shape.group_in, taps)
        packed = weight_memory((self._panel_count, taps, shape.group_in, width))
        packed[...] = panels.transpose(0, 3, 2, 1)
        return packed.reshape(self._panel_count, shape.reduction, width)

    def pack_bias(self, bias: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """`bias` [out], or zeros, as [panels, width]."""
        shape, width = self.shape, self.tile.width
        packed = np.zeros((shape.groups, self._group_panels * width), np.float32)
        if bias is not None:
            packed[:, : shape.group_out] = bias.reshape(shape.groups, -1)
        return packed.reshape(-1, width)

    def panels(self) -> NDArray[np.int64]:
        """The panels of all groups, in the order of the packed weights: `Panel`s."""
        shape, width = self.shape, self.tile.width
        inputs, outputs = shape.group_in, shape.group_out
        table = [
            Panel(group * inputs, group * outputs + first, min(width, outputs - first))
            for group in range(shape.groups)
            for first in range(0, outputs, width)
        ]
        return np.array(table, np.int64)

    def units(self, batch: int) -> Units:
        """The units of a batch: as many as threads need to share it, if each has enough work."""
        pixels, least = batch * self.shape.pixels, LEAST_TILES * self.tile.pixels
        wanted = min(MOST_UNITS, batch * self.shape.macs // UNIT_MACS)
        blocks = ceil(pixels / self._most_pixels)
        ranges = max(1, min(self._panel_count, ceil(wanted / blocks)))
        blocks = max(blocks, min(ceil(wanted / ranges), pixels // least))
        unit_pixels = ceil(pixels / blocks / self.tile.pixels) * self.tile.pixels
        unit_panels = ceil(self._panel_count / ranges)
        number = ceil(pixels / unit_pixels) * ceil(self._panel_count / unit_panels)
        return Units(unit_pixels, unit_panels, number)

    @property
    def _most_pixels(self) -> int:
        """
        Pixels of a block, whole tiles, whose input stays in the cache while panels change.

        So does its output, if the kernel returns to it.
        """
        (down, right), (kh, kw) = self.shape.stride, self.shape.kernel
        fresh = self.shape.in_maps * min(down, kh) * min(right, kw)  # floats that a pixel adds
        kept = self.shape.out_maps if self.returns else 0
        fitting = FLOATS_IN_CACHE // (fresh + kept) // self.tile.pixels
        return max(LEAST_TILES, min(fitting, MOST_TILES)) * self.tile.pixels

    @property
    def _group_panels(self) -> int:
        return ceil(self.shape.group_out / self.tile.width)

    @property
    def _panel_count(self) -> int:
        return self.shape.groups * self._group_panels
