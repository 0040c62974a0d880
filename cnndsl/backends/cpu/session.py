"""The memory that one caller at a time runs a program in."""

from __future__ import annotations

import ctypes

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.addresses import address
from cnndsl.backends.cpu.helpers import Helpers, Job
from cnndsl.backends.cpu.program import Program
from cnndsl.backends.cpu.program_layout import CACHE_LINE, COUNTER_BYTES

_FLOAT, _WORD = 4, 8  # bytes
_WORD_TYPE = ctypes.c_int64
# Plain pointers are the arguments that ctypes converts fastest.
_RUN = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)


class Session:
    """
    A program with an arena, scratch memory and a table of its own.

    One caller at a time may run it; callers at once need a session each. `threads` are the most
    that take part, the caller's among them.
    """

    def __init__(self, program: Program, threads: int, helpers: Helpers) -> None:
        self._program = program
        self._helpers = helpers
        self._arena = aligned_floats(program.arena)
        # Each thread's scratch is followed by a free cache line, so that none share one.
        self._scratch = [aligned_floats(program.scratch) for _ in range(threads)]
        table = aligned_words(program.table.size)
        table[:] = program.table.reshape(-1)
        table[list(program.moved["arena"])] += address(self._arena)
        self._words = (_WORD_TYPE * table.size).from_buffer(table.data)
        self._x = [(field, int(table[field])) for field in program.moved["input"]]
        self._y = [(field, int(table[field])) for field in program.moved["output"]]
        steps = len(program.table)
        self._arguments = address(table), steps
        self._scratch_addresses = [address(scratch) for scratch in self._scratch]
        self._counters = _WORD_TYPE * ((steps * COUNTER_BYTES + CACHE_LINE) // _WORD)
        self._run = _RUN(program.executor)

    def run(self, x: int, y: int) -> None:
        """Run the program for the input and the output at these addresses."""
        words = self._words
        for field, offset in self._x:
            words[field] = x + offset
        for field, offset in self._y:
            words[field] = y + offset
        table, steps = self._arguments
        own, *others = self._scratch_addresses
        if not others:
            self._run(table, steps, 0, own)
            return
        # New counters for each run, since a helper may still look at those of an earlier one.
        counters = self._counters()
        state = -(-ctypes.addressof(counters) // CACHE_LINE) * CACHE_LINE
        for scratch in others:
            arguments = table, steps, state, scratch
            self._helpers.offer(Job(self._run, arguments, (self, counters)))
        self._run(table, steps, state, own)


def aligned_floats(count: int) -> NDArray[np.float32]:
    """Uninitialised floats from a cache line's start on, and up to a cache line's end."""
    return _aligned(count * _FLOAT).view(np.float32)[:count]


def aligned_words(count: int) -> NDArray[np.int64]:
    """Uninitialised int64 from a cache line's start on."""
    return _aligned(count * _WORD).view(np.int64)[:count]


def _aligned(size: int) -> NDArray[np.uint8]:
    size = -(-size // CACHE_LINE) * CACHE_LINE
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size]
