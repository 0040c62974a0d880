"""The squares that Winograd's algorithm may cut a convolution into, and which of them to prefer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from cnndsl.backends.cpu.lowering.conv_direct import MACS_OF_FLOAT
from cnndsl.backends.cpu.lowering.conv_shape import ConvShape
from cnndsl.backends.cpu.lowering.conv_winograd import WinogradConv, winograd_tiles
from cnndsl.backends.cpu.lowering.winograd_error import error_ratio
from cnndsl.backends.cpu.lowering.winograd_points import PAIRS
from cnndsl.backends.cpu.target import Target

SIDES = tuple(PAIRS)  # the numbers of points a side that there are squares for
# `winograd_error` bounds the standard error of the worst output by a multiple of the plain sum's.
# No square may be so large that this exceeds so many.
MOST_ERROR_RATIO = 22.0
OBLONG = 1.1  # more that squares of unlike sides must promise: they are kernels of their own
BATCHES = (1, 4, 16)
"""
Images of a call for which the best squares are worth considering.

For one image small squares are fast, for there are fewer weights at their points to be read; for
many, large ones, for they need fewer products.
"""


def winograd_ways(shape: ConvShape, machine: Target) -> tuple[WinogradConv, ...]:
    """The ways worth considering, one for each size of squares; none where none is exact enough."""
    ways = list(_ways(shape, machine))
    best = [min(ways, key=lambda way, n=n: rank(way, n)) for n in BATCHES] if ways else []
    return tuple({way.outputs: way for way in best}.values())


def winograd_way(shape: ConvShape, outputs: tuple[int, int], machine: Target) -> WinogradConv:
    """The way by squares of so many outputs down and across, in the tiles that waste least."""
    ways = [WinogradConv(shape, outputs, tile) for tile in winograd_tiles(machine)]
    return min(ways, key=lambda way: rank(way, 1))


def rank(way: WinogradConv, batch: int) -> float:
    """Multiply-adds that take as long as an image of a batch, to compare ways by."""
    alike = way.macs_alike(batch) + MACS_OF_FLOAT * way.weights_read(batch)
    return alike * margin(way.outputs)


def margin(outputs: tuple[int, int]) -> float:
    """How many times as fast as others squares of so many outputs must promise to be."""
    return 1.0 if outputs[0] == outputs[1] else OBLONG


def _ways(shape: ConvShape, machine: Target) -> Iterator[WinogradConv]:
    """One way for each size of squares that is exact enough."""
    if not (shape.stride == shape.dilation == (1, 1) and shape.groups == 1):
        return
    if shape.in_maps < machine.lanes:
        return
    down, across = map(_square_sides, shape.kernel)
    for outputs in product(down, across):
        exact = error_ratio(shape.kernel, outputs, shape.in_maps) <= MOST_ERROR_RATIO
        if exact and outputs != (1, 1):
            yield winograd_way(shape, outputs, machine)


def _square_sides(taps: int) -> list[int]:
    """Outputs that squares may have in a direction in which a filter has so many taps."""
    if taps == 1:
        return [1]
    return [1, *(side + 1 - taps for side in SIDES if side > taps)]
