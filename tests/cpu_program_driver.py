"""Run one call of a program over guarded memory, as the executor would, whole and in pieces."""

import ctypes

import numpy as np
from cpu_kernel_driver import GUARD, UNTOUCHED, blank_of, cells, memory_of, outside

from cnndsl.backends.cpu.addresses import address
from cnndsl.backends.cpu.library import shared_library
from cnndsl.backends.cpu.lowering.call import Call, Lowered
from cnndsl.backends.cpu.program import assemble
from cnndsl.backends.cpu.program_layout import FIELDS
from cnndsl.plan.plan import Buffer

NATIVE = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 4)
TINY = 2.0**-149  # the smallest float32
FEW = 8  # units in the last place that an elementary function may be off


def random_images(shape: tuple[int, ...], seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def execute(
    call: Call, x: np.ndarray, y: np.ndarray, ranges: list[tuple[int, int]] | None = None
) -> None:
    """Run a call over the guarded memories x and y: all of it, or ranges of units in turn."""
    program = assemble([call], 0, shared_library())
    table = program.table.reshape(-1)
    for place, memory in (("input", x), ("output", y)):
        table[[moved.field for moved in program.moved[place]]] += address(memory[GUARD:])
    kernel = NATIVE(int(table[0]))
    scratch = np.full(call.scratch_floats + 1, np.nan, np.float32)
    for begin, end in ranges or [(0, call.units)]:
        kernel(address(table[FIELDS:]), begin, end, address(scratch))


def output_of(lowered: Lowered, x: Buffer, y: Buffer, images: np.ndarray) -> np.ndarray:
    """
    The images that a kernel writes.

    Computed whole and in single units, backwards: the bits are the same, nothing outside the
    images is written, and what is read outside (NaN in the guards) does not show.
    """
    batch = len(images)
    call, memory = lowered(batch), memory_of(x, images)
    whole, pieces = blank_of(y, batch), blank_of(y, batch)
    execute(call, memory, whole)
    execute(call, memory, pieces, [(i, i + 1) for i in reversed(range(call.units))])
    assert whole.tobytes() == pieces.tobytes()
    assert (outside(y, whole, batch) == UNTOUCHED).all()
    return cells(y, whole, batch).copy()


def assert_close(y: np.ndarray, expected: np.ndarray, allowed: np.ndarray | float) -> None:
    error = np.abs(y - expected)
    assert np.isfinite(y).all()
    assert (error <= allowed).all(), f"{error.max()} in {y.shape}, {np.max(error - allowed)} over"
