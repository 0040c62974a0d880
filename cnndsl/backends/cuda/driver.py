"""
What the backend asks of a device: memory, launches, and launches recorded as one.

`device.py` drives a GPU with it, `simulator.py` the simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.gpu import Gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.launch import Extent

Pointer = Any
"""What a kernel is given: an address, or an array in the simulator."""
Stream = Any
"""Work that is done one after the other. Streams run beside each other."""
Graph = Any
"""Launches that were recorded, to be launched as one."""
Event = Any
"""A moment of a stream's."""


@dataclass(frozen=True, slots=True)
class Function:
    """A kernel on the device: its code there, and the shared memory that its launches ask for."""

    code: Any
    shared_bytes: int


class Memory(Protocol):
    """float32 on the device, as long as the object lives."""

    def at(self, offset: int) -> Pointer:
        """Where the float number `offset` lies."""
        ...


class Driver(Protocol):
    """
    A device. Calls may come from several threads, but for one stream from one at a time.

    All but `wait` return at once. Raises `TargetError` where the device refuses.
    """

    @property
    def gpu(self) -> Gpu:
        """What is known of it."""
        ...

    @property
    def records(self) -> bool:
        """Whether it can record launches; else they are made one by one each time."""
        ...

    def free_bytes(self) -> int:
        """Bytes of its memory that nobody uses now."""
        ...

    def function(self, kernel: Kernel) -> Function:
        """A kernel, compiled and loaded once."""
        ...

    def allocate(self, count: int) -> Memory:
        """Memory for so many floats."""
        ...

    def allocate_within(self, stream: Stream, count: int) -> Memory:
        """Memory whose life is a part of a stream's work: nothing waits for it."""
        ...

    def upload(self, array: NDArray[Any]) -> Memory:
        """Memory with the elements of an array of 4 bytes each."""
        ...

    def borrow(self, address: int) -> Memory:
        """Memory of somebody else's, which lies on the device."""
        ...

    def pinned(self, count: int) -> NDArray[np.float32]:
        """Floats of the host's that the device can copy by itself."""
        ...

    def stream(self) -> Stream:
        """A stream of its own."""
        ...

    def foreign_stream(self, handle: int) -> Stream:
        """Somebody else's stream."""
        ...

    def launch(
        self,
        stream: Stream,
        function: Function,
        extents: tuple[Extent, Extent],
        pointers: tuple[Pointer, ...],
        shape: tuple[int | float, ...],
    ) -> None:
        """Start a kernel: `extents` are blocks of the grid and threads of a block."""
        ...

    def copy_in(self, stream: Stream, to: Memory, of: NDArray[np.float32]) -> None:
        """Copy pinned floats to the device."""
        ...

    def copy_out(self, stream: Stream, to: NDArray[np.float32], of: Memory) -> None:
        """Copy floats of the device's to pinned ones."""
        ...

    def record(self, stream: Stream, work: Callable[[], None]) -> Graph:
        """What `work` puts into the stream, recorded and not done."""
        ...

    def replay(self, stream: Stream, graph: Graph) -> None:
        """Do what was recorded."""
        ...

    def follow(
        self, stream: Stream, graph: Graph, before: Event | None, again: Event | None
    ) -> Event:
        """
        Do what was recorded when a moment has passed; the moment when that is done.

        `again` is an event that is used once more for it.
        """
        ...

    def mark(self, stream: Stream) -> Event:
        """The moment when all that was put into the stream is done."""
        ...

    def wait_for(self, stream: Stream, event: Event) -> None:
        """Let the stream's further work wait for a moment."""
        ...

    def wait(self, stream: Stream) -> None:
        """Return when all that was put into the stream is done."""
        ...
