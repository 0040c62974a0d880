"""Run one lowered kernel over arrays of a test, whole or in pieces, its output guarded."""

import re
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module

import numba
import numpy as np
from llvmlite import binding
from numba import types

from cnndsl.backends.cpu.code import Code
from cnndsl.backends.cpu.integers import Value
from cnndsl.backends.cpu.intrinsics import emits
from cnndsl.backends.cpu.kernel import Kernel, encode
from cnndsl.backends.cpu.lowering.call import Address, Call, Shared
from cnndsl.backends.cpu.memory import SCALAR
from cnndsl.plan.plan import Buffer

UNTOUCHED = np.float32(-12345.0)
GUARD = 64  # floats around an array

_SIGNATURE = types.void(types.int64, types.int64, types.int64, types.int64)


@cache
def callback(kernel: Kernel):
    """The kernel compiled in memory: `.ctypes` calls it, `.address` is its address."""
    module = import_module(f"cnndsl.backends.cpu.kernels.{kernel.module}")
    function = getattr(module, kernel.function)
    if kernel.parameters:
        function = function(*kernel.parameters)
    return numba.cfunc(_SIGNATURE, error_model="numpy")(function)


def memory_of(buffer: Buffer, values: np.ndarray) -> np.ndarray:
    """The memory of a batch of input images: zeros in their halos, NaN in the guards around."""
    memory = guarded(len(values) * buffer.image_stride, np.nan)
    memory[GUARD:-GUARD] = 0.0
    cells(buffer, memory, len(values))[:] = values
    return memory


def blank_of(buffer: Buffer, batch: int) -> np.ndarray:
    """The memory of a batch of output images, marked `UNTOUCHED` everywhere."""
    return guarded(batch * buffer.image_stride, UNTOUCHED)


def guarded(floats: int, fill: float) -> np.ndarray:
    """An array that starts on a cache line, with guards before and behind."""
    line = 16
    memory = np.empty(floats + 2 * GUARD + line, np.float32)
    start = -memory.ctypes.data // 4 % line
    memory = memory[start : start + floats + 2 * GUARD]
    memory[:] = fill
    return memory


def cells(buffer: Buffer, memory: np.ndarray, batch: int) -> np.ndarray:
    """The images in such memory, without halos: a view [n, h, w, c]."""
    height, width, maps = buffer.image
    top, bottom, left, right = buffer.halo
    images = memory[GUARD:-GUARD].reshape(batch, top + height + bottom, left + width + right, maps)
    return images[:, top : top + height, left : left + width]


def outside(buffer: Buffer, memory: np.ndarray, batch: int) -> np.ndarray:
    """All floats of such memory that are no cell of an image."""
    kept = np.ones(memory.shape, bool)
    cells(buffer, kept, batch)[:] = False
    return memory[kept]


def run(
    call: Call,
    x: np.ndarray,
    y: np.ndarray,
    ranges: Sequence[tuple[int, int]] | None = None,
    activation: int = 0,
    kept: bool = False,
) -> None:
    """
    Run a call over the memories `x` and `y`: all units, or ranges of them one after another.

    What has to be run before it is run first, the last units before the others. `activation` is an
    address to be called in place of what the call names. Scratch memory is spoilt between ranges,
    as if each were another thread's, or `kept`, as if one had them all.
    """
    shared = guarded(call.shared_floats, np.nan)
    starts = {"input": x[GUARD:].ctypes.data, "output": y[GUARD:].ctypes.data}

    def word(field) -> int:
        if isinstance(field, Address):
            return starts[field.place] + 4 * field.offset
        if isinstance(field, Shared):
            return shared[GUARD:].ctypes.data + 4 * field.offset
        return field.ctypes.data if isinstance(field, np.ndarray) else encode(field)

    def draw(call: Call, ranges: Sequence[tuple[int, int]], activation: int) -> None:
        fields = call.fields._replace(activation=activation)
        row = np.array([word(field) for field in fields], np.int64)
        scratch = guarded(call.scratch_floats, np.nan)
        function: Callable[..., None] = callback(call.kernel).ctypes
        for begin, end in ranges:
            if not kept:
                scratch[GUARD:-GUARD] = np.nan
            function(row.ctypes.data, begin, end, scratch[GUARD:].ctypes.data)
        assert np.isnan(scratch[:GUARD]).all()
        assert np.isnan(scratch[-GUARD:]).all()

    for row in call.rows[:-1]:
        half = row.units // 2
        draw(row, [(half, row.units), (0, half)], 0)
    draw(call, ranges or [(0, call.units)], activation)
    assert np.isnan(shared[:GUARD]).all()
    assert np.isnan(shared[-GUARD:]).all()


def pieces(units: int, rng: np.random.Generator) -> list[tuple[int, int]]:
    """A random split of the units, in random order."""
    cuts = np.unique(np.concatenate([[0, units], rng.integers(0, units + 1, 3)]))
    ranges = list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
    return [ranges[i] for i in rng.permutation(len(ranges))]


def hot_loops(kernel: Kernel, cpu: str | None = None) -> list[list[str]]:
    """
    The assembly of the innermost loops that multiply and add vectors, as lists of lines.

    It is that of this machine, or of another x86-64 `cpu`.
    """
    library = callback(kernel)._library
    text = library.get_asm_str() if cpu is None else _assembly_for(cpu, library.get_llvm_str())
    lines = text.splitlines()
    places = {line[:-1]: i for i, line in enumerate(lines) if re.match(r"\.?L\w+:$", line)}
    loops = []
    for end, line in enumerate(lines):
        start = places.get(line.split()[-1] if line.strip() else "")
        if start is not None and start < end and line.lstrip().startswith(("j", "b")):
            body = lines[start + 1 : end]
            inner = not any(line[:-1] in places for line in body)
            if inner and multiplications(body):
                loops.append(body)
    return loops


def _assembly_for(cpu: str, text: str) -> str:
    """The assembly of optimised LLVM IR for another CPU than it says."""
    module = binding.parse_assembly(re.sub(r'"target-(cpu|features)"="[^"]*"', "", text))
    target = binding.Target.from_default_triple()
    return target.create_target_machine(cpu=cpu, opt=3).emit_assembly(module)


def multiplications(lines: list[str]) -> int:
    """The fused multiply-adds in some assembly."""
    return sum(bool(re.search("fmadd|fmla", line)) for line in lines)


@emits(SCALAR)
def _add_one(code: Code, pointer: Value, rows: Value, count: Value, stride: Value) -> None:
    def row(i: Value, _: object) -> tuple[()]:
        place = code.at(code.pointer(pointer), code.integer(i) * code.integer(stride))

        def cell(j: Value, _: object) -> tuple[()]:
            code.store(code.load(place, j) + 1.0, place, j)
            return ()

        code.loop(0, count, 1, (), cell)
        return ()

    code.loop(0, rows, 1, (), row)


def _activation(pointer: int, rows: int, count: int, stride: int) -> None:
    _add_one(pointer, rows, count, stride)


ADD_ONE = numba.cfunc(_SIGNATURE)(_activation)
"""An activation function that shows how often it met each output."""
