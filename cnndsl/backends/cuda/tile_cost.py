"""
How many cycles a GPU takes for a launch of tiles, by estimate: a processor's units against latency.

Blocks that are resident on a processor share its units, and cover each other's waits. A slice of
one keeps each unit busy for some cycles: the schedulers, the arithmetic, shared memory, the second
cache. As many slices as are resident take what the busiest unit does, but never less than one takes
that has all for itself.

Rates are those of NVIDIA's guide where it has them. Nothing has been measured by us.
"""

from __future__ import annotations

from math import ceil

from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.shapes.conv_tile import Tile
from cnndsl.backends.cuda.shapes.tensor_core import LANES

_SCHEDULERS = 4  # of a processor, an instruction a cycle each
_SHARED_BYTES = 128  # a cycle
_QUAD_CYCLES = 2  # of shared memory, where the lanes of a warp load quads and many the same ones
_CACHE_BYTES = 32  # of the second cache, a cycle, for each processor when all read it
_MEMORY_BYTES = 16  # the same of what is behind it, halfway to the cache: sums of splits fit it

# As NVIDIA's assembler makes them of the main loop.
_COPY_INSTRUCTIONS = 17
_SLICE_INSTRUCTIONS = 45
_ROUNDING = {"tf32": 2}  # instructions a word of the left factor

_LATENCY = 800  # cycles from asking for memory to having it
_STALL = 120  # cycles of a slice that only other blocks cover: its barrier, its first loads
_START = 1500  # cycles from a block's start to its first product
_SECOND_LAUNCH = 3500  # cycles for the kernel that adds splits to start


def launch_cycles(tile: Tile, gpu: Gpu, blocks: int, steps: int) -> float:
    """
    Of a grid of `blocks` tiles, each of so many slices.

    The processor with the most blocks has them in rounds of as many as are resident; the last round
    may have fewer.
    """
    rounds, rest = divmod(ceil(blocks / gpu.processors), tile.resident)
    cycles = rounds * _round_cycles(tile, gpu, tile.resident, steps)
    return cycles + (_round_cycles(tile, gpu, rest, steps) if rest else 0.0)


def split_cycles(gpu: Gpu, splits: int, cells: int) -> float:
    """Of adding the sums of splits up, and of starting to."""
    return _SECOND_LAUNCH + 4 * (splits + 1) * cells / (gpu.processors * _MEMORY_BYTES)


def _round_cycles(tile: Tile, gpu: Gpu, together: int, steps: int) -> float:
    """Of so many blocks on one processor, from the start of the first to the end of the last."""
    busy = together * max(unit_cycles(tile, gpu).values()) + _STALL / together
    each = max(busy, _alone(tile, gpu))
    return _START + steps * each + together * 4 * tile.rows * tile.columns / _CACHE_BYTES


def unit_cycles(tile: Tile, gpu: Gpu) -> dict[str, float]:
    """For how many cycles a slice keeps each unit of a processor busy."""
    core, warps = tile.tensor_core, ceil(tile.threads / LANES)
    copied = tile.rows * tile.depth + tile.right_rows * tile.right_pitch  # words
    if core:
        down, across = tile.workers
        read = across * tile.rows * tile.depth + down * tile.right_rows * tile.right_pitch
        shared = 4 * read / _SHARED_BYTES
    else:
        shared = warps * _loads(tile) * _QUAD_CYCLES
    products = tile.rows * tile.columns * tile.depth
    return {
        "schedulers": warps * _instructions(tile) / _SCHEDULERS,
        "arithmetic": products / gpu.multiply_adds(core.format if core else "float32"),
        "shared memory": shared + 4 * copied / _SHARED_BYTES,
        "cache": 4 * copied / _CACHE_BYTES,
    }


def _alone(tile: Tile, gpu: Gpu) -> float:
    """Cycles of a slice for which a block has a processor to itself."""
    cycles = _instructions(tile) + _STALL
    if tile.asynchronous:
        return max(cycles, _LATENCY / (tile.stages - 1))
    return cycles + _LATENCY


def _loads(tile: Tile) -> float:
    """Loads from shared memory of a thread for a slice, a quad or four matrices each."""
    core = tile.tensor_core
    if core is None:
        return (tile.thread_rows + tile.thread_columns) * tile.depth / 4
    right = tile.thread_columns * tile.depth // core.depth * core.right_words
    return tile.thread_rows * tile.depth / 8 + right / 4


def _instructions(tile: Tile) -> float:
    """Of a thread for a slice."""
    core = tile.tensor_core
    products, rounded = tile.sums * tile.depth, 0
    if core:
        steps = tile.depth // core.depth
        products = tile.thread_rows * tile.thread_columns * steps
        rounded = tile.thread_rows * steps * core.left_words * _ROUNDING.get(core.format, 1)
    right_copies = ceil(tile.right_rows * tile.right_pitch / (4 * tile.threads))
    copies = tile.rows / tile.copy_rows + right_copies
    return products + rounded + _loads(tile) + _SLICE_INSTRUCTIONS + _COPY_INSTRUCTIONS * copies
