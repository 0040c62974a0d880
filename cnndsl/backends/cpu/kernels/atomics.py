"""What threads need of the processor: atomic counters and patience."""

import platform
import sys
from typing import Any

from llvmlite import ir

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.control import I32, Index
from cnndsl.backends.cpu.integers import I64, Int, Value, raw

_X86, _ARM = ("x86_64", "AMD64"), ("arm64", "aarch64")
_SCHED_YIELD = "SwitchToThread" if sys.platform == "win32" else "sched_yield"


def read_counter(code: Code, address: Index) -> Int:
    """The counter at `address`; what was written before it was raised so far is visible."""
    return Int(code.builder, code.builder.load_atomic(_pointer(code, address), "acquire", 8))


def raise_counter(code: Code, address: Index, amount: Index) -> Int:
    """Add `amount` to the counter at `address`, publishing what was written; its value before."""
    place = _pointer(code, address)
    return Int(code.builder, code.builder.atomic_rmw("add", place, raw(amount), "acq_rel"))


def exchange(code: Code, address: Index, expected: Index, value: Index) -> Int:
    """Make the counter at `address` `value` if it is `expected`; its value before."""
    place, old, new = _pointer(code, address), raw(expected), raw(value)
    both = code.builder.cmpxchg(place, old, new, "acq_rel", "acquire")
    return Int(code.builder, code.builder.extract_value(both, 0))


def write_counter(code: Code, address: Index, value: Index) -> None:
    """Set the counter at `address`, publishing what was written before."""
    code.builder.store_atomic(raw(value), _pointer(code, address), "release", 8)


def pause(code: Code) -> None:
    """Tell the core that this is a waiting loop."""
    if platform.machine() in _X86:
        _call(code, "llvm.x86.sse2.pause", ir.VoidType())
    elif platform.machine() in _ARM:
        _call(code, "llvm.aarch64.hint", ir.VoidType(), I32(1))


def give_way(code: Code) -> None:
    """Let another thread have this core."""
    _call(code, _SCHED_YIELD, I32)


def _pointer(code: Code, address: Index) -> Value:
    return code.builder.inttoptr(raw(address), I64.as_pointer())


def _call(code: Code, name: str, result: Any, *operands: Any) -> None:
    kind = ir.FunctionType(result, [operand.type for operand in operands])
    code.builder.call(code.declare(kind, name), operands)
