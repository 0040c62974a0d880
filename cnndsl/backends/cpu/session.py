"""The memory that one caller at a time runs a program in."""

from __future__ import annotations

import ctypes
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
from cnndsl.backends.cpu.helpers import Helpers
from cnndsl.backends.cpu.program import Program
from cnndsl.backends.cpu.program_layout import (
    BACK,
    CACHE_LINE,
    FRONT,
    INVITATION_WORDS,
    LEAST_SCRATCH,
    RECORD,
)

# Plain pointers are the arguments that ctypes converts fastest, and fewer take less time: what a
# function does not read it need not be given.
_RUN = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 2)
_WATCH = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)

Arrays = tuple[NDArray[Any], ...]


class Session:
    """
    A program with an arena, scratch memory and a table of its own.

    One caller at a time may run it; callers at once need a session each. `threads` are the most
    that take part, the caller's among them.
    """

    def __init__(self, program: Program, threads: int, helpers: Helpers) -> None:
        self._run, self._watch = _RUN(program.executor), _WATCH(program.executor)
        self._helpers = helpers
        self._invited = min(threads - 1, helpers.limit)
        layout = object_layout()
        # None: the arrays' addresses are written into a table for each run.
        self._items = layout.items if layout is not None else None
        arena = aligned_floats(program.arena)
        table = aligned_words(program.table.size)
        table[:] = program.table.reshape(-1)
        table[[moved.field for moved in program.moved["arena"]]] += address(arena)
        steps = len(program.table)
        room = max(program.scratch, LEAST_SCRATCH)
        scratch = [aligned_floats(room) for _ in range(1 + self._invited)]
        state = aligned_words(steps * CACHE_LINE // WORD)
        counters = address(state) if self._invited else 0
        own, *others = [
            [address(table), address(memory), steps, counters, BACK if number % 2 else FRONT]
            for number, memory in enumerate(scratch)
        ]
        records = [np.array(other, np.int64) for other in others]
        self._invitations = np.zeros((self._invited, INVITATION_WORDS), np.int64)
        self._invitations[:, RECORD] = [address(record) for record in records]
        own += [layout.items, layout.elements // WORD] if layout is not None else [0, 0]
        own += [helpers.desks, helpers.limit, address(self._invitations), self._invited]
        places = [program.moved["input"], program.moved["output"]]
        own += map(len, places)
        for field, port in (moved for fields in places for moved in fields):
            own += [address(table) + field * WORD, port, int(table[field])]
        record = np.array(own, np.int64)
        self._record = ctypes.c_void_p(address(record))
        self._memory = program, arena, table, scratch, state, records, record

    def run(self, inputs: Arrays, outputs: Arrays) -> None:
        """Run the program once, from the caller's contiguous arrays into others."""
        items = self._items
        if self._invited:
            self._helpers.wake(self._invited, self._watch)
        if items is not None:
            ends = inputs, outputs
            self._run(self._record, id(ends) + items)
        else:
            tables = Table(inputs), Table(outputs)
            places = np.array([table.place for table in tables], np.int64)
            self._run(self._record, address(places))
