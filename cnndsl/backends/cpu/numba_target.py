"""
A target of Numba's for kernels: its CPU, with as much of Numba as they use.

Numba's own brings lists, strings, arrays, random numbers and much else, and loads all of it, and
whatever other packages add, before it compiles anything. Kernels compute with numbers.
"""

from functools import cached_property, partial
from importlib import import_module
from typing import Any

from numba.core.cpu import CPUContext
from numba.core.decorators import jit
from numba.core.registry import CPUDispatcher, CPUTarget
from numba.core.target_extension import CPU, dispatcher_registry, jit_registry, target_registry

TARGET = "cnndsl"
"""What Numba calls it."""
# Modules that register how to compile what they are named for, when they are imported.
_REGISTERING = ("builtins", "iterators", "numbers", "rangeobj", "tupleobj")


class KernelContext(CPUContext):
    """What kernels are lowered with."""

    def load_additional_registries(self) -> None:
        for name in _REGISTERING:
            import_module(f"numba.cpython.{name}")
        self.install_registry(import_module("numba.cpython.mathimpl").registry)

    def post_lowering(self, mod: Any, library: Any) -> None:
        """Link none of Numba's runtime, which counts references: kernels allocate nothing."""


class KernelTarget(CPUTarget):
    """The contexts in which kernels are typed and lowered."""

    @property
    def target_context(self) -> KernelContext:
        """What lowers."""
        return self._context

    @cached_property
    def _context(self) -> KernelContext:
        return KernelContext(self.typing_context, TARGET)


class KernelDispatcher(CPUDispatcher):
    """What compiles the functions that kernels call."""

    targetdescr = KernelTarget(TARGET)


class KernelCPU(CPU):
    """The target among Numba's others: what any CPU can do, it can."""


target_registry[TARGET] = KernelCPU
dispatcher_registry[KernelCPU] = KernelDispatcher
jit_registry[KernelCPU] = partial(
    jit, _target=TARGET, no_cpython_wrapper=True, no_cfunc_wrapper=True
)
