"""One kernel call of a program: its fields, as they are before addresses are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel

if TYPE_CHECKING:  # a program that is found whole needs no plan
    from cnndsl.plan.plan import Buffer, Place

# Threads draw work in chunks of about this many floats read or written: from one to some
# microseconds of work, and of a short step few chunks.
LEAST_CHUNK_FLOATS, MOST_CHUNK_FLOATS = 2048, 16384
CHUNKS = 8  # of a step whose work units are small
LEAST_SHARED_FLOATS = 4096  # of a step: a microsecond's work


class Address(NamedTuple):
    """
    A place that is known only when a program runs: `offset` floats into a buffer.

    The buffer is the arena, or the caller's array at a port.
    """

    place: Place
    offset: int
    port: int = 0

    def moved(self, floats: int) -> Address:
        """The place so many floats behind."""
        return self._replace(offset=self.offset + floats)


class Shared(NamedTuple):
    """A place in memory that all threads share during a call and the one before it: floats on."""

    offset: int = 0


Field = int | float | Address | Shared | Kernel | NDArray[np.float32] | NDArray[np.int64]
"""
What a lowering writes into a field: a number, or what has an address.

A kernel stands for the address of its code, an array for the address of its elements, and the
program that holds the call keeps the array alive.
"""


@dataclass(frozen=True, slots=True)
class Call:
    """
    One row of a program, or two of them.

    `fields` is the kernel's NamedTuple with a `Field` in each place. There are `units` units of
    work, of about `unit_floats` floats read or written each (or as costly as that). The kernel
    needs `scratch_floats` floats of scratch a thread, and `shared_floats` that its threads share.
    `before` is what all of them do first.
    """

    kernel: Kernel
    fields: tuple[Any, ...]
    units: int
    unit_floats: int
    scratch_floats: int = 0
    shared_floats: int = 0
    before: Call | None = None

    @property
    def rows(self) -> tuple[Call, ...]:
        """The rows of a program that it takes, in order."""
        return (*(self.before.rows if self.before else ()), self)

    @property
    def grain(self) -> int:
        """Units that a thread draws at a time."""
        part = self.units * self.unit_floats // CHUNKS
        chunk = min(max(part, LEAST_CHUNK_FLOATS), MOST_CHUNK_FLOATS)
        return max(1, chunk // max(1, self.unit_floats))

    @property
    def too_small_to_share(self) -> bool:
        """Whether one thread does all of it sooner than two that have to meet afterwards."""
        return self.units * self.unit_floats < LEAST_SHARED_FLOATS or self.units == 1


Lowered = Callable[[int], Call]
"""A kernel call whose weights are packed: the call for a batch of that size."""


def start_of(buffer: Buffer, batch: int) -> Address:
    """The first cell, halo not counted, of the first image in a buffer."""
    return Address(buffer.place, batch * buffer.offset + buffer.origin, buffer.port)


def source(x: Buffer, batch: int) -> dict[str, Field]:
    """The fields that say where a kernel reads: the first cell, and strides in floats."""
    return {
        "x": start_of(x, batch),
        "x_image": x.image_stride,
        "x_row": x.row_stride,
        "x_pixel": x.pixel_stride,
    }


def target(y: Buffer, batch: int, at: int = 0) -> dict[str, Field]:
    """The fields that say where a kernel writes, from `at` floats after the first cell on."""
    return {
        "y": start_of(y, batch).moved(at),
        "y_image": y.image_stride,
        "y_row": y.row_stride,
        "y_pixel": y.pixel_stride,
    }
