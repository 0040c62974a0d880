"""One kernel launch of a network, as it is before addresses are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.plan.plan import Buffer, Place


class Region(NamedTuple):
    """
    Memory of a network's: one of the caller's arrays, by its place among them, or the arena.

    `scratch` is what one launch leaves for the next one of its step.
    """

    place: Place | Literal["scratch"]
    port: int = 0


ARENA = Region("arena")
SCRATCH = Region("scratch")


class Address(NamedTuple):
    """A place that is known only when a network runs: `offset` floats into a region."""

    region: Region
    offset: int


class Constant(NamedTuple):
    """An array that lies on the device as long as the network does: weights, tables."""

    array: NDArray[Any]


UNUSED = Constant(np.zeros(1, np.float32))
"""The argument of a kernel that does not read it."""

Argument = Address | Constant

Extent = tuple[int, int, int]
"""Sizes along x, y and z."""


@dataclass(frozen=True, slots=True)
class Launch:
    """
    One launch: the kernel, how many blocks of how many threads, and what they are given.

    `shape` is the kernel's NamedTuple. Shared memory is the kernel's own. `scratch` floats are used
    until the step ends.
    """

    kernel: Kernel
    grid: Extent
    block: Extent
    arguments: tuple[Argument, ...]
    shape: tuple[int | float, ...]
    scratch: int = 0

    @property
    def threads(self) -> int:
        """Threads of a block."""
        return self.block[0] * self.block[1] * self.block[2]


Lowered = Callable[[int], list[Launch]]
"""Work whose weights are packed: its launches, in order, for a batch of that size."""


def region_of(buffer: Buffer) -> Region:
    """Where a value lies."""
    return Region(buffer.place, buffer.port)


def start_of(buffer: Buffer, batch: int) -> Address:
    """The first cell of the first image in a buffer."""
    return Address(region_of(buffer), batch * buffer.offset + buffer.origin)


def over_cells(cells: int, gpu: Gpu) -> tuple[Extent, Extent]:
    """
    Grid and block of a kernel whose threads each walk over cells, a grid apart.

    >>> over_cells(1000, Gpu("", (8, 0), 108, 0))
    ((4, 1, 1), (256, 1, 1))
    """
    blocks = min(ceil(cells / gpu.threads), gpu.processors * gpu.blocks)
    return (blocks, 1, 1), (gpu.threads, 1, 1)


def lanes_for(length: int, gpu: Gpu) -> int:
    """
    Threads that share a line of so many cells: a power of two, each with a cell at least.

    >>> lanes_for(10, Gpu("", (8, 0), 108, 0)), lanes_for(5000, Gpu("", (8, 0), 108, 0))
    (8, 256)
    """
    return 1 << min(length.bit_length() - 1, gpu.threads.bit_length() - 1)
