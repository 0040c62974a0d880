"""
The simulator of numba.cuda as a device.

It runs kernels as Python, thread by thread: where a process starts with NUMBA_ENABLE_CUDASIM=1, the
target cuda needs no GPU, and is slow.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cuda.driver import Function, Memory
from cnndsl.backends.cuda.gpu import SIMULATED_GPU, Gpu
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.launch import Extent
from cnndsl.errors import TargetError

_MEMORY_BYTES = 1 << 32


def is_simulated() -> bool:
    """Whether this process asks for the simulator."""
    return os.environ.get("NUMBA_ENABLE_CUDASIM", "0") not in ("", "0")


@dataclass(frozen=True, slots=True)
class _Memory:
    array: NDArray[Any]

    def at(self, offset: int) -> NDArray[Any]:
        return self.array[offset:]


@dataclass(frozen=True)
class Simulator:
    """A device whose every call is done when it returns."""

    gpu: Gpu = SIMULATED_GPU
    records: bool = False
    functions: dict[Kernel, Function] = field(default_factory=dict[Kernel, Function])

    def free_bytes(self) -> int:
        """As if it had so much."""
        return _MEMORY_BYTES

    def function(self, kernel: Kernel) -> Function:
        """The kernel's Python."""
        # Imported here: only what compiles or simulates waits for numba.
        from cnndsl.backends.cuda.compile import simulated

        if kernel not in self.functions:
            self.functions[kernel] = Function(simulated(kernel), kernel.shared_bytes)
        return self.functions[kernel]

    def allocate(self, count: int) -> _Memory:
        """Floats that are no numbers until somebody writes them."""
        return _Memory(np.full(count, np.nan, np.float32))

    def allocate_within(self, stream: None, count: int) -> _Memory:
        """The same."""
        return self.allocate(count)

    def upload(self, array: NDArray[Any]) -> _Memory:
        """A copy, which the simulator may write to: it takes no other arrays."""
        return _Memory(np.array(array).reshape(-1))

    def borrow(self, address: int) -> _Memory:
        """There is no memory but the host's."""
        raise TargetError(
            "the simulator has no device memory", code="E702", fixes=["pass NumPy arrays"]
        )

    def pinned(self, count: int) -> NDArray[np.float32]:
        """Plain memory."""
        return np.empty(count, np.float32)

    def stream(self) -> None:
        """There is one only."""

    def foreign_stream(self, handle: int) -> None:
        """There is one only."""

    def launch(
        self,
        stream: None,
        function: Function,
        extents: tuple[Extent, Extent],
        pointers: tuple[NDArray[Any], ...],
        shape: tuple[int | float, ...],
    ) -> None:
        """Run the kernel, with float32 for the shape's floats as on a device."""
        launcher: Any = function.code[*extents, 0, function.shared_bytes]
        launcher(*pointers, _as_on_device(shape))

    def copy_in(self, stream: None, to: Memory, of: NDArray[np.float32]) -> None:
        """Copy."""
        to.at(0)[: of.size] = of

    def copy_out(self, stream: None, to: NDArray[np.float32], of: Memory) -> None:
        """Copy."""
        to[:] = of.at(0)[: to.size]

    def record(self, stream: None, work: Callable[[], None]) -> Callable[[], None]:
        """The work itself."""
        return work

    def replay(self, stream: None, graph: Callable[[], None]) -> None:
        """Do the work."""
        graph()

    def follow(self, stream: None, graph: Callable[[], None], before: None, again: None) -> None:
        """Do the work."""
        graph()

    def mark(self, stream: None) -> None:
        """All is done."""

    def wait_for(self, stream: None, event: None) -> None:
        """All is done."""

    def wait(self, stream: None) -> None:
        """All is done."""


@cache
def shared_simulator() -> Simulator:
    """The simulator of this process."""
    return Simulator()


def _as_on_device(shape: tuple[int | float, ...]) -> tuple[Any, ...]:
    numbers = [np.float32(n) if isinstance(n, float) else n for n in shape]
    kind: Any = type(shape)
    return kind(*numbers)
