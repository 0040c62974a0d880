"""What measures the machine itself: the fields of the kernels in kernels/roof.py."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import MOST_CHUNK_FLOATS, Call
from cnndsl.backends.cpu.target import Target

MULTIPLY_ADD = Kernel("roof", "multiply_add")
READ = Kernel("roof", "read")

_UNIT_FLOATS = 1 << 18
_SCRATCH_FLOATS = 16  # the widest vector


def chains_of(target: Target) -> int:
    """Independent chains of multiply-adds: more than hide the latency of one, each a register."""
    return target.registers - 4


class MultiplyAddFields(NamedTuple):
    """
    The row of `multiply_add`. In a work unit each chain makes `turns` multiply-adds.

    They multiply by `factor`: a constant in the kernel would let the compiler foresee results.
    """

    turns: Any
    factor: Any


class ReadFields(NamedTuple):
    """The row of `read`. Work unit i reads `floats` floats, from `i * floats` after `x` on."""

    x: Any
    floats: Any


def multiply_add_call(units: int, turns: int) -> Call:
    """Multiply-adds on values that stay in registers."""
    return Call(
        MULTIPLY_ADD, MultiplyAddFields(turns, 0.5), units, MOST_CHUNK_FLOATS, _SCRATCH_FLOATS
    )


def read_call(memory: NDArray[np.float32]) -> Call:
    """Read an array once, whole mebibytes of it."""
    fields = ReadFields(memory, _UNIT_FLOATS)
    return Call(READ, fields, memory.size // _UNIT_FLOATS, _UNIT_FLOATS, _SCRATCH_FLOATS)
