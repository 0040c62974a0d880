"""
From a kernel's Python to PTX, or to what the simulator runs.

With kernels/, this is all that imports numba.cuda.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from types import FunctionType
from typing import Any, get_type_hints

from numba import cuda, types

from cnndsl.backends.cuda.gpu import Architecture
from cnndsl.backends.cuda.kernel import Kernel
from cnndsl.backends.cuda.kernels.device_code import SIMULATED, Floats, Ints

_POINTERS = {Floats: types.CPointer(types.float32), Ints: types.CPointer(types.int32)}
_NUMBERS = {int: types.int32, float: types.float32}


def kernel_ptx(kernel: Kernel, architecture: Architecture) -> str:
    """
    The kernel's PTX; it defines the entry `kernel.symbol`.

    No fast-math flag is set: products and sums are fused where the code says so or the compiler
    may, and divisions and roots are rounded correctly.
    """
    function = _python_of(kernel)
    ptx, _ = cuda.compile_ptx(function, _signature(function), cc=architecture)
    entry = re.search(r"\.entry (\w+)\([^)]*\)", ptx)
    assert entry is not None
    bounded = f"{entry[0]}{_directives(kernel)}"
    return ptx.replace(entry[0], bounded, 1).replace(entry[1], kernel.symbol)


def _directives(kernel: Kernel) -> str:
    """What PTX says of an entry's launches."""
    if kernel.bounds is None:
        return ""
    threads, blocks = kernel.bounds
    return f"\n.maxntid {threads}, 1, 1\n.minnctapersm {blocks}\n"


def simulated(kernel: Kernel) -> Callable[..., Any]:
    """The kernel as the simulator runs it: `f[grid, block](*arguments)`."""
    assert SIMULATED
    return cuda.jit(_python_of(kernel))


def _python_of(kernel: Kernel) -> FunctionType:
    """The kernel's Python function."""
    module = import_module(f"cnndsl.backends.cuda.kernels.{kernel.module}")
    made: Any = getattr(module, kernel.function)
    return made(*kernel.parameters) if kernel.parameters else made


def _signature(function: FunctionType) -> tuple[types.Type, ...]:
    """Numba's types of a kernel's annotated arguments."""
    hints = get_type_hints(function)
    hints.pop("return", None)
    return tuple(_POINTERS.get(hint) or _tuple_type(hint) for hint in hints.values())


def _tuple_type(hint: Any) -> types.Type:
    """A NamedTuple of numbers."""
    fields = get_type_hints(hint).values()
    return types.NamedTuple(tuple(_NUMBERS[field] for field in fields), hint)
