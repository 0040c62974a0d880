"""The squares that Winograd's algorithm may cut a convolution into, and which of them to prefer."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from math import prod

from cnndsl.backends.cpu.lowering.conv_shape import ConvShape, Pair
from cnndsl.backends.cpu.lowering.conv_winograd import WinogradConv, winograd_tiles
from cnndsl.backends.cpu.lowering.overheads import overheads_of
from cnndsl.backends.cpu.lowering.space_to_depth import space_to_depth
from cnndsl.backends.cpu.lowering.winograd_error import error_ratio
from cnndsl.backends.cpu.lowering.winograd_half import MOST_SQUARES, HalfWinogradConv, half_tiles
from cnndsl.backends.cpu.lowering.winograd_points import PAIRS
from cnndsl.backends.cpu.target import Target

SIDES = tuple(PAIRS)  # the numbers of points a side that there are squares for
# `winograd_error` bounds the standard error of the worst output by a multiple of the plain sum's.
# No square may be so large that this exceeds so many.
MOST_ERROR_RATIO = 22.0
MOST_ERROR_OF_BLOCKS = 12.0  # larger squares of blocks are hardly faster, as measured
OBLONG = 1.1  # more that squares of unlike sides must promise: they are kernels of their own
FEW_MAPS = 1.2  # and squares whose inputs do not fill a vector
BLOCKS = 1.25  # and squares of blocks: many maps at the points leave the second-level cache
LEAST_MAPS = 3  # of an input: with fewer, the ways to the points and back take all the time
LANES_OF_RUN = 4  # a run of an input fills at least one lane of so many
BATCHES = (1, 4, 16)
"""
Images of a call for which the best squares are worth considering.

For one image small squares are fast, for there are fewer weights at their points to be read; for
many, large ones, for they need fewer products.
"""


WINOGRAD, HALF_WINOGRAD = "conv_winograd", "conv_winograd_half"


def winograd_name(way: WinogradConv) -> str:
    """
    The name of Winograd's algorithm by the squares of `way`, so many outputs down and across.

    >>> shape, machine = ConvShape((7, 7), 64, 64, (3, 3)), Target.host()
    >>> winograd_name(winograd_way(shape, (4, 2), machine))
    'conv_winograd:4x2'
    >>> winograd_name(winograd_way(shape, (4, 2), machine, half=True))
    'conv_winograd_half:4x2'
    """
    kernel = HALF_WINOGRAD if isinstance(way, HalfWinogradConv) else WINOGRAD
    return f"{kernel}:{way.outputs[0]}x{way.outputs[1]}"


def named_way(name: str, shape: ConvShape, machine: Target) -> WinogradConv:
    """The way that `winograd_name` has named."""
    kernel, _, squares = name.partition(":")
    down, _, across = squares.partition("x")
    return winograd_way(shape, (int(down), int(across)), machine, half=kernel == HALF_WINOGRAD)


@lru_cache(maxsize=1024)  # a start waits for them, and rows of one network are alike
def winograd_ways(shape: ConvShape, machine: Target) -> tuple[WinogradConv, ...]:
    """The ways worth considering, one for each size of squares; none where none is exact enough."""
    ways = list(_ways(shape, machine))
    best = [min(ways, key=lambda way, n=n: rank(way, n, machine)) for n in BATCHES] if ways else []
    return tuple({winograd_name(way): way for way in best}.values())


def winograd_way(
    shape: ConvShape, outputs: Pair, machine: Target, *, half: bool = False
) -> WinogradConv:
    """
    The way by squares of so many outputs down and across, in the tiles that waste least.

    What moves by several pixels reads blocks of so many. Weights may be kept `half`-way.
    """
    blocks, block = space_to_depth(shape), shape.stride
    if half:
        registers = machine.registers
        ways = [
            HalfWinogradConv(blocks, outputs, tile, block, registers)
            for tile in half_tiles(machine)
        ]
    else:
        ways = [WinogradConv(blocks, outputs, tile, block) for tile in winograd_tiles(machine)]
    return min(ways, key=lambda way: rank(way, 1, machine))


def rank(way: WinogradConv, batch: int, machine: Target) -> float:
    """Multiply-adds that take as long as an image of a batch, to compare ways by."""
    beside = overheads_of(machine)
    alike = way.macs_alike(batch, beside) + beside.weight * way.weights_read(batch)
    return alike * margin(way)


def margin(way: WinogradConv) -> float:
    """How many times as fast as others a way must promise to be."""
    pixels = way.block == (1, 1)
    margins = (
        (OBLONG, way.outputs[0] != way.outputs[1]),
        (FEW_MAPS, pixels and way.run < way.tile.lanes),
        (BLOCKS, not pixels),
    )
    return prod(factor for factor, applies in margins if applies)


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
            whole = winograd_way(shape, outputs, machine)
            yield whole
            if outputs[1] > 1 and whole.squares <= MOST_SQUARES:
                half = winograd_way(shape, outputs, machine, half=True)
                yield from [half] if half.error_ratio <= most else []


def _square_sides(taps: int) -> list[int]:
    """Outputs that squares may have in a direction in which a filter has so many taps."""
    if taps == 1:
        return [1]
    return [1, *(side + 1 - taps for side in SIDES if side > taps)]
