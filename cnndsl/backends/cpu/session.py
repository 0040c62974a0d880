"""The memory that one caller at a time runs a program in."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.addresses import (
    WORD,
    Table,
    address,
    aligned_floats,
    aligned_words,
    object_layout,
)
from cnndsl.backends.cpu.helpers import Helpers, Job
from cnndsl.backends.cpu.program import Moved, Program
from cnndsl.backends.cpu.program_layout import CACHE_LINE, COUNTER_BYTES

# Plain pointers are the arguments that ctypes converts fastest.
_RUN = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)

Arrays = tuple[NDArray[Any], ...]


class Session:
    """
    A program with an arena, scratch memory and a table of its own.

    One caller at a time may run it; callers at once need a session each. `threads` are the most
    that take part, the caller's among them.
    """

    def __init__(self, program: Program, threads: int, helpers: Helpers) -> None:
        self._run = _RUN(program.executor)
        self._helpers = helpers
        arena = aligned_floats(program.arena)
        scratch = [aligned_floats(program.scratch) for _ in range(threads)]
        table = aligned_words(program.table.size)
        table[:] = program.table.reshape(-1)
        table[[moved.field for moved in program.moved["arena"]]] += address(arena)
        layout = object_layout()
        # None: the arrays' addresses are written into a table for each run.
        self._items = layout.items if layout is not None else None
        elements = layout.elements if layout is not None else 0
        steps = len(program.table)
        places = [program.moved["input"], program.moved["output"]]
        roles = [(helpers.offers, 0)] + [(0, helpers.offers)] * (threads - 1)
        records = [
            _record(table, steps, address(memory), role, elements, places)
            for memory, role in zip(scratch, roles, strict=True)
        ]
        self._own, *self._others = [ctypes.c_void_p(address(record)) for record in records]
        # The record of a run without steps: it points the program to the caller's arrays.
        pointing = _record(table, 0, 0, (0, 0), elements, places)
        self._pointing = address(pointing)
        self._counters = ctypes.c_int64 * ((steps * COUNTER_BYTES + CACHE_LINE) // WORD)
        self._memory = program, arena, scratch, table, records, pointing

    def run(self, inputs: Arrays, outputs: Arrays) -> None:
        """Run the program once, from the caller's contiguous arrays into others."""
        items = self._items
        if items is not None:
            x, y = id(inputs) + items, id(outputs) + items
        else:
            tables = Table(inputs), Table(outputs)
            x, y = tables[0].place, tables[1].place
        if not self._others:
            self._run(self._own, x, y, 0)
            return
        self._run(self._pointing, x, y, 0)
        # New counters for each run, since a helper may still look at those of an earlier one.
        counters = self._counters()
        state = -(-ctypes.addressof(counters) // CACHE_LINE) * CACHE_LINE
        for record in self._others:
            self._helpers.offer(Job(self._run, (record, 0, 0, state), (self, counters)))
        self._run(self._own, 0, 0, state)


def _record(
    table: NDArray[np.int64],
    steps: int,
    scratch: int,
    role: tuple[int, int],
    elements: int,
    places: Sequence[Sequence[Moved]],
) -> NDArray[np.int64]:
    """
    A participant's record.

    `role` is which counter it raises and which one it watches, `places` are the fields of the
    inputs and those of the outputs.
    """
    start = address(table)
    words: list[int] = [start, scratch, steps, *role, elements // WORD, *map(len, places)]
    for field, port in (moved for fields in places for moved in fields):
        words += [start + field * WORD, port, int(table[field])]
    return np.array(words, np.int64)
