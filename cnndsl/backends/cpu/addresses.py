"""Where an array's elements lie, found fast."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

AddressOf = Callable[[NDArray[Any]], int]

# NumPy's C structure of an array, part of its binary interface, begins with Python's object header
# and the pointer to the elements.
_POINTER_AT = object.__basicsize__


@cache
def fast_address() -> AddressOf:
    """
    The fastest function of this interpreter that finds an array's elements.

    `array.ctypes.data` takes more than a microsecond, which a small network feels; reading the
    pointer where NumPy keeps it takes a tenth of that. Where a trial shows that it is not kept
    there, the slow way is taken.
    """
    trials = [np.zeros(3), np.zeros((2, 4), np.float32)[1:], np.ones((1, 1), np.uint8)]
    in_cpython = hasattr(ctypes, "pythonapi")
    if in_cpython and all(_read_pointer(trial) == address(trial) for trial in trials):
        return _read_pointer
    return address


def address(array: NDArray[Any]) -> int:
    """Where an array's elements lie."""
    return array.ctypes.data


def _read_pointer(
    array: NDArray[Any],
    at: Callable[[int], Any] = ctypes.c_ssize_t.from_address,
    offset: int = _POINTER_AT,
) -> int:
    return at(id(array) + offset).value
