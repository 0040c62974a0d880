"""Where an array's elements lie, found fast."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

# NumPy's C structure of an array, part of its binary interface, begins with Python's object header
# and the pointer to the elements.
_AFTER_HEADER = object.__basicsize__


def address(array: NDArray[Any]) -> int:
    """Where an array's elements lie."""
    return array.ctypes.data


@cache
def pointer_offset() -> int | None:
    """
    How far from `id(array)` an array keeps the pointer to its elements, in bytes.

    `array.ctypes.data` takes more than a microsecond, which a small network feels; native code
    that is told where the pointer is kept needs no time to find it. None where a trial shows that
    this interpreter's arrays are made otherwise.
    """
    trials = [np.zeros(3), np.zeros((2, 4), np.float32)[1:], np.ones((1, 1), np.uint8)]
    if not hasattr(ctypes, "pythonapi"):  # not CPython: an id need not be an address
        return None
    kept = [ctypes.c_ssize_t.from_address(id(trial) + _AFTER_HEADER).value for trial in trials]
    return _AFTER_HEADER if kept == [address(trial) for trial in trials] else None


class Pointers:
    """Words in memory that hold the addresses of some arrays, for as long as this lives."""

    def __init__(self, *arrays: NDArray[Any]) -> None:
        self._words = np.array([address(array) for array in arrays], np.int64)
        start, size = address(self._words), self._words.itemsize
        self.places = [start + i * size for i in range(len(arrays))]
        """The address of each array's word."""
