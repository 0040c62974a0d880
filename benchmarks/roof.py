"""
The roofs of one core of this machine: fused multiply-adds a second, and bytes read a second.

    python -m benchmarks.roof

No kernel can do more arithmetic than the first, nor read weights from memory faster than the
second. Clocks and neighbours change by the second: each figure is the best of many short runs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from cnndsl.backends.cpu.target import Target
from cnndsl.backends.cpu.vectors import Code, Value, Vector, emits

STREAM_BYTES = 256 << 20  # far more than any cache holds


@dataclass(frozen=True, slots=True)
class Roof:
    """GFLOP/s of float32 arithmetic and GB/s of memory reads, of one core."""

    gflops: float
    gigabytes: float

    def nearer(self, flops: float, bytes_read: float) -> float:
        """The least seconds in which one core can do `flops` operations and read `bytes_read`."""
        return max(flops / (self.gflops * 1e9), bytes_read / (self.gigabytes * 1e9))


def measure(runs: int = 40) -> Roof:
    """Measure both roofs of the core that this runs on."""
    return Roof(fma_peak(runs), stream_bandwidth(max(3, runs // 4)))


def fma_peak(runs: int = 40) -> float:
    """GFLOP/s of independent multiply-adds on values that never leave the registers."""
    target, turns = Target.host(), 200_000
    chains = target.registers - 4

    @emits(target.lanes, result="float32")
    def multiply_add(code: Code, count: Value) -> Value:
        factor = code.vector(code.builder.sitofp(count, code.vector(0.0).value.type.element))
        start = [code.vector(float(i)) for i in range(chains)]

        def turn(_: Value, chain: list[Vector]) -> list[Vector]:
            return [value.fma(factor, 1.0) for value in chain]

        end = code.loop(0, count, 1, start, turn)
        return _total(end)

    seconds = best_time(_compiled(multiply_add, "float32(int64)"), runs, turns)
    return 2 * turns * chains * target.lanes / seconds / 1e9


def stream_bandwidth(runs: int = 10) -> float:
    """GB/s of reading memory once, front to back."""
    lanes, wide = Target.host().lanes, 8
    data = np.ones(STREAM_BYTES // 4, np.float32)

    @emits(lanes, result="float32")
    def read(code: Code, address: Value) -> Value:
        pointer, step = code.pointer(address), wide * lanes

        def turn(i: Value, sums: list[Vector]) -> list[Vector]:
            here = code.at(pointer, i)
            code.prefetch(here, 1024)
            return [total + code.load(here, j * lanes) for j, total in enumerate(sums)]

        sums = code.loop(0, data.size, step, [code.vector(0.0)] * wide, turn)
        return _total(sums)

    seconds = best_time(_compiled(read, "float32(int64)"), runs, data.ctypes.data)
    return data.nbytes / seconds / 1e9


def best_time(function: Callable[..., Any], runs: int, *arguments: Any) -> float:
    """The least seconds of `runs` calls."""
    best = float("inf")
    for _ in range(runs):
        start = time.perf_counter()
        function(*arguments)
        best = min(best, time.perf_counter() - start)
    return best


def _total(vectors: list[Vector]) -> Value:
    """The sum of all lanes of all vectors, so that no part of the work is dead code."""
    total = vectors[0]
    for vector in vectors[1:]:
        total = total + vector
    return total.sum()


def _compiled(step: Any, signature: str) -> Callable[[int], float]:
    def call(argument: int) -> float:
        return step(argument)

    return numba.cfunc(signature)(call).ctypes


if __name__ == "__main__":
    roof = measure()
    print(f"one core: {roof.gflops:.1f} GFLOP/s, {roof.gigabytes:.1f} GB/s")
