"""
Offsets in one arena for values that are not alive all the time.

Greedy: one value after the other, each at the lowest offset where it meets no other that is alive
at the same time (Pisarchyk and Lee 2020, arXiv:2001.03288, section 5.2, who take the largest
first). No order is the best for all networks, so several are tried: the paper's wastes nothing on
ResNet-50 and half of the arena on U-Net, whose large values wait long for their readers.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

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
    least, best = most_at_once(values), None
    for urgency in (_size, _cells_and_steps, _steps, _start):
        order = sorted(range(len(values)), key=lambda i: urgency(values[i]))
        found = _placed(values, order)
        if best is None or found[1] < best[1]:
            best = found
        if best[1] == least:
            break
    assert best is not None
    return best


def most_at_once(values: Sequence[Lifetime]) -> int:
    """The largest sum of sizes alive at one step: no arena is smaller."""
    changes = [(v.first, _aligned(v.size)) for v in values]
    changes += [(v.last + 1, -_aligned(v.size)) for v in values]
    # What ends before a step makes room for what begins there: the negative sorts first.
    return max(accumulate(change for _, change in sorted(changes)), default=0)


def _size(value: Lifetime) -> tuple[int, ...]:
    return (-value.size,)


def _cells_and_steps(value: Lifetime) -> tuple[int, ...]:
    return (-value.size * (value.last - value.first + 1),)


def _steps(value: Lifetime) -> tuple[int, ...]:
    return value.first - value.last, -value.size


def _start(value: Lifetime) -> tuple[int, ...]:
    return value.first, -value.size


def _placed(values: Sequence[Lifetime], order: Sequence[int]) -> tuple[list[int], int]:
    """The offsets of `values` if they are placed in that order, and where the last one ends."""
    offsets = [0] * len(values)
    placed: list[int] = []  # from the lowest offset up
    for i in order:
        size, offset = _aligned(values[i].size), 0
        for j in placed:
            if values[j].first <= values[i].last and values[i].first <= values[j].last:
                if offset + size <= offsets[j]:
                    break
                offset = max(offset, offsets[j] + _aligned(values[j].size))
        offsets[i] = offset
        insort(placed, i, key=offsets.__getitem__)
    ends = (offset + _aligned(v.size) for offset, v in zip(offsets, values, strict=True))
    return offsets, max(ends, default=0)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT
