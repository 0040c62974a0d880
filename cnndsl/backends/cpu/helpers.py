"""Threads that help callers run their programs."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from functools import cache
from queue import SimpleQueue

from cnndsl.backends.cpu.addresses import WORD, address, aligned_words
from cnndsl.backends.cpu.program_layout import AWAKE, CACHE_LINE

_DESK_WORDS = CACHE_LINE // WORD


class Helpers:
    """
    Up to `limit` daemon threads, started when they are first wanted, asleep when there are no runs.

    To fall asleep and be woken takes longer than many a network. So a helper that is done watches
    its desk for a while, in native code: a caller leaves a record there and takes it back if the
    helper has not taken it up when the run is over. Nobody waits for a helper to come, and where
    it is awake, neither of the two needs the interpreter.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._memory = aligned_words(limit * _DESK_WORDS)
        self.desks = address(self._memory)
        """The address of the helpers' desks."""
        places = range(self.desks, self.desks + limit * CACHE_LINE, CACHE_LINE)
        self._awake = [ctypes.c_int64.from_address(place + AWAKE * WORD) for place in places]
        self._reset()
        if hasattr(os, "register_at_fork"):  # not on Windows
            os.register_at_fork(after_in_child=self._reset)

    def wake(self, count: int, watch: Callable[..., None]) -> None:
        """Have the first `count` helpers watch their desks, with the native function `watch`."""
        for number, awake in enumerate(self._awake[:count]):
            if not awake.value:
                self._wake_one(number, watch)

    def _wake_one(self, number: int, watch: Callable[..., None]) -> None:
        with self._waking:
            if self._awake[number].value:
                return
            self._awake[number].value = 1
            bell = self._bells.get(number)
            if bell is None:
                bell = self._bells[number] = SimpleQueue()
                arguments = bell, self.desks + number * CACHE_LINE
                name = "cnndsl helper"
                threading.Thread(target=_serve, args=arguments, name=name, daemon=True).start()
            bell.put(watch)

    def _reset(self) -> None:
        """Forget all threads: a forked child has none of its parent's."""
        self._memory[:] = 0
        self._bells: dict[int, SimpleQueue[Callable[..., None]]] = {}
        self._waking = threading.Lock()


@cache
def shared_helpers() -> Helpers:
    """The helpers of this process: with the caller's own thread, one for each processor."""
    return Helpers(max(0, processors() - 1))


def processors() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux; elsewhere a process cannot be told
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _serve(bell: SimpleQueue[Callable[..., None]], desk: int) -> None:
    while True:
        bell.get()(desk, 0, 0, 0)
