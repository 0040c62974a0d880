"""
Kernels that do more than to call emitted functions, compiled by Numba.

The target is Numba's CPU with as much of Numba as kernels use. Numba's own brings lists, strings,
arrays, random numbers and much else, and loads all of it, and whatever other packages add, before
it compiles anything. Kernels compute with numbers.
"""

from functools import cached_property, partial
from importlib import import_module
from types import FunctionType
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.core import compiler
from numba.core.codegen import AOTCodeLibrary, AOTCPUCodegen
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext
from numba.core.decorators import jit
from numba.core.registry import CPUDispatcher, CPUTarget
from numba.core.target_extension import (
    CPU,
    dispatcher_registry,
    jit_registry,
    target_override,
    target_registry,
)

TARGET = "cnndsl"
"""What Numba calls it."""
# Modules that register how to compile what they are named for, when they are imported.
_REGISTERING = ("builtins", "iterators", "numbers", "rangeobj", "tupleobj")
_ARGUMENTS = (types.int64,) * 4


class KernelLibrary(AOTCodeLibrary):
    """A kernel's module, as it was written: who gets it makes it better."""

    def _optimize_functions(self, ll_module: binding.ModuleRef) -> None:
        ll_module.data_layout = self._codegen.data_layout

    def _optimize_final_module(self) -> None:
        pass

    _codegen: "KernelCodegen"


class KernelCodegen(AOTCPUCodegen):
    """What collects modules."""

    _library_class = KernelLibrary

    def __init__(self) -> None:
        super().__init__(TARGET, "host")

    @property
    def data_layout(self) -> str:
        """How the processor lays out data."""
        return self._data_layout


class KernelContext(CPUContext):
    """What kernels are lowered with."""

    def init(self) -> None:
        self.is32bit = False
        self._internal_codegen = KernelCodegen()

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


def compiled_by_numba(function: FunctionType, symbol: str) -> binding.ModuleRef:
    """A kernel's Python in a module whose function `symbol` is for C to call."""
    flags = compiler.Flags()
    flags.error_model = "numpy"
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.no_compile = True
    flags.forceinline = True  # into the entry
    of = KernelDispatcher.targetdescr
    typing, target = of.typing_context, of.target_context
    named = _renamed(function, symbol)
    with global_compiler_lock, target_override(TARGET):
        result = compiler.compile_extra(typing, target, named, _ARGUMENTS, types.void, flags, {})
        library = result.library
        library.add_ir_module(_entry(target, result.fndesc, symbol))
        library.finalize()
    module = library._final_module
    for part in module.functions:
        if not part.is_declaration and part.name != symbol:
            part.linkage = "internal"  # or it would stay, beside what was inlined
    return module


def _renamed(function: FunctionType, name: str) -> FunctionType:
    """The function under a name of its own: Numba makes symbols of it."""
    code, scope, closure = function.__code__, function.__globals__, function.__closure__
    renamed = FunctionType(code, scope, name, function.__defaults__, closure)
    renamed.__qualname__ = name
    renamed.__module__ = function.__module__
    return renamed


def _entry(target: Any, description: Any, symbol: str) -> Any:
    """A C function around Numba's own: kernels cannot fail, so its error status is dropped."""
    module = target.create_module(symbol)
    kind = target.call_conv.get_function_type(description.restype, description.argtypes)
    callee = ir.Function(module, kind, description.llvm_func_name)
    entry = ir.Function(module, ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * 4), symbol)
    builder = ir.IRBuilder(entry.append_basic_block("entry"))
    target.call_conv.call_function(
        builder, callee, description.restype, description.argtypes, entry.args
    )
    builder.ret_void()
    return module
