from collections.abc import Callable
from typing import Any, TypeVar

from numba.core.types import Type

_Function = TypeVar("_Function", bound=Callable[..., Any])

class Config:
    ENABLE_CUDASIM: bool

config: Config

class Dim3:
    x: int
    y: int
    z: int

threadIdx: Dim3
blockIdx: Dim3
blockDim: Dim3
gridDim: Dim3

def grid(ndim: int) -> int: ...
def gridsize(ndim: int) -> int: ...

class Shared:
    # A shape of several sides is indexed by a tuple.
    def array(
        self, shape: int | tuple[int, ...], dtype: Type, alignment: int | None = ...
    ) -> Any: ...

class Local:
    def array(self, shape: int | tuple[int, ...], dtype: Type) -> Any: ...

shared: Shared
local: Local

def syncthreads() -> None: ...
def fma(a: float, b: float, c: float) -> float: ...
def jit(function: _Function, *, device: bool = ..., inline: str = ...) -> _Function: ...
def compile_ptx(
    function: Callable[..., Any],
    signature: tuple[Type, ...],
    *,
    cc: tuple[int, int],
    fastmath: bool = ...,
    lineinfo: bool = ...,
    launch_bounds: int | tuple[int, ...] | None = ...,
) -> tuple[str, Type]: ...
