"""Where the elements of a caller's arrays lie, found fast, and memory from a cache line on."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.program_layout import CACHE_LINE

WORD, _FLOAT = 8, 4  # bytes


def address(array: NDArray[Any]) -> int:
    """Where an array's elements lie."""
    return array.ctypes.data


class ObjectLayout(NamedTuple):
    """
    Where this interpreter keeps what native code looks for, in bytes from `id(object)`.

    `items` is where a tuple's items begin, each the address of an object; `elements` is where an
    array keeps the address of its elements.
    """

    items: int
    elements: int


@cache
def object_layout() -> ObjectLayout | None:
    """
    How tuples and arrays lie in memory.

    `array.ctypes.data` takes more than a microsecond, which a small network feels; native code
    that is told where a tuple of arrays lies needs no time to find their elements. None where a
    trial shows that this interpreter's objects are made otherwise.
    """
    if not hasattr(ctypes, "pythonapi"):  # not CPython: an id need not be an address
        return None
    # The items end a tuple's C structure, which counts one of them. NumPy's structure of an array,
    # part of its binary interface, begins with Python's object header and the pointer.
    layout = ObjectLayout(tuple.__basicsize__, object.__basicsize__)
    trials = (np.zeros(3), np.zeros((2, 4), np.float32)[1:], np.ones((1, 1), np.uint8))
    items = [_word(id(trials) + layout.items + i * WORD) for i in range(len(trials))]
    if items != list(map(id, trials)):
        return None
    kept = [_word(item + layout.elements) for item in items]
    return layout if kept == list(map(address, trials)) else None


def _word(place: int) -> int:
    return ctypes.c_ssize_t.from_address(place).value


class Table:
    """
    What native code reads as the items of a tuple of arrays, for as long as this lives.

    Each item is the address of a word that holds the address of an array's elements.
    """

    def __init__(self, arrays: tuple[NDArray[Any], ...]) -> None:
        pointers = np.array([address(array) for array in arrays], np.int64)
        self._items = address(pointers) + WORD * np.arange(len(arrays), dtype=np.int64)
        self._kept = pointers, arrays
        self.place = address(self._items)
        """The address of the first item."""


def aligned_floats(count: int) -> NDArray[np.float32]:
    """Uninitialised floats from a cache line's start on, and up to a cache line's end."""
    return _aligned(count * _FLOAT).view(np.float32)[:count]


def aligned_words(count: int) -> NDArray[np.int64]:
    """Uninitialised int64 from a cache line's start on."""
    return _aligned(count * WORD).view(np.int64)[:count]


def _aligned(size: int) -> NDArray[np.uint8]:
    size = -(-size // CACHE_LINE) * CACHE_LINE
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -address(memory) % CACHE_LINE
    return memory[start : start + size]
