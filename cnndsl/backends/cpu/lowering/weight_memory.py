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
PAGE = 1 << 12  # bytes
BEHIND = 1 << 16  # bytes, at the most, that are there behind the weights: a panel and more
_FLOAT = 4  # bytes


def weight_memory(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """
    Zeros of a shape, on large pages where the system has them and they would be full.

    Kernels ask for the weights that come next, and do not know which are the last. What is asked
    for on a page that is not there is looked for in vain, some hundred cycles for each line, so a
    few pages behind the weights are.
    """
    floats = prod(shape)
    size = floats * _FLOAT
    behind = min(BEHIND, size)
    pages = (size + HUGE_PAGE // 2) // HUGE_PAGE  # the last one at least half full
    if pages and hasattr(mmap, "MADV_HUGEPAGE"):
        # What is not touched takes no memory: neither what lies before the first page nor behind.
        memory = mmap.mmap(-1, max(size + behind, pages * HUGE_PAGE) + HUGE_PAGE)
        start = -np.frombuffer(memory, np.uint8).ctypes.data % HUGE_PAGE
        with suppress(OSError):  # of a kernel without them: the usual pages serve
            memory.madvise(mmap.MADV_HUGEPAGE, start, pages * HUGE_PAGE)
        all_of_it = np.frombuffer(memory, np.float32, floats + behind // _FLOAT, start)
    else:
        all_of_it = np.zeros(floats + behind // _FLOAT, np.float32)
    all_of_it[floats :: PAGE // _FLOAT] = 0.0
    return all_of_it[:floats].reshape(shape)
