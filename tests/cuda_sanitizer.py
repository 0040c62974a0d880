"""
A simulator of one's own for CUDA kernels, as strict as NVIDIA's compute-sanitizer.

Threads of a block run one after the other up to the next barrier, in Python. Memory
(`cuda_memory.py`) finds races between threads and between blocks, reads of what nobody has written
or whose copy has not arrived, places outside an allocation, and vectors at odd places. A barrier
that some threads do not reach and a warp whose lanes part before an instruction of all are found
here. Each raises `Fault`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from cuda_memory import Cells, Clock, Fault, Moment, View
from numba import float32

from cnndsl.backends.cuda.compile import simulated
from cnndsl.backends.cuda.driver import Function
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.kernels import plain
from cnndsl.backends.cuda.simulator import Simulator

LANES = 32
FILES = ("kernels", "test_")  # whose lines tell where a thread waits


class Extent(NamedTuple):
    x: int
    y: int = 1
    z: int = 1

    @staticmethod
    def of(size: int | tuple[int, ...]) -> Extent:
        return Extent(size) if isinstance(size, int) else Extent(*size)

    def places(self) -> Iterator[Extent]:
        for z, y, x in np.ndindex(self.z, self.y, self.x):
            yield Extent(x, y, z)


class _Stopped(BaseException):
    """Ends the threads of a block in which one has failed."""


class Thread(threading.Thread):
    """A thread of a block, which runs when it is told to, up to where it must wait for others."""

    def __init__(self, work: Callable[[], None], number: int, place: Extent, block: Extent) -> None:
        super().__init__(daemon=True)
        self.work, self.number = work, number
        self.threadIdx, self.blockIdx = place, block
        self.go, self.back = threading.Semaphore(0), threading.Semaphore(0)
        self.waits: tuple[str, Any] | None = None
        self.ended, self.stopped = False, False
        self.error: BaseException | None = None

    def run(self) -> None:
        self.go.acquire()
        try:
            if not self.stopped:
                self.work()
        except _Stopped:
            pass
        except BaseException as error:
            self.error = error
        self.ended, self.waits = True, None
        self.back.release()

    def resume(self) -> None:
        """Let it run up to where it waits next. Raises what it raises."""
        self.waits = None
        self.go.release()
        self.back.acquire()
        if self.error is not None:
            raise self.error

    def stop(self) -> None:
        self.stopped = True
        self.go.release()

    def syncthreads(self) -> None:
        self._wait("barrier")

    def meet(self) -> None:
        """Wait for the other lanes of the warp."""
        self._wait("warp")

    def _wait(self, what: str) -> None:
        self.waits = what, _place_in_kernel()
        self.back.release()
        self.go.acquire()
        if self.stopped:
            raise _Stopped


def _place_in_kernel() -> tuple[tuple[str, int], ...]:
    """The lines of kernels and their helpers that lead to a call."""
    frame, lines = sys._getframe(2), []
    while frame is not None:
        if any(word in frame.f_code.co_filename for word in FILES):
            lines.append((frame.f_code.co_name, frame.f_lineno))
        frame = frame.f_back
    return tuple(lines)


@dataclass
class Shared:
    """
    The shared memory of a block: an array for each line that asks for one.

    One of no size is what the launch brings, `floats` of them.
    """

    clock: Clock
    floats: int = 0
    arrays: dict[int, View] = field(default_factory=dict)

    def array(self, size: int, kind: Any, alignment: None = None) -> View:
        line = sys._getframe(1).f_lineno
        if line not in self.arrays:
            cells = np.zeros(size or self.floats, np.float32 if kind is float32 else np.int32)
            written = np.zeros(len(cells), bool)
            self.arrays[line] = View(Cells("shared memory", cells, written, self.clock))
        return self.arrays[line]


class Cuda:
    """What kernels know as `cuda`."""

    def __init__(self, grid: Extent, block: Extent, shared: Shared) -> None:
        self.gridDim, self.blockDim, self.shared = grid, block, shared

    def __getattr__(self, name: str) -> Any:
        """What is a thread's own: `threadIdx`, `blockIdx`, `syncthreads`."""
        return getattr(threading.current_thread(), name)

    def grid(self, axes: int) -> int:
        assert axes == 1
        return self.blockIdx.x * self.blockDim.x + self.threadIdx.x

    def gridsize(self, axes: int) -> int:
        assert axes == 1
        return self.gridDim.x * self.blockDim.x


class WatchedCode(plain.Plain):
    """The operations of kernels, over memory that is watched."""

    def check_aligned(self, memory: View, place: int, width: int) -> None:
        memory.aligned(place, width)

    def copy(
        self, width: int, shared: View, at: int, source: View, start: int, valid: bool
    ) -> None:
        first = shared.aligned(at, width)
        for cell in range(first, first + width):
            shared.cells.depart(cell)

        def arrive() -> None:
            for cell in range(first, first + width):
                shared.cells.land(cell)
            self.store(self.load_if(source, start, width, valid), shared, at, 0)

        self.promised.open.append(arrive)


@contextmanager
def _watched(function: Any, cuda: Cuda) -> Iterator[None]:
    """Let a kernel run on watched memory, with warps that wait for their own lanes only."""
    names = vars(plain)
    kept = names["_PLAIN"], names["barrier"], function.__globals__["cuda"]
    names["_PLAIN"], function.__globals__["cuda"] = WatchedCode(), cuda
    names["barrier"] = lambda: threading.current_thread().meet()
    try:
        yield
    finally:
        names["_PLAIN"], names["barrier"], function.__globals__["cuda"] = kept


def launch(
    function: Function, grid: Extent, block: Extent, arguments: tuple[Any, ...], clock: Clock
) -> None:
    """Run a kernel's Python, block by block. Raises `Fault`."""
    code, floats = function.code, function.shared_bytes // 4
    for argument in arguments:
        if isinstance(argument, View):
            argument.cells.begin()
    for place in grid.places():
        cuda = Cuda(grid, block, Shared(clock, floats))
        with _watched(code, cuda):
            threads = [
                Thread(lambda: code(*arguments), number, thread, place)
                for number, thread in enumerate(block.places())
            ]
            for thread in threads:
                thread.start()
            try:
                _run_block(threads, clock)
            finally:
                for thread in threads:
                    thread.stop()
                for thread in threads:
                    thread.join()


def _run_block(threads: list[Thread], clock: Clock) -> None:
    barriers, ready = 0, threads
    while ready:
        for thread in ready:
            clock.moment = Moment(tuple(thread.blockIdx), barriers, thread.number)
            thread.resume()
        ready = _met_warps(threads)
        if not ready and not all(thread.ended for thread in threads):
            _check_together(threads, "a barrier")
            barriers, ready = barriers + 1, threads


def _met_warps(threads: list[Thread]) -> list[Thread]:
    """The threads of warps whose lanes are all at the same instruction of the whole warp."""
    met: list[Thread] = []
    for first in range(0, len(threads), LANES):
        warp = threads[first : first + LANES]
        if any(lane.waits and lane.waits[0] == "warp" for lane in warp):
            _check_together(warp, "an instruction of a whole warp")
            if len(warp) < LANES:
                raise Fault(f"a warp of {len(warp)} lanes is at an instruction of a whole warp")
            met += warp
    return met


def _check_together(threads: list[Thread], what: str) -> None:
    places = {thread.waits for thread in threads}
    if len(places) > 1:
        apart = [thread.number for thread in threads if thread.waits != threads[0].waits]
        raise Fault(f"{what} is not reached by all threads: {apart} are not with the first")


@dataclass(frozen=True)
class Sanitized:
    """A kernel that is called as the simulator's are: `kernel[grid, block](*arguments)`."""

    function: Function
    extents: tuple[Any, Any] = (1, 1)

    def __getitem__(self, extents: tuple[Any, Any]) -> Sanitized:
        return Sanitized(self.function, extents)

    def __call__(self, *arguments: Any) -> None:
        clock, names = Clock(), iter(self.function.code.__code__.co_varnames)
        watched = tuple(_viewed(a, next(names), clock) for a in arguments)
        launch(self.function, *map(Extent.of, self.extents), watched, clock)


def _viewed(argument: Any, name: str, clock: Clock) -> Any:
    """An array as a pointer into the array that it is a part of."""
    if not isinstance(argument, np.ndarray):
        return argument
    whole = argument if argument.base is None else argument.base
    start = (argument.ctypes.data - whole.ctypes.data) // argument.itemsize
    whole = whole.reshape(-1).view(argument.dtype)  # words of two factors pass as floats
    return View(Cells(name, whole, np.ones(whole.size, bool), clock), start)


def sanitized(kernel: Kernel) -> Sanitized:
    """A kernel on arrays of the host's, all of which count as written."""
    code: Any = simulated(kernel)
    return Sanitized(Function(code.py_func, kernel.shared_bytes))


@dataclass(frozen=True)
class _Memory:
    cells: Cells

    def at(self, offset: int) -> View:
        return View(self.cells, offset)


@dataclass(frozen=True)
class Sanitizer(Simulator):
    """The simulator, with every kernel under watch."""

    clock: Clock = field(default_factory=Clock)

    def allocate(self, count: int) -> _Memory:
        return self.upload(np.full(count, np.nan, np.float32))

    def upload(self, array: np.ndarray) -> _Memory:
        return _Memory(Cells.holding("memory", np.array(array).reshape(-1), self.clock))

    def function(self, kernel: Kernel) -> Function:
        function = super().function(kernel)
        return Function(function.code.py_func, function.shared_bytes)

    def launch(
        self, stream: None, function: Function, extents: Any, pointers: Any, shape: Any
    ) -> None:
        numbers = [np.float32(n) if isinstance(n, float) else n for n in shape]
        arguments = *pointers, type(shape)(*numbers)
        launch(function, *map(Extent.of, extents), arguments, self.clock)

    def copy_in(self, stream: None, to: _Memory, of: np.ndarray) -> None:
        to.cells.array[: of.size], to.cells.written[: of.size] = of, True

    def copy_out(self, stream: None, to: np.ndarray, of: _Memory) -> None:
        to[:] = of.cells.array[: to.size]
