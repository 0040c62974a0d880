"""What kernels are written in: memory, helpers that become part of their callers, integers."""

from __future__ import annotations

from collections.abc import Callable
from inspect import unwrap
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

    In the simulator it is the function itself, unless it asks for threads: then the simulator must
    put its own `cuda` in.
    """
    if SIMULATED and "cuda" not in unwrap(function).__code__.co_names:
        return function
    return cuda.jit(function, device=True, inline="always")


@inlined
def quotient(a: int, b: int) -> int:
    """`a // b` of integers from 0 to 2^31 - 1, in 32 bits."""
    return int32(uint32(a) // uint32(b))
