"""Reading the processor's clock: see lowering/clock.py for the fields."""

import platform

from llvmlite import ir

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import I64, Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.lowering.clock import StampFields
from cnndsl.backends.cpu.memory import SCALAR, read_fields, set_entry
from cnndsl.backends.cpu.target import ARM

# Both run at one rate on all cores. An ARM core's cycle counter is closed to programs.
_COUNTER = (
    "llvm.readsteadycounter" if platform.machine().lower() in ARM else "llvm.readcyclecounter"
)


@emits(SCALAR)
def _stamp(code: Code, args: Value) -> None:
    fields = read_fields(code, args, StampFields)
    counter = code.declare(ir.FunctionType(I64, []), _COUNTER)
    set_entry(code, fields.ticks, 0, code.builder.call(counter, []))


def stamp(args: int, begin: int, end: int, scratch: int) -> None:
    """Write down the time, in ticks."""
    _stamp(args)
