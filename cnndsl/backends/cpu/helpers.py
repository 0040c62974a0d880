"""Threads that help callers run their programs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from queue import SimpleQueue
from typing import Any

from cnndsl.backends.cpu.addresses import WORD, address, aligned_words
from cnndsl.backends.cpu.program_layout import CACHE_LINE


@dataclass(frozen=True, slots=True)
class Job:
    """
    A run to take part in: `run(*arguments)`, a native function that releases the GIL.

    `memory` holds what the arguments are addresses of.
    """

    run: Callable[..., None]
    arguments: tuple[Any, ...]
    memory: Any


class Helpers:
    """
    Up to `limit` daemon threads, started when they are first wanted, asleep when there are no jobs.

    Nobody waits for a helper: a job that is taken late, or after its run is over, does nothing.

    To fall asleep and be woken takes longer than many a network: so a helper's native code watches
    the counter at the address `offers` for a while when it is done, and comes for the next job as
    soon as that is raised. Whoever offers raises it in native code too, when the interpreter is
    free for the helper.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = aligned_words(CACHE_LINE // WORD)
        self._line[:] = 0
        self.offers = address(self._line)
        self._reset()
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._reset)

    def offer(self, job: Job) -> None:
        """Have a helper join a run, unless all have enough to do already."""
        if self._jobs.qsize() >= self._limit:
            return
        if self._started < self._limit:
            self._start_one()
        self._jobs.put(job)

    def _start_one(self) -> None:
        with self._starting:
            if self._started < self._limit:
                self._started += 1
                threading.Thread(
                    target=_serve, args=(self._jobs,), name="cnndsl helper", daemon=True
                ).start()

    def _reset(self) -> None:
        """Forget all threads: a forked child has none of its parent's."""
        self._jobs: SimpleQueue[Job] = SimpleQueue()
        self._started = 0
        self._starting = threading.Lock()


@cache
def shared_helpers() -> Helpers:
    """The helpers of this process: with the caller's own thread, one for each processor."""
    return Helpers(max(0, processors() - 1))


def processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; elsewhere a process cannot be told
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _serve(jobs: SimpleQueue[Job]) -> None:
    while True:
        _do(jobs.get())


def _do(job: Job) -> None:
    """Do a job, and let go of its memory before waiting for the next."""
    job.run(*job.arguments)
