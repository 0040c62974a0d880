"""From a kernel's Python to an object file."""

from importlib import import_module
from types import FunctionType
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import compiler
from numba.core.compiler_lock import global_compiler_lock
from numba.core.target_extension import target_override

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.numba_target import TARGET, KernelDispatcher

_ARGUMENTS = (types.int64,) * 4

# What an object may ask of the process that loads it: libm, the memory functions of the C library,
# and the scheduler. Anything else (an exception, an allocation) is a mistake in the kernel.
ALLOWED_SYMBOLS = frozenset(
    [*("memcpy", "memmove", "memset"), *("expf", "logf", "powf"), "sched_yield", "SwitchToThread"]
)


def compile_kernel(kernel: Kernel) -> bytes:
    """
    The object file of `kernel` for this processor; it defines the function `kernel.symbol`.

    No fast-math flag is set: kernels say `fma` where they mean one, and the exact order of the
    rest is theirs, so a work unit has the same bits whichever range it is computed in.
    """
    with global_compiler_lock:
        library = _library(kernel)
        strangers = _undefined_symbols(library._final_module) - ALLOWED_SYMBOLS
        if strangers:
            raise AssertionError(f"kernel {kernel.name} needs {', '.join(sorted(strangers))}")
        return library.emit_native_object()


def kernel_text(kernel: Kernel, stage: str) -> str:
    """The kernel's optimised LLVM IR (`llvm`) or its assembly (`asm`)."""
    with global_compiler_lock:
        library = _library(kernel)
        return library.get_llvm_str() if stage == "llvm" else library.get_asm_str()


def _library(kernel: Kernel) -> Any:
    """The kernel in a library of Numba's, optimised."""
    flags = compiler.Flags()
    flags.error_model = "numpy"
    flags.no_cpython_wrapper = True
    flags.no_cfunc_wrapper = True
    flags.no_compile = True
    flags.forceinline = True  # into the entry
    of = KernelDispatcher.targetdescr
    typing, target = of.typing_context, of.target_context
    function = _python_of(kernel)
    with target_override(TARGET):
        result = compiler.compile_extra(typing, target, function, _ARGUMENTS, types.void, flags, {})
    library = result.library
    library.add_ir_module(_entry(target, result.fndesc, kernel.symbol))
    for function in library._final_module.functions:
        if not function.is_declaration and function.name != kernel.symbol:
            function.linkage = "internal"  # or it would stay, beside what was inlined
    library.finalize()
    return library


def _python_of(kernel: Kernel) -> FunctionType:
    """The kernel's Python function, under a name of its own: symbols are made of it."""
    module = import_module(f"cnndsl.backends.cpu.kernels.{kernel.module}")
    made: Any = getattr(module, kernel.function)
    function: FunctionType = made(*kernel.parameters) if kernel.parameters else made
    code, scope, closure = function.__code__, function.__globals__, function.__closure__
    renamed = FunctionType(code, scope, kernel.name, function.__defaults__, closure)
    renamed.__qualname__ = kernel.name
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


def _undefined_symbols(module: Any) -> frozenset[str]:
    """The functions that an optimised module calls and lacks."""
    declared = [function.name for function in module.functions if function.is_declaration]
    return frozenset(name for name in declared if not name.startswith("llvm."))
