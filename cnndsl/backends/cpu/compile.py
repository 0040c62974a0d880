"""From a kernel's Python to an object file."""

from importlib import import_module
from types import FunctionType
from typing import Any

from llvmlite import binding, ir

from cnndsl.backends.cpu.integers import I64
from cnndsl.backends.cpu.intrinsics import Argument
from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.machine import host_machine, optimise, parsed

ENTRY = ir.FunctionType(ir.VoidType(), [I64] * 4)
"""What a kernel is to its callers."""

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
    module = optimised_module(python_of(kernel), kernel.symbol)
    strangers = _undefined_symbols(module) - ALLOWED_SYMBOLS
    if strangers:
        raise AssertionError(f"kernel {kernel.name} needs {', '.join(sorted(strangers))}")
    return host_machine().emit_object(module)


def kernel_text(kernel: Kernel, stage: str) -> str:
    """The kernel's optimised LLVM IR (`llvm`) or its assembly (`asm`)."""
    module = optimised_module(python_of(kernel), kernel.symbol)
    return str(module) if stage == "llvm" else host_machine().emit_assembly(module)


def python_of(kernel: Kernel) -> FunctionType:
    """The kernel's Python function."""
    module = import_module(f"cnndsl.backends.cpu.kernels.{kernel.module}")
    made: Any = getattr(module, kernel.function)
    function: FunctionType = made(*kernel.parameters) if kernel.parameters else made
    return function


def optimised_module(function: FunctionType, symbol: str) -> binding.ModuleRef:
    """A function of four int64 in a module of LLVM's: written down by itself, else by Numba."""
    try:
        module = parsed(written_down(function, symbol))
    except TypeError:  # it does more than to hand on its arguments
        # Imported here: it takes longer than to compile a kernel.
        from cnndsl.backends.cpu.numba_target import compiled_by_numba

        module = compiled_by_numba(function, symbol)
    optimise(module)
    return module


def written_down(function: FunctionType, symbol: str) -> str:
    """LLVM IR of a kernel that only hands on its arguments. Raises `TypeError` for another."""
    module = ir.Module(symbol)
    module.triple = binding.get_process_triple()
    module.data_layout = str(host_machine().target_data)
    entry = ir.Function(module, ENTRY, symbol)
    builder = ir.IRBuilder(entry.append_basic_block("entry"))
    if function(*[Argument(builder, value) for value in entry.args]) is not None:
        raise TypeError(f"{symbol} returns something: a kernel returns nothing")
    builder.ret_void()
    return str(module)


def _undefined_symbols(module: binding.ModuleRef) -> frozenset[str]:
    """The functions that an optimised module calls and lacks."""
    declared = [function.name for function in module.functions if function.is_declaration]
    return frozenset(name for name in declared if not name.startswith("llvm."))
