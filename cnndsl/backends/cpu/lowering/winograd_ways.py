"""The squares that Winograd's algorithm may cut a convolution into, and which of them to prefer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product

from cnndsl.backends.cpu.lowering.conv_direct import MACS_OF_FLOAT
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.conv_winograd import WinogradConv, winograd_tiles
from cnndsl.backends.cpu.lowering.space_to_depth import space_to_depth
from cnndsl.backends.cpu.lowering.winograd_error import error_ratio
from cnndsl.backends.cpu.lowering.winograd_points import PAIRS
from cnndsl.backends.cpu.target import Target

SIDES = tuple(PAIRS)  # the numbers of points a side that there are squares for
# `winograd_error` bounds the standard error of the worst output by a multiple of the plain sum's.
# No square may be so large that this exceeds so many.
MOST_ERROR_RATIO = 22.0
MOST_ERROR_OF_BLOCKS = 12.0  # larger squares of blocks are hardly faster, as measured
OBLONG = 1.1  # more that squares of unlike sides must promise: they are kernels of their own
BLOCKS = 1.35  # and squares of blocks: many maps at the points leave the second-level cache
LEAST_MAPS = 8  # of an input: with fewer, the ways to the points and back take all the time
LANES_OF_RUN = 4  # a run of an input fills at least one lane of so many
BATCHES = (1, 4, 16)
"""
Images of a call for which the best squares are worth considering.

For one image small squares are fast, for there are fewer weights at their points to be read; for
many, large ones, for they need fewer products.
"""


@lru_cache(maxsize=1024)  # a start waits for them, and rows of one network are alike
def winograd_ways(shape: ConvShape, machine: Target) -> tuple[WinogradConv, ...]:
    """The ways worth considering, one for each size of squares; none where none is exact enough."""
    ways = list(_ways(shape, machine))
    best = [min(ways, key=lambda way, n=n: rank(way, n, machine)) for n in BATCHES] if ways else []
    return tuple({way.outputs: way for way in best}.values())


def winograd_way(shape: ConvShape, outputs: tuple[int, int], machine: Target) -> WinogradConv:
    """
    The way by squares of so many outputs down and across, in the tiles that waste least.

    What moves by several pixels reads blocks of so many.
    """
    blocks, tiles = space_to_depth(shape), winograd_tiles(machine)
    ways = [WinogradConv(blocks, outputs, tile, shape.stride) for tile in tiles]
    return min(ways, key=lambda way: rank(way, 1, machine))


def rank(way: WinogradConv, batch: int, machine: Target) -> float:
    """Multiply-adds that take as long as an image of a batch, to compare ways by."""
    alike = way.macs_alike(batch) + _macs_of_float(machine) * way.weights_read(batch)
    return alike * margin(way)


def _macs_of_float(machine: Target) -> float:
    """Multiply-adds of a core that take as long as a weight from memory; six on Zen 1."""
    return 0.75 * MACS_OF_FLOAT if machine.halves_avx2 else MACS_OF_FLOAT


def margin(way: WinogradConv) -> float:
    """How many times as fast as others a way must promise to be."""
    square, pixels = way.outputs[0] == way.outputs[1], way.block == (1, 1)
    return (1.0 if square else OBLONG) * (1.0 if pixels else BLOCKS)


def _ways(shape: ConvShape, machine: Target) -> Iterator[WinogradConv]:
    """One way for each size of squares that is exact enough."""
    if not (shape.dilation == (1, 1) and shape.groups == 1):
        return
    blocks = space_to_depth(shape)
    run = blocks.in_maps // shape.stride[0]
    if blocks.in_maps < LEAST_MAPS or run * LANES_OF_RUN < machine.lanes:
        return
    down, across = map(_square_sides, blocks.kernel)
    most = MOST_ERROR_RATIO if blocks == shape else MOST_ERROR_OF_BLOCKS
    for outputs in product(down, across):
        exact = error_ratio(blocks.kernel, outputs, blocks.in_maps) <= most
        if exact and outputs != (1, 1):
            yield winograd_way(shape, outputs, machine)


def _square_sides(taps: int) -> list[int]:
    """Outputs that squares may have in a direction in which a filter has so many taps."""
    if taps == 1:
        return [1]
    return [1, *(side + 1 - taps for side in SIDES if side > taps)]
