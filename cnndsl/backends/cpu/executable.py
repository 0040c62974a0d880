"""A network that is ready to run, for any batch size and any number of callers at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.helpers import Helpers
from cnndsl.backends.cpu.kept_programs import keep_program
from cnndsl.backends.cpu.library import Library
from cnndsl.backends.cpu.program import Program, Programs, Relocatable, lay_out, link
from cnndsl.backends.cpu.session import Session

if TYPE_CHECKING:  # a program that is found whole needs neither
    from cnndsl.backends.cpu.lowering.call import Lowered
    from cnndsl.backends.protocol import Weights
    from cnndsl.plan.plan import Plan

# Below this much work, in floats read or written, sharing it costs more than it saves.
LEAST_SHARED_FLOATS = 30_000
# Batch sizes whose memory is kept for the next call.
BATCH_SIZES_KEPT = 4

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

    `free` are sessions that nobody runs. They are taken and given back in one step of the
    interpreter each, so that no lock is needed.
    """

    program: Program
    output_shapes: tuple[tuple[int, ...], ...]
    free: list[Session] = field(default_factory=list[Session])


class CpuExecutable:
    """
    Calls run in sessions: each call takes a free one of its batch size, or makes one.

    So callers at once do not meet, and a caller that comes back finds its memory warm.
    """

    def __init__(
        self,
        programs: Programs,
        *,
        threads: int,
        library: Library,
        helpers: Helpers,
    ) -> None:
        self._programs = programs
        self._threads = threads
        self._library = library
        self._helpers = helpers
        self._batches: dict[int, _Batch] = {}
        self._prepared(1)  # compiles and loads all kernels

    def __call__(self, inputs: tuple[FloatArray, ...]) -> tuple[FloatArray, ...]:
        """The network's outputs for contiguous batches of one size."""
        size = len(inputs[0])
        batch = self._batches.get(size) or self._prepared(size)
        try:
            session = batch.free.pop()
        except IndexError:
            session = self._session(batch.program)
        shapes = batch.output_shapes
        if len(shapes) == 1:  # a small network feels the time that a loop takes to begin
            outputs = (_empty(shapes[0], _FLOAT32),)
        else:
            outputs = tuple([_empty(shape, _FLOAT32) for shape in shapes])
        session.run(inputs, outputs)
        batch.free.append(session)
        return outputs

    def keep(self, key: bytes, weights: Weights, note: Any) -> None:
        """Keep the program for one image, and a note, for processes that `restore` them."""
        keep_program(key, self._programs(1), weights, note)

    def _prepared(self, size: int) -> _Batch:
        program = self._programs(size)
        if len(self._batches) >= BATCH_SIZES_KEPT:
            for oldest in list(self._batches)[:1]:
                self._batches.pop(oldest, None)
        shapes = tuple((size, *shape) for shape in program.outputs)
        return self._batches.setdefault(size, _Batch(link(program, self._library), shapes))

    def _session(self, program: Program) -> Session:
        threads = self._threads if program.work >= LEAST_SHARED_FLOATS else 1
        return Session(program, threads, self._helpers)
