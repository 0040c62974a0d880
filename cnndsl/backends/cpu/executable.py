"""A network that is ready to run, for any batch size and any number of callers at once."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.helpers import Helpers
from cnndsl.backends.cpu.kept_programs import keep_program
from cnndsl.backends.cpu.library import Library
from cnndsl.backends.cpu.program import Program, Programs, Relocatable, lay_out, link
from cnndsl.backends.cpu.session import Arrays, Session

if TYPE_CHECKING:  # a program that is found whole needs neither
    from cnndsl.backends.cpu.lowering.call import Lowered
    from cnndsl.backends.protocol import Weights
    from cnndsl.plan.plan import Plan

# Below this much work, in floats read or written, sharing it costs more than it saves.
LEAST_SHARED_FLOATS = 30_000
# Batch sizes whose memory is kept for the next call.
BATCH_SIZES_KEPT = 4
# What a run computes stays in the caches if it is no more, in floats.
FLOATS_IN_CACHES = 1 << 21
# Beyond so many weights for each float of an image's arena, reading them again costs more.
WEIGHTS_A_FLOAT = 6

FloatArray = NDArray[np.float32]

_FLOAT32 = np.dtype(np.float32)
_empty = np.empty  # found faster than an attribute of a module


@dataclass(frozen=True, slots=True)
class LoweredPlan:
    """The programs of a plan whose steps' weights are packed."""

    plan: Plan
    lowered: Sequence[Lowered]

    def __call__(self, batch: int) -> Relocatable:
        """The program for a batch of that size."""
        calls = [lower(batch) for lower in self.lowered]
        shapes = tuple(y.array_shape for y in self.plan.outputs)
        return lay_out(calls, self.plan.arena * batch, shapes)


@dataclass(frozen=True, slots=True)
class _Batch:
    """
    What is kept for one batch size.

    `only_shape` is the output's where there is one. `free` are sessions that nobody runs. They are
    taken and given back in one step of the interpreter each, so that no lock is needed.
    """

    program: Program
    output_shapes: tuple[tuple[int, ...], ...]
    only_shape: tuple[int, ...] | None
    free: list[Session] = field(default_factory=list[Session])


def images_a_run(program: Relocatable) -> int:
    """
    How many images a run had best take at most, told from the program for one image.

    Where a run's images do not fit into the caches, each of its steps reads memory. In smaller runs
    only weights come from memory, once a run: where there are more of those, runs may be large.
    """
    weights = sum(array.size for array in program.arrays)
    if weights > WEIGHTS_A_FLOAT * program.arena:
        return sys.maxsize
    return max(1, FLOATS_IN_CACHES // max(1, program.arena))


class CpuExecutable:
    """
    Calls run in sessions: each call takes a free one of its batch size, or makes one.

    So callers at once do not meet, and a caller that comes back finds its memory warm. `in_pieces`,
    a batch is run as many images at a time as is fastest: an image has the same bits in any batch.
    """

    def __init__(
        self,
        programs: Programs,
        *,
        threads: int,
        library: Library,
        helpers: Helpers,
        in_pieces: bool = False,
    ) -> None:
        self._programs = programs
        self._threads = threads
        self._library = library
        self._helpers = helpers
        single = programs(1)
        self._most = images_a_run(single) if in_pieces else sys.maxsize
        self._batches = {1: self._linked(single, 1)}  # compiles and loads all kernels

    def __call__(self, inputs: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
        """The network's outputs for contiguous batches of one size."""
        size = len(inputs[0])
        if size > self._most:
            return self._in_pieces(inputs, size)
        batch = self._batches.get(size) or self._prepared(size)
        # A small network feels the time that a loop takes to begin, and that of a call.
        only = batch.only_shape
        if only is not None:
            outputs = (_empty(only, _FLOAT32),)
        else:
            outputs = tuple([_empty(shape, _FLOAT32) for shape in batch.output_shapes])
        free = batch.free
        try:
            session = free.pop()
        except IndexError:
            session = self._session(batch.program)
        session.run(inputs, outputs)
        free.append(session)
        return outputs

    def keep(self, key: bytes, weights: Weights, note: Any) -> None:
        """Keep the program for one image, and a note, for processes that `restore` them."""
        keep_program(key, self._programs(1), weights, note)

    def _in_pieces(self, inputs: tuple[FloatArray, ...], size: int) -> tuple[FloatArray, ...]:
        """The outputs of a batch, of which as many images as may are run at a time."""
        most = self._batches.get(self._most) or self._prepared(self._most)
        outputs = tuple(np.empty((size, *y[1:]), np.float32) for y in most.output_shapes)
        for start in range(0, size, self._most):
            piece = slice(start, start + self._most)
            count = min(self._most, size - start)
            batch = self._batches.get(count) or self._prepared(count)
            self._run(batch, tuple(x[piece] for x in inputs), tuple(y[piece] for y in outputs))
        return outputs

    def _run(self, batch: _Batch, inputs: Arrays, outputs: Arrays) -> None:
        """Run a batch in a session that is free."""
        try:
            session = batch.free.pop()
        except IndexError:
            session = self._session(batch.program)
        session.run(inputs, outputs)
        batch.free.append(session)

    def _prepared(self, size: int) -> _Batch:
        batch = self._linked(self._programs(size), size)
        if len(self._batches) >= BATCH_SIZES_KEPT:
            for oldest in list(self._batches)[:1]:
                self._batches.pop(oldest, None)
        return self._batches.setdefault(size, batch)

    def _linked(self, program: Relocatable, size: int) -> _Batch:
        shapes = tuple((size, *shape) for shape in program.outputs)
        only = shapes[0] if len(shapes) == 1 else None
        return _Batch(link(program, self._library), shapes, only)

    def _session(self, program: Program) -> Session:
        threads = self._threads if program.work >= LEAST_SHARED_FLOATS else 1
        return Session(program, threads, self._helpers)
