"""A network that is ready to run, for any batch size and any number of callers at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.addresses import fast_address
from cnndsl.backends.cpu.helpers import Helpers
from cnndsl.backends.cpu.library import Library
from cnndsl.backends.cpu.lowering.call import Call, Lowered
from cnndsl.backends.cpu.program import Program, assemble
from cnndsl.backends.cpu.session import Session
from cnndsl.plan.plan import Plan

# Below this much work, in floats read or written, waking a helper costs more than it saves.
LEAST_SHARED_FLOATS = 500_000
# Batch sizes whose memory is kept for the next call.
BATCH_SIZES_KEPT = 4

FloatArray = NDArray[np.float32]


class CpuExecutable:
    """
    Calls run in sessions: each call takes a free one of its batch size, or makes one.

    So callers at once do not meet, and a caller that comes back finds its memory warm.
    """

    def __init__(
        self,
        plan: Plan,
        lowered: Sequence[Lowered],
        *,
        threads: int,
        library: Library,
        helpers: Helpers,
    ) -> None:
        self._plan = plan
        self._lowered = lowered
        self._threads = threads
        self._library = library
        self._helpers = helpers
        self._shape = _output_shape(plan)
        self._address = fast_address()
        # By batch size. Lists are free sessions, taken and given back in one step each, so that
        # no lock is needed.
        self._sessions: dict[int, tuple[Program, list[Session]]] = {}
        self._programmed(1)  # compiles and loads all kernels

    def __call__(self, x: FloatArray) -> FloatArray:
        """The network's output for a contiguous batch."""
        batch = x.shape[0]
        program, free = self._sessions.get(batch) or self._programmed(batch)
        try:
            session = free.pop()
        except IndexError:
            session = Session(program, self._threads_for(program), self._helpers)
        y = np.empty((batch, *self._shape), np.float32)
        session.run(self._address(x), self._address(y))
        free.append(session)
        return y

    def calls(self, batch: int) -> list[Call]:
        """The kernel calls for a batch of that size, in order."""
        return [lower(batch) for lower in self._lowered]

    def _programmed(self, batch: int) -> tuple[Program, list[Session]]:
        program = assemble(self.calls(batch), self._plan.arena * batch, self._library)
        if len(self._sessions) >= BATCH_SIZES_KEPT:
            for oldest in list(self._sessions)[:1]:
                self._sessions.pop(oldest, None)
        return self._sessions.setdefault(batch, (program, []))

    def _threads_for(self, program: Program) -> int:
        return self._threads if program.work >= LEAST_SHARED_FLOATS else 1


def _output_shape(plan: Plan) -> tuple[int, ...]:
    shape = plan.output.shape
    if plan.output.layout == "nchw" and len(shape) == 3:
        return (shape[2], *shape[:2])
    return shape
