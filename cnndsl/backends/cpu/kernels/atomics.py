"""What threads need of the processor: calls by address, atomic counters, patience."""

import platform
import sys
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from cnndsl.backends.cpu.memory import SCALAR
from cnndsl.backends.cpu.vectors import I32, I64, Code, Value, emits

_X86, _ARM = ("x86_64", "AMD64"), ("arm64", "aarch64")
_SCHED_YIELD = "SwitchToThread" if sys.platform == "win32" else "sched_yield"


@emits(SCALAR)
def call_kernel(
    code: Code, address: Value, fields: Value, begin: Value, end: Value, scratch: Value
) -> None:
    """Call the kernel at `address` for the work units `begin` to `end`."""
    kind = ir.FunctionType(ir.VoidType(), [I64] * 4)
    kernel = code.builder.inttoptr(address, kind.as_pointer())
    code.builder.call(kernel, [fields, begin, end, scratch])


@emits(SCALAR, result="int64")
def read_counter(code: Code, address: Value) -> Value:
    """The counter at `address`; what was written before it was raised so far is visible."""
    pointer = code.builder.inttoptr(address, I64.as_pointer())
    return code.builder.load_atomic(pointer, "acquire", 8)


@emits(SCALAR, result="int64")
def raise_counter(code: Code, address: Value, amount: Value) -> Value:
    """Add `amount` to the counter at `address`, publishing what was written; its value before."""
    pointer = code.builder.inttoptr(address, I64.as_pointer())
    return code.builder.atomic_rmw("add", pointer, amount, "acq_rel")


@emits(SCALAR, result="int64")
def exchange(code: Code, address: Value, expected: Value, value: Value) -> Value:
    """Make the counter at `address` `value` if it is `expected`; its value before."""
    pointer = code.builder.inttoptr(address, I64.as_pointer())
    both = code.builder.cmpxchg(pointer, expected, value, "acq_rel", "acquire")
    return code.builder.extract_value(both, 0)


@emits(SCALAR)
def write_counter(code: Code, address: Value, value: Value) -> None:
    """Set the counter at `address`, publishing what was written before."""
    pointer = code.builder.inttoptr(address, I64.as_pointer())
    code.builder.store_atomic(value, pointer, "release", 8)


@emits(SCALAR)
def pause(code: Code) -> None:
    """Tell the core that this is a waiting loop."""
    if platform.machine() in _X86:
        _call(code, "llvm.x86.sse2.pause", ir.VoidType())
    elif platform.machine() in _ARM:
        _call(code, "llvm.aarch64.hint", ir.VoidType(), I32(1))


@emits(SCALAR)
def give_way(code: Code) -> None:
    """Let another thread have this core."""
    _call(code, _SCHED_YIELD, I32)


def _call(code: Code, name: str, result: Any, *operands: Any) -> None:
    kind = ir.FunctionType(result, [operand.type for operand in operands])
    function = cgutils.get_or_insert_function(code.builder.module, kind, name)
    code.builder.call(function, operands)
