"""Reading the clock between steps: the fields of the kernel in kernels/clock.py."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnndsl.backends.cpu.kernel import Kernel
from cnndsl.backends.cpu.lowering.call import Call, Lowered

STAMP = Kernel("clock", "stamp")


class StampFields(NamedTuple):
    """The row of `stamp`: where the clock's ticks go. There is one work unit."""

    ticks: Any


def lower_stamp(ticks: NDArray[np.int64]) -> Lowered:
    """Write the clock's ticks into the array's first element."""
    call = Call(STAMP, StampFields(ticks), units=1, unit_floats=1)
    return lambda batch: call
