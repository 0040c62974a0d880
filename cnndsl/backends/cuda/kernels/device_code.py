"""What kernels are written in: memory, helpers that become part of their callers, integers."""

from __future__ import annotations

from collections.abc import Callable
from threading import current_thread
from typing import Any, Protocol, TypeVar

from numba import cuda, int32, uint32

SIMULATED: bool = cuda.config.ENABLE_CUDASIM
"""Whether kernels run in the simulator, which knows no PTX."""

AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


class Floats(Protocol):
    """float32 in memory: a pointer on a device, a one-dimensional array in the simulator."""

    def __getitem__(self, place: int, /) -> float: ...

    def __setitem__(self, place: int, value: float, /) -> None: ...


class Ints(Protocol):
    """int32 in memory: a pointer on a device, a one-dimensional array in the simulator."""

    def __getitem__(self, place: int, /) -> int: ...

    def __setitem__(self, place: int, value: int, /) -> None: ...


def inlined(function: AnyFunction) -> AnyFunction:
    """
    A helper that kernels call on the device; its code becomes part of theirs.

    In the simulator it is the function itself. The simulator exchanges `cuda` in kernels only, so a
    helper is given what it needs to know of threads.
    """
    return function if SIMULATED else cuda.jit(function, device=True, inline="always")


@inlined
def quotient(a: int, b: int) -> int:
    """`a // b` of integers from 0 to 2^31 - 1, in 32 bits."""
    return int32(uint32(a) // uint32(b))


@inlined
def coordinates(i: int, height: int, width: int, maps: int) -> tuple[int, int, int, int]:
    """Image, row, column and map of cell i of a batch of images of that size."""
    pixel = quotient(i, maps)
    line = quotient(pixel, width)
    image = quotient(line, height)
    return image, line - image * height, pixel - line * width, i - pixel * maps


if SIMULATED:

    def within(a: int, count: int) -> bool:
        """Whether a is 0 or more and less than `count`, in one comparison."""
        return 0 <= a < count

    def barrier() -> None:
        """Wait for all threads of the block; helpers say so, kernels say `cuda.syncthreads()`."""
        # A thread of the simulator's is a thread of Python's with such a method.
        thread: Any = current_thread()
        thread.syncthreads()

else:

    @inlined
    def within(a: int, count: int) -> bool:
        """Whether a is 0 or more and less than `count`, in one comparison."""
        return uint32(a) < uint32(count)

    @inlined
    def barrier() -> None:
        """Wait for all threads of the block; helpers say so, kernels say `cuda.syncthreads()`."""
        cuda.syncthreads()
