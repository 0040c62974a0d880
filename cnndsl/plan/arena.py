"""
Offsets in one arena for values that are not alive all the time.

Greedy by size: the largest value first, each at the lowest offset where it meets no other that is
alive at the same time (Pisarchyk and Lee 2020, arXiv:2001.03288, section 5.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 16
"""Elements: offsets of a batch of any size then fall on cache lines."""


@dataclass(frozen=True, slots=True)
class Lifetime:
    """A value of `size` elements that is written at step `first` and last read at step `last`."""

    size: int
    first: int
    last: int


def assign_offsets(values: Sequence[Lifetime]) -> tuple[list[int], int]:
    """
    An offset for each value, and the size of the arena.

    >>> assign_offsets([Lifetime(100, 0, 1), Lifetime(50, 1, 2), Lifetime(100, 2, 3)])
    ([0, 112, 0], 176)
    """
    offsets = [0] * len(values)
    placed: list[int] = []
    for i in sorted(range(len(values)), key=lambda i: -values[i].size):
        size = _aligned(values[i].size)
        offset = 0
        for j in sorted(placed, key=offsets.__getitem__):
            if values[j].first <= values[i].last and values[i].first <= values[j].last:
                if offset + size <= offsets[j]:
                    break
                offset = max(offset, offsets[j] + _aligned(values[j].size))
        offsets[i] = offset
        placed.append(i)
    ends = (offset + _aligned(v.size) for offset, v in zip(offsets, values, strict=True))
    return offsets, max(ends, default=0)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
