"""Memory that a mapped file takes: pages are read when they are touched, and may be let go of."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray


def release(array: NDArray[Any]) -> None:
    """
    Let go of the memory behind an array that is a view of a mapped file; of others, do nothing.

    The array stays as it is: who reads it again has its pages mapped again. Only pages that are
    the array's alone are let go of, and only where the system can do that.
    """
    mapped = _mapped(array)
    if mapped is None or not hasattr(mmap.mmap, "madvise"):  # not on Windows
        return
    start = array.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data
    first = -(-start // mmap.PAGESIZE) * mmap.PAGESIZE
    length = (start + array.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE - first
    if length > 0:
        mapped.madvise(mmap.MADV_DONTNEED, first, length)


def _mapped(array: NDArray[Any]) -> mmap.mmap | None:
    """The file that an array is a view of, if any."""
    owner: Any = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    viewed: Any = getattr(owner, "obj", None)  # of a memoryview
    # What can be written need not be in any file.
    given_back = array.flags.c_contiguous and not array.flags.writeable
    return viewed if isinstance(viewed, mmap.mmap) and given_back else None
