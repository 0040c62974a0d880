"""
Memory for packed weights, on large pages.

A layer's weights are read from end to end, and at each page the processor looks up where it lies.
With the usual pages of 4 KiB that is a twentieth of a network whose weights are many; pages of
2 MiB have their places remembered. Linux makes them where a program asks for it.
"""

from __future__ import annotations

import mmap
from contextlib import suppress
from math import prod

import numpy as np
from numpy.typing import NDArray

HUGE_PAGE = 1 << 21  # bytes
_FLOAT = 4  # bytes


def weight_memory(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Zeros of a shape, on large pages where the system has them and they would be full."""
    size = prod(shape) * _FLOAT
    pages = (size + HUGE_PAGE // 2) // HUGE_PAGE  # the last one at least half full
    if not (pages and hasattr(mmap, "MADV_HUGEPAGE")):
        return np.zeros(shape, np.float32)
    # What is not touched takes no memory: neither what lies before the first page nor behind.
    memory = mmap.mmap(-1, max(size, pages * HUGE_PAGE) + HUGE_PAGE)
    start = -np.frombuffer(memory, np.uint8).ctypes.data % HUGE_PAGE
    with suppress(OSError):  # of a kernel without them: the usual pages serve
        memory.madvise(mmap.MADV_HUGEPAGE, start, pages * HUGE_PAGE)
    return np.frombuffer(memory, np.float32, prod(shape), start).reshape(shape)
