"""
What Winograd's algorithm does beside its products, in multiply-adds that take as long.

Where a core multiplies half as many floats a cycle, what is no arithmetic counts for less.
"""

from __future__ import annotations

from typing import NamedTuple

from cnndsl.backends.cpu.target import Target

SIDE = 7


class Overheads(NamedTuple):
    """
    Multiply-adds that take as long as each of these.

    `tile` is to begin a tile and to write it, `transform` a map's way to a point, or back, where a
    square has `SIDE` of them a side, `edge` a float that squares read or write of an image, and
    `weight` one that comes from memory.
    """

    tile: float
    transform: float
    edge: float
    weight: float


def overheads_of(machine: Target) -> Overheads:
    """Those of a machine's cores."""
    return _OF_HALVES if machine.halves_avx2 else _OF_WHOLE_VECTORS


_OF_WHOLE_VECTORS = Overheads(tile=800, transform=8, edge=11, weight=8)  # measured on Zen 3
_OF_HALVES = Overheads(tile=100, transform=6, edge=9, weight=6)  # and on Zen 1
